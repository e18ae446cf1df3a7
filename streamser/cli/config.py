"""`streamser config`: what the daemon would run with."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from typing import Any

from streamser.cli import options
from streamser.cli.failure import OK, USAGE, complain

_DESCRIPTION = """\
Print the configuration that `streamser serve` would run with, as TOML: the file, over it the
environment (STREAMSER_SECTION_KEY), over that the flags. Tokens and passwords are not shown."""

_EPILOG = """\
examples:
  streamser config
  streamser config --set websocket.port=9000 --set metrics
  STREAMSER_MQTT_HOST=broker.local streamser config --json | jq .mqtt

exit code: 2 if a key or a value is wrong; its line, variable or flag is named"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Set the command's options and its `run`."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    options.add_config(parser)
    parser.add_argument("--json", action="store_true", help="write a JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the configuration; 2 when it does not do."""
    from streamser import strict
    from streamser.config import SECRETS
    from streamser.layers import ConfigError, usual_path

    layers = options.layers(args)
    try:
        config = layers.load()
    except ConfigError as error:
        complain(error)
        return USAGE
    shown = strict.plain(config)
    for section in filter(None, shown.values()):
        for key in SECRETS:
            if section.get(key) is not None:
                section[key] = "(not shown)"
    if args.json:
        print(json.dumps(shown, indent=2))
    else:
        print(f"# {layers.file or f'there is no {usual_path(layers.environment)}'}")
        print("\n".join(_toml(shown)))
    return OK


def _toml(shown: Mapping[str, Mapping[str, Any] | None]) -> Iterator[str]:
    for name, section in shown.items():
        if section is None:
            yield f"\n# [{name}] is off"
            continue
        yield f"\n[{name}]"
        for key, value in section.items():
            # JSON's texts, numbers, truths and lists of them are TOML's, but for DEL.
            written = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
            yield f"# {key} is not set" if value is None else f"{key} = {written}"
