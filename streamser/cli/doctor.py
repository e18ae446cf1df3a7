"""`streamser doctor`: what is wrong here and how to mend it."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from streamser.cli import options
from streamser.cli.failure import FAILED, OK

if TYPE_CHECKING:
    from streamser.config import Config

_DESCRIPTION = """\
Check Python, the libraries, the model and the microphone, and say how to mend what is wrong; tell
who listens here, which streamsers run, and what the daemon's configuration lets out to whom.
Half a second is listened to; nothing of it is kept."""

_EPILOG = """\
examples:
  streamser doctor
  streamser doctor --input mic:USB
  streamser doctor --json | jq '.findings[] | select(.state != "ok")'

exit code: 1 if something is broken that is needed, or with which `streamser serve` would not start;
a missing microphone is only a warning, unless it was asked for by its name"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Set the command's options and its `run`."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument(
        "-i",
        "--input",
        metavar="mic:NAME",
        help="the microphone to listen to (default: the configuration's)",
    )
    options.add_model(parser)
    parser.add_argument(
        "-c", "--config", metavar="FILE", help="the daemon's configuration (default: the usual one)"
    )
    parser.add_argument("--json", action="store_true", help="write a JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check everything; 1 when something needed is broken."""
    from streamser.cli.checks import Finding, examine
    from streamser.cli.hush import hush

    hush()
    findings: list[Finding] = []
    for finding in examine(_load(args.config), model=args.model, source=args.input):
        findings.append(finding)
        if not args.json:
            _print(finding.check, finding.state, finding.detail, finding.mend)
    broken = sum(finding.state == "broken" for finding in findings)
    if args.json:
        told = [dataclasses.asdict(finding) for finding in findings]
        print(json.dumps({"ok": not broken, "findings": told}, indent=2))
    elif broken:
        print(f"\n{broken} of {len(findings)} checks failed")
    else:
        print("\nnothing needed is broken")
    return FAILED if broken else OK


def _load(path: str | None) -> Config | Exception:
    """Return the daemon's configuration, or why it cannot be had."""
    try:
        from streamser.layers import Layers

        return Layers(path=None if path is None else Path(path)).load()
    except Exception as error:  # even where a library is missing, the checks have to go on
        return error


def _print(check: str, state: str, detail: str, mend: str | None) -> None:
    mark = {"ok": "ok     ", "warning": "warning", "broken": "BROKEN "}[state]
    print(f"{mark}  {check:<12} {detail}", flush=True)
    if mend is not None:
        print(f"{'':>22} mend: {mend}", flush=True)
