"""How far a batch is, on one line of standard error when that is a terminal."""

from __future__ import annotations

import shutil
import time
from typing import TextIO

_EVERY = 0.1
_BAR = 20


class Progress:
    """A bar of recordings done; elsewhere than on a terminal it is silent."""

    def __init__(self, stream: TextIO, total: int) -> None:
        self._stream = stream
        self._total = total
        self._begun = 0
        self._path = ""
        self._shown = False
        self._next = 0.0
        self._terminal = stream.isatty()

    def begin(self, path: str) -> None:
        """The next recording is at work."""
        self._begun += 1
        self._path = path
        self.heard(0.0)

    def heard(self, seconds: float) -> None:
        """So many seconds of the recording are analysed."""
        now = time.monotonic()
        if not self._terminal or now < self._next:
            return
        self._next = now + _EVERY
        done = self._begun - 1
        filled = done * _BAR // self._total
        line = f"[{'#' * filled}{'.' * (_BAR - filled)}] {done}/{self._total}  "
        line += f"{seconds:.0f} s of " if seconds >= 1 else ""
        line += "".join(char if char.isprintable() else "?" for char in self._path)
        width = shutil.get_terminal_size().columns - 1
        print(f"\r{line[:width]}\x1b[K", end="", file=self._stream, flush=True)
        self._shown = True

    def clear(self) -> None:
        """Take the bar away, so that something else can be written."""
        if self._shown:
            print("\r\x1b[K", end="", file=self._stream, flush=True)
            self._shown = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *raised: object) -> None:
        self.clear()
