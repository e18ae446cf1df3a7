"""`streamser analyze`: recordings and folders of them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from streamser.cli import options
from streamser.cli.failure import FAILED, OK, complain

if TYPE_CHECKING:
    from streamser.analysis.profile import Profile
    from streamser.analysis.settings import Settings
    from streamser.audio.source import Samples
    from streamser.cli.progress import Progress
    from streamser.model.bundle import Bundle
    from streamser.outputs.records import Record, Writer

SUFFIXES = frozenset(
    f".{name}"
    for name in ("aif", "aiff", "au", "caf", "flac", "mp3", "oga", "ogg", "opus", "w64", "wav")
)
"""Of the files that are taken from a folder; a file that is named itself may have any."""

_DESCRIPTION = """\
Give a verdict for every utterance of the recordings, or with --whole one for each recording.
Folders are searched for recordings in them; one that cannot be read does not stop the others."""

_EPILOG = """\
examples:
  streamser analyze talk.wav
  streamser analyze recordings/ --format csv > verdicts.csv
  streamser analyze --whole --json *.flac | jq -r '[.path, .label] | @tsv'"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Set the command's options and its `run`."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("paths", metavar="PATH", nargs="+", help="a recording, or a folder of them")
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument(
        "-f",
        "--format",
        choices=("table", "jsonl", "csv", "emotionml"),
        default="table",
        help="what to write (default table)",
    )
    formats.add_argument(
        "--json", dest="format", action="store_const", const="jsonl", help="same as --format jsonl"
    )
    parser.add_argument(
        "-w", "--whole", action="store_true", help="one verdict for each whole recording"
    )
    options.add_model(parser)
    options.add_profile(parser)
    options.add_analysis(parser, interval=False)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Analyse all recordings; 1 when one of them could not be."""
    from streamser.audio.source import SourceError
    from streamser.cli.progress import Progress
    from streamser.model.bundle import load

    bundle = load(args.model)
    judge = Judge(bundle, options.settings(args), options.profile(args))
    analyse = judge.whole if args.whole else judge.utterances
    recordings, useless = _find(args.paths)
    for complaint in useless:
        complain(complaint)
    if not recordings:
        return FAILED
    writer = _writer(args.format, bundle)
    bad = 0
    with Progress(sys.stderr, len(recordings)) as progress:
        for path in recordings:
            progress.begin(path)
            try:
                for record in analyse(path, progress):
                    progress.clear()
                    writer.write(record)
            except SourceError as error:
                progress.clear()
                complain(error)
                bad += 1
            sys.stdout.flush()
    writer.close()
    if bad and len(recordings) > 1:
        complain(f"{bad} of {len(recordings)} recordings could not be analysed")
    return FAILED if bad or useless else OK


def _find(paths: list[str]) -> tuple[list[str], list[str]]:
    """Return the recordings, and a line for each path that is of no use."""
    recordings: list[str] = []
    useless: list[str] = []
    for path in paths:
        if not Path(path).is_dir():
            recordings.append(path)
            continue
        problems: list[str] = []
        found = sorted(_search(path, problems))
        recordings += found
        useless += problems
        if not found and not problems:
            useless.append(f"{path}: no recordings in this folder (such as .wav, .flac, .mp3)")
    return recordings, useless


def _search(folder: str, problems: list[str]) -> Iterator[str]:
    waiting = [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif _is_recording(path := Path(entry)):
                        yield str(path)
        except OSError as error:
            problems.append(f"{error.filename}: {error.strerror}")


def _is_recording(path: Path) -> bool:
    named = path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    return named and not path.is_dir()


class Judge:
    """One network, settings and speaker for all recordings."""

    def __init__(self, bundle: Bundle, settings: Settings, profile: Profile | None) -> None:
        """Raises ProfileError when the profile is another network's."""
        from streamser.analysis.analyzer import Analyzer
        from streamser.analysis.whole import WholeAnalyzer

        self._live = Analyzer(model=bundle, settings=settings, profile=profile)
        self._whole = WholeAnalyzer(model=bundle, settings=settings, profile=profile)

    def utterances(self, path: str, progress: Progress) -> Iterator[Record]:
        """Yield a record for each utterance, as they end; one without if there is none."""
        from streamser.events import Event, Utterance
        from streamser.outputs.records import Record

        self._live.reset()
        blocks = _Blocks(path, progress)
        heard = False

        def verdicts(events: list[Event]) -> Iterator[Record]:
            for event in events:
                if isinstance(event, Utterance):
                    yield Record(path=path, start=event.start, end=event.end, utterance=event)

        for block in blocks:
            for record in verdicts(self._live.push(block)):
                heard = True
                yield record
        for record in verdicts(self._live.finish()):
            heard = True
            yield record
        if not heard:
            yield Record(path=path, start=0.0, end=blocks.seconds, utterance=None)

    def whole(self, path: str, progress: Progress) -> Iterator[Record]:
        """Yield the one record of the whole recording."""
        from streamser.outputs.records import Record

        blocks = _Blocks(path, progress)
        utterance = self._whole.analyze(blocks)
        yield Record(path=path, start=0.0, end=blocks.seconds, utterance=utterance)


class _Blocks:
    """The blocks of a recording, their duration counted."""

    def __init__(self, path: str, progress: Progress) -> None:
        self.seconds = 0.0
        self._path = path
        self._progress = progress

    def __iter__(self) -> Iterator[Samples]:
        from streamser.audio.recording import read_recording
        from streamser.audio.source import SAMPLE_RATE

        samples = 0
        for block in read_recording(self._path):
            samples += len(block)
            self.seconds = samples / SAMPLE_RATE
            self._progress.heard(self.seconds)
            yield block


def _writer(name: str, bundle: Bundle) -> Writer:
    from streamser.outputs import records

    labels = bundle.info.labels
    if name == "jsonl":
        return records.Jsonl(sys.stdout)
    if name == "csv":
        return records.Csv(sys.stdout, labels)
    if name == "emotionml":
        from streamser.outputs.emotionml import EmotionMl

        return EmotionMl(sys.stdout, labels)
    return records.Table(sys.stdout)
