"""`streamser doctor`: what is wrong here and how to mend it."""

from __future__ import annotations

import argparse
import dataclasses
import json

from streamser.cli import options
from streamser.cli.failure import FAILED, OK

_DESCRIPTION = """\
Check Python, the libraries, the model and the microphone, and say how to mend what is wrong; tell
who listens here, which streamsers run, and what the daemon's configuration lets out to whom.
Half a second is listened to; nothing of it is kept."""

_EPILOG = """\
examples:
  streamser doctor
  streamser doctor --input mic:USB
  streamser doctor --json | jq '.findings[] | select(.state != "ok")'

exit code: 1 if something that is needed is broken; a missing microphone is only a warning"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Set the command's options and its `run`."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("-i", "--input", metavar="mic:NAME", help="the microphone to listen to")
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
    for finding in examine(model=args.model, source=args.input, config=args.config):
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


def _print(check: str, state: str, detail: str, mend: str | None) -> None:
    mark = {"ok": "ok     ", "warning": "warning", "broken": "BROKEN "}[state]
    print(f"{mark}  {check:<12} {detail}", flush=True)
    if mend is not None:
        print(f"{'':>22} mend: {mend}", flush=True)
