"""`streamser calibrate`: profiles of users' ordinary voices."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from streamser.cli import options
from streamser.cli.failure import FAILED, OK, complain

if TYPE_CHECKING:
    from streamser.analysis.calibration import Calibration
    from streamser.analysis.profile import Profile

_DESCRIPTION = """\
Learn how your ordinary voice sounds, from ten to thirty seconds of it, so that what you say later
is held against that and not against everybody's. Read something aloud, as you always speak.
Statistics are kept, a few hundred numbers, and no sound; they stay on this machine."""

_EPILOG = """\
examples:
  streamser calibrate --profile anna              read aloud until the bar is full
  streamser calibrate --profile anna --input anna.flac
  streamser --profile anna                        then use it, wherever there is --profile
  streamser calibrate --list
  streamser calibrate --export anna > anna.json
  streamser calibrate --import anna.json
  streamser calibrate --delete anna"""

_TEXT = """\
Read this aloud, in your ordinary voice, again from the top if it ends too soon:

  The road to the harbour runs along the river. In the morning the boats go out, and
  around noon most of them come back. On the market you can buy bread, fish and apples.
  The bus stops at the bridge every twenty minutes and takes about half an hour to town.
"""

PATIENCE = 60.0
"""Seconds that a microphone may go without a voice."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Set the command's options and its `run`."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--profile", metavar="NAME", default="default", help="whose voice it is (default: default)"
    )
    what.add_argument("--list", action="store_true", help="list the profiles")
    what.add_argument("--export", metavar="NAME", help="write a profile to standard output")
    what.add_argument(
        "--import", metavar="FILE", dest="bring", type=_file, help="store an exported profile"
    )
    what.add_argument("--delete", metavar="NAME", help="forget a profile")
    parser.add_argument(
        "--seconds",
        metavar="10..30",
        type=options.seconds(10, 30),
        default=20.0,
        help="how much speech to hear (default 20)",
    )
    options.add_input(parser)
    options.add_model(parser)
    parser.set_defaults(run=lambda args: run(args, parser))


def run(args: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Make a profile, or do what else was asked for."""
    options.check_input(args, parser)
    if args.list:
        return _list()
    if args.export is not None:
        from streamser.analysis.profile import load_profile, to_json

        print(to_json(load_profile(args.export)), end="")
        return OK
    if args.bring is not None:
        from streamser.analysis.profile import read_profile, save_profile

        print(f"stored {save_profile(read_profile(args.bring))}")
        return OK
    if args.delete is not None:
        from streamser.analysis.profile import delete_profile

        delete_profile(args.delete)
        print(f"deleted profile {args.delete}")
        return OK
    return _calibrate(args)


def _file(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("it is empty")
    return Path(text)


def _list() -> int:
    from streamser.analysis.profile import ProfileError, folder, load_profile, names
    from streamser.strict import printable

    found = names()
    if not found:
        print("no profiles; streamser calibrate --profile NAME makes one")
        return OK
    bad = 0
    for name in found:
        try:
            profile = load_profile(name)
        except ProfileError as error:
            complain(error)
            bad += 1
            continue
        seconds = f"{profile.speech_seconds:.0f} s of speech"
        print(printable(f"{name}  {profile.created}  {seconds}  for {profile.model}"))
    print(f"in {folder()}")
    return FAILED if bad else OK


def _calibrate(args: argparse.Namespace) -> int:
    from streamser.analysis.calibration import Calibration
    from streamser.analysis.profile import place, save_profile
    from streamser.model.bundle import load

    place(args.profile)  # what does not do is told before anybody reads aloud
    calibration = Calibration(model=load(args.model))
    _hear(calibration, args)
    profile = calibration.finish(args.profile)
    path = save_profile(profile)
    print(f"stored {path}: {len(profile.pooled)} numbers from {profile.speech_seconds:.1f} s")
    for line in _told(calibration, profile):
        print(line)
    return OK


def _hear(calibration: Calibration, args: argparse.Namespace) -> None:
    """Hear until there is speech enough, or the input ends. Raises SourceError."""
    from streamser.audio.inputs import is_microphone
    from streamser.audio.source import SourceError

    live = is_microphone(args.input)
    source = options.source(args, paced=False)
    source.open()
    try:
        if live:
            print(f"listening to {source.name}\n\n{_TEXT}", file=sys.stderr)
        heard, since = 0.0, time.monotonic()
        while calibration.speech_seconds < args.seconds:
            samples = source.read(0.25)
            if samples is None:
                break
            calibration.push(samples)
            _show(calibration, args.seconds)
            if calibration.speech_seconds > heard:
                heard, since = calibration.speech_seconds, time.monotonic()
            elif live and time.monotonic() - since > PATIENCE:
                raise SourceError(
                    f"no voice for {PATIENCE:.0f} s: `streamser doctor` shows what is heard"
                )
    finally:
        source.close()
        if sys.stderr.isatty():
            print(file=sys.stderr)


def _show(calibration: Calibration, wanted: float) -> None:
    if not sys.stderr.isatty():
        return
    filled = min(30, int(30 * calibration.speech_seconds / wanted))
    state = "speaking" if calibration.speaking else "silence "
    bar = f"[{'#' * filled}{'.' * (30 - filled)}]"
    line = f"\r{bar} {calibration.speech_seconds:4.1f} of {wanted:.0f} s  {state}"
    print(line, end="", file=sys.stderr, flush=True)


def _told(calibration: Calibration, profile: Profile) -> list[str]:
    """Return what the profile changes about the voice it was made of."""
    from streamser.strict import printable

    before, after = calibration.scores(None), calibration.scores(profile)
    first = sorted(before, key=lambda label: -before[label])[:3]
    rows = [
        f"  {printable(label):<10} {before[label]:5.0%} -> {after[label]:4.0%}" for label in first
    ]
    return ["your ordinary voice, before and after (mean probability):", *rows]
