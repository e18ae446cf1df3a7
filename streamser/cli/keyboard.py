"""Single keys from the terminal, while the dashboard is up."""

from __future__ import annotations

import contextlib
import os
import re
import select
import sys
from typing import Any

_SEQUENCE = re.compile(r"\x1b(?:O|\[[0-?]*[ -/]*)[@-~]")
"""What a terminal sends for a key that is no character: F2 as ESC O Q."""


class Keyboard:
    """Reads keys unseen and without Enter; without a terminal (or termios) there are none."""

    def __init__(self, *, wanted: bool = True) -> None:
        """`wanted`: false where standard input carries audio."""
        self._wanted = wanted
        self._fd: int | None = None
        self._before: list[Any] = []

    def pressed(self) -> str:
        """Return the characters typed since the last call; does not wait."""
        if self._fd is None or not select.select([self._fd], [], [], 0)[0]:
            return ""
        return _SEQUENCE.sub("", os.read(self._fd, 64).decode("utf-8", "ignore"))

    def __enter__(self) -> Keyboard:
        if self._wanted and sys.stdin is not None and sys.stdin.isatty():
            try:
                import termios
                import tty
            except ImportError:
                return self
            fd = sys.stdin.fileno()
            self._before = termios.tcgetattr(fd)
            tty.setcbreak(fd)
            self._fd = fd
        return self

    def __exit__(self, *raised: object) -> None:
        if self._fd is not None:
            import termios

            with contextlib.suppress(termios.error):  # the terminal is closed
                termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)
            self._fd = None
