"""Parses the arguments of `python -m train` and turns failures into one line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Protocol

from streamser.audio.source import SourceError
from streamser.model.manifest import BundleError
from train.commands import corpora, eda, evaluate, export, fit, predict, prepare, report
from train.corpora import CorpusError
from train.recipe import RecipeError
from train.results import ResultError


class Command(Protocol):
    """What a module in train.commands offers."""

    NAME: str
    HELP: str
    EXAMPLE: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, arguments: argparse.Namespace) -> int: ...


COMMANDS: tuple[Command, ...] = (corpora, eda, prepare, fit, export, evaluate, predict, report)
FAILURES: tuple[type[Exception], ...] = (
    CorpusError,
    RecipeError,
    ResultError,
    BundleError,
    SourceError,
    OSError,
)
"""Exceptions whose message is one clear line for the user."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; 0 done, 1 failed with a line on stderr, 2 wrong usage, 130 interrupted."""
    parser = argparse.ArgumentParser(prog="python -m train", description="Train and judge.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        subparser = commands.add_parser(
            command.NAME,
            help=command.HELP,
            description=command.HELP[0].upper() + command.HELP[1:] + ".",
            epilog=f"example: {command.EXAMPLE}",
        )
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    parsed = parser.parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except FAILURES as error:
        print(f"python -m train: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
