"""Lines of text on a stream, such as JSON Lines, each written at once."""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import BinaryIO


class LineWriter:
    """Writes lines as UTF-8.

    A reader that is slow holds the writer up, one that has gone ends it (BrokenPipeError).
    """

    def __init__(self, stream: BinaryIO, *, give_up: Callable[[], bool] = lambda: False) -> None:
        """`give_up` is asked while a full pipe blocks; once it says yes, lines are discarded."""
        self._stream = stream
        self._give_up = give_up
        self._room: select.poll | None = None
        self._loss: select.poll | None = None
        try:
            room, loss = select.poll(), select.poll()
            room.register(stream.fileno(), select.POLLOUT)
            loss.register(stream.fileno(), 0)  # errors are told unasked
        except (OSError, AttributeError):  # not a file, or a system without poll
            return
        self._room, self._loss = room, loss

    def write(self, line: str) -> None:
        """Write one line and hand it to the system. Raises OSError."""
        while not self._ready(100):
            if self._give_up():
                return
        self._stream.write(line.encode("utf-8", "backslashreplace") + b"\n")
        self._stream.flush()

    def reader_gone(self) -> bool:
        """Return whether the other end of the pipe was closed; nothing is written to find out."""
        return self._loss is not None and bool(self._loss.poll(0))

    def _ready(self, milliseconds: int) -> bool:
        return self._room is None or bool(self._room.poll(milliseconds))
