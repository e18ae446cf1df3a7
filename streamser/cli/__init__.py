"""The commands; the only place that parses arguments."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from streamser.cli.failure import FAILED, OK, abandon, complain, explain

COMMANDS = {
    "live": "the terminal dashboard (this is what `streamser` alone does)",
    "listen": "write events as JSON Lines",
    "analyze": "analyse recordings and folders of them",
    "serve": "the daemon: events over sockets, MQTT, ROS 2, metrics, files",
    "config": "print the configuration that the daemon would run with",
    "calibrate": "learn how one's ordinary voice sounds, to judge it by that",
    "devices": "list the microphones",
    "models": "list the models",
    "doctor": "find out what is wrong here and how to mend it",
    "bench": "measure how fast it is here",
}
"""Each has a module of its name with `configure(parser)`, which sets `run(args) -> int`."""

_EPILOG = """\
examples:
  streamser                                 listen to the default microphone
  streamser listen --input talk.wav --fast  a recording's events as JSON Lines
  streamser analyze recordings/             a verdict for every utterance

exit codes: 0 done, 1 failed (one line on standard error says why), 2 wrong usage
`streamser COMMAND --help` tells more about a command."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; no traceback ever reaches the user."""
    try:
        _prepare_streams()
        return _run(list(sys.argv[1:] if argv is None else argv))
    except BrokenPipeError:
        abandon(sys.stdout)
        return OK
    except KeyboardInterrupt:
        complain("interrupted")
        return FAILED
    except Exception as error:
        if os.environ.get("STREAMSER_DEBUG"):
            raise
        if isinstance(error, OSError):
            abandon(sys.stdout)
        complain(explain(error))
        return FAILED


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Return the parsed arguments with `run`, the command's function. Raises SystemExit."""
    words = list(argv)
    if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help", "--version")):
        words.insert(0, "live")
    parser = _Parser(
        prog="streamser",
        description="Hears which emotion a voice carries, on this machine.",
        epilog=_EPILOG,
        allow_abbrev=False,
        formatter_class=_Help,
    )
    parser.add_argument("--version", action="store_true", help="print the version and end")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    if words[0] == "--version":
        return argparse.Namespace(run=_print_version)
    for name, summary in COMMANDS.items():
        command = subparsers.add_parser(
            name,
            help=summary,
            allow_abbrev=False,
            formatter_class=_Help,
        )
        if words[0] == name:
            import_module(f"streamser.cli.{name}").configure(command)
    return parser.parse_args(words)


def _run(argv: list[str]) -> int:
    try:
        args = parse(argv)
        from streamser.cli.stopping import terminate_like_interrupt

        terminate_like_interrupt()
        code: int = args.run(args)
    except SystemExit as ending:  # argparse's own, after --help or a usage error
        code = int(ending.code or 0)
    sys.stdout.flush()
    return code


def _print_version(args: argparse.Namespace) -> int:
    from streamser.version import __version__

    print(f"streamser {__version__}")
    return OK


class _Parser(argparse.ArgumentParser):
    """Tells when help cannot be written; argparse itself would say nothing and exit with 0."""

    def _print_message(self, message: str, file: Any = None) -> None:
        if message and file is sys.stdout:
            file.write(message)
            file.flush()
        else:
            super()._print_message(message, file)


class _Help(argparse.RawDescriptionHelpFormatter):
    """As wide as the terminal. argparse would ask shutil, which brings three compressors along."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


def _columns() -> int:
    with contextlib.suppress(ValueError):
        if (columns := int(os.environ.get("COLUMNS", "0"))) > 0:
            return columns
    with contextlib.suppress(OSError, AttributeError):
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    return 80


def _prepare_streams() -> None:
    """Have a standard output and error that take any text; either may be closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115
        else:
            with contextlib.suppress(AttributeError, ValueError, OSError):
                stream.reconfigure(errors="backslashreplace")
