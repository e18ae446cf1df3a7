"""`streamser listen`: events as JSON Lines."""

from __future__ import annotations

import argparse
import functools
import sys

from streamser.cli import options
from streamser.cli.failure import OK

POLL = 0.25
"""Seconds without audio after which the reader is looked for: well above a block of 80 ms, so that
while audio flows nothing wakes up in vain."""

_DESCRIPTION = """\
Write what is heard as JSON Lines, one event a line, each at once.
A recording is played in real time; --fast takes it as fast as it can be read."""

_EPILOG = """\
examples:
  streamser listen
  streamser listen --input mic:USB | jq -r 'select(.type == "utterance") | .label'
  streamser listen --input talk.flac --fast
  streamser listen --input mic:USB --wait >> events.jsonl
  arecord -q -t raw -f S16_LE -r 16000 -c 1 | streamser listen --input -"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Set the command's options and its `run`."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    options.add_input(parser)
    parser.add_argument(
        "--fast", action="store_true", help="take a recording as fast as it can be read"
    )
    parser.add_argument(
        "--wait",
        action="store_true",
        help="where the microphone is not there yet, wait for it instead of failing",
    )
    options.add_model(parser)
    options.add_profile(parser)
    options.add_analysis(parser)
    parser.set_defaults(run=functools.partial(run, parser=parser))


def run(args: argparse.Namespace, *, parser: argparse.ArgumentParser) -> int:
    """Listen until the input ends, the reader goes, or a signal comes."""
    options.check_input(args, parser)
    from streamser.cli.stopping import Stopping
    from streamser.events import to_json
    from streamser.outputs.lines import LineWriter

    listener = options.listener(args, paced=not args.fast, wait=args.wait)
    with listener, Stopping(listener.stop) as stopping:
        lines = LineWriter(sys.stdout.buffer, give_up=lambda: stopping.asked)
        while not listener.ended:
            events = listener.poll(POLL)
            for event in events:
                lines.write(to_json(event))
            if not events and lines.reader_gone():  # writing would tell
                break
    return OK
