"""How a command fails: one line on standard error, exit code 1."""

from __future__ import annotations

import errno
import os
import sys

OK, FAILED, USAGE = 0, 1, 2
"""Exit codes."""


def complain(message: object) -> None:
    """Write one line on standard error, whatever the message holds; a closed one is no matter."""
    line = "".join(char if char.isprintable() else " " for char in str(message))
    try:
        print(f"streamser: {line}", file=sys.stderr, flush=True)
    except (OSError, ValueError):
        abandon(sys.stderr)


def explain(error: Exception) -> str:
    """Return the one line for an exception that ended a command."""
    if isinstance(error, ImportError):
        return f"{error}: the installation is not whole, `streamser doctor` says what is missing"
    from streamser.analysis.profile import ProfileError
    from streamser.audio.source import SourceError
    from streamser.layers import ConfigError
    from streamser.model.manifest import BundleError

    if isinstance(error, SourceError | BundleError | ProfileError | ConfigError):
        return str(error)
    if isinstance(error, OSError):
        where = error.filename or "standard output"
        hint = ": free some space" if error.errno == errno.ENOSPC else ""
        return f"{where}: {error.strerror or error}{hint}"
    if isinstance(error, MemoryError):
        return "out of memory"
    kind, text = type(error).__name__, " ".join(str(error).split())
    return f"internal error, {kind}: {text} (STREAMSER_DEBUG=1 shows where; please report it)"


def abandon(stream: object) -> None:
    """Point a stream that cannot be written to at nothing, so that exit does not fail on it."""
    try:
        number = stream.fileno()  # type: ignore[attr-defined]
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, number)
        os.close(null)
    except (OSError, ValueError, AttributeError):
        pass
