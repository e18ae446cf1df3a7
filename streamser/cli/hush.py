"""Standard error for Python alone."""

from __future__ import annotations

import contextlib
import os
import sys


def hush() -> None:
    """Keep what ALSA and PortAudio print off the terminal: Python alone keeps standard error."""
    with contextlib.suppress(OSError):
        kept = os.dup(2)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)
        sys.stderr = os.fdopen(kept, "w", buffering=1, errors="backslashreplace")
