"""`streamser devices`: what can be heard from."""

from __future__ import annotations

import argparse
import dataclasses
import json

from streamser.cli.failure import FAILED, OK, complain

_DESCRIPTION = """\
List the microphones: the sound server's, then PortAudio's. Choose one by part of its name,
or by its number: --input mic:NAME. The one marked with * is heard when none is chosen."""

_EPILOG = """\
examples:
  streamser devices
  streamser devices --json | jq -r '.[] | select(.default) | .name'"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Set the command's options and its `run`."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("--json", action="store_true", help="write a JSON list")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """List the devices; 1 when there is none."""
    from streamser.audio.microphone import list_devices
    from streamser.cli.hush import hush
    from streamser.outputs.palette import printable

    hush()
    devices = list_devices()
    if args.json:
        print(json.dumps([dataclasses.asdict(device) for device in devices], indent=2))
    if not devices:
        complain("no microphone is there: connect one or start the sound server")
        return FAILED
    if not args.json:
        widest = max(len(device.name) for device in devices)
        print(f"      {'name':<{widest}}  channels      rate  through")
        for device in devices:
            print(
                f"{'*' if device.default else ' '} "
                f"{'' if device.number is None else device.number:>3} "
                f"{printable(device.name):<{widest}}  {device.channels:>8}  "
                f"{device.rate:>5} Hz  {printable(device.api)}"
            )
    return OK
