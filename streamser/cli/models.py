"""`streamser models`: which models there are."""

from __future__ import annotations

import argparse
import json

from streamser.cli.failure import FAILED, OK, complain

_DESCRIPTION = """\
List the models. Choose one by its name or the path of its folder: --model NAME
The one marked with * is used when none is chosen."""

_EPILOG = """\
examples:
  streamser models
  streamser models --json | jq -r '.[].labels | join(" ")'"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Set the command's options and its `run`."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("--json", action="store_true", help="write a JSON list")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """List the models; 1 when there is none."""
    from streamser.model.bundle import DEFAULT, available, find
    from streamser.outputs.palette import printable

    manifests = available()
    if args.json:
        models = [
            {
                "name": manifest.name,
                "version": manifest.version,
                "created": manifest.created,
                "license": manifest.license,
                "description": manifest.description,
                "labels": manifest.labels,
                "default": manifest.name == DEFAULT,
                "path": str(find(manifest.name)),
            }
            for manifest in manifests
        ]
        print(json.dumps(models, indent=2))
    if not manifests:
        complain("no model is installed: install streamser again, or pass --model FOLDER")
        return FAILED
    if not args.json:
        for manifest in manifests:
            mark = "*" if manifest.name == DEFAULT else " "
            print(f"{mark} {manifest.name} {printable(manifest.version)}")
            print(f"    {printable(manifest.description)}")
            print(f"    labels   {' '.join(map(printable, manifest.labels))}")
            print(f"    licence  {printable(manifest.license)}, of {manifest.created[:10]}")
            print(f"    folder   {printable(str(find(manifest.name)))}")
    return OK
