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
  streamser models --json | jq -r '.[].labels | join(" ")'

exit code: 1 if a model is damaged; standard error says which, and the others are listed"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Set the command's options and its `run`."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("--json", action="store_true", help="write a JSON list")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """List the models; 1 when there is none, or one is damaged."""
    from streamser.model.bundle import DEFAULT, available, verify
    from streamser.model.manifest import BundleError
    from streamser.outputs.palette import printable

    found, damaged = {}, 0
    for path in available():
        try:
            found[path] = verify(path)
        except BundleError as error:
            complain(error)
            damaged += 1
    if args.json:
        models = [
            {
                "name": path.name,
                "version": manifest.version,
                "created": manifest.created,
                "license": manifest.license,
                "description": manifest.description,
                "labels": manifest.labels,
                "default": path.name == DEFAULT,
                "path": str(path),
            }
            for path, manifest in found.items()
        ]
        print(json.dumps(models, indent=2))
    if not found and not damaged:
        complain("no model is installed: install streamser again, or pass --model FOLDER")
        return FAILED
    if not args.json:
        for path, manifest in found.items():
            mark = "*" if path.name == DEFAULT else " "
            print(f"{mark} {printable(path.name)} {printable(manifest.version)}")
            print(f"    {printable(manifest.description)}")
            print(f"    labels   {' '.join(map(printable, manifest.labels))}")
            print(f"    licence  {printable(manifest.license)}, of {manifest.created[:10]}")
            print(f"    folder   {printable(str(path))}")
    return FAILED if damaged else OK
