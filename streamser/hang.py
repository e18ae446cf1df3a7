"""How long a piece of work takes, so that one that hangs is noticed."""

from __future__ import annotations

import time
from collections.abc import Callable

LOOK = 1.0
"""Seconds that count at most between two looks."""


class HangWatch:
    """Who works says when; who looks, again and again, is told for how long it has seen no end.

    What passes unseen does not count: a process that was suspended as a whole does not hang.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._piece: object | None = None
        self._seen: object | None = None
        self._looked = 0.0
        self._lasts = 0.0

    def begin(self) -> None:
        """A piece of work begins."""
        self._piece = object()

    def end(self) -> None:
        """It is done."""
        self._piece = None

    def look(self) -> float:
        """Return the seconds for which the present piece has been seen; 0.0 where there is none."""
        piece, now = self._piece, self._clock()
        if piece is None or piece is not self._seen:
            self._lasts = 0.0
        else:
            self._lasts += min(now - self._looked, LOOK)
        self._seen, self._looked = piece, now
        return self._lasts
