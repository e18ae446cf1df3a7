"""How fast a client may send."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """Says how long to wait before more is taken from a client, which makes the client wait.

    In the long run audio comes at most `speed` times faster than real time; what a stall of the
    network held back may come at once, up to `burst` seconds. And who is ahead of real time, as
    one who sends a recording is, waits while the stream's backlog is full. A live voice is never
    ahead: it cannot wait, so there the oldest audio is dropped.
    """

    def __init__(
        self, *, speed: float, burst: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._speed = speed
        self._burst = burst
        self._clock = clock
        self._began = self._at = clock()
        self._sent = 0.0  # seconds of audio
        self._owed = 0.0  # of them, what came faster than `speed` and was not waited for yet

    def add(self, seconds: float) -> None:
        """Note that so much audio came."""
        self._pass_time()
        self._sent += seconds
        self._owed += seconds

    def delay(self, *, full: bool) -> float:
        """Return for how many seconds nothing is to be taken, as things stand."""
        self._pass_time()
        fast = (self._owed - self._burst) / self._speed
        ahead = self._sent - (self._at - self._began) - self._burst
        return max(0.0, fast, ahead if full else 0.0)

    def _pass_time(self) -> None:
        at = self._clock()
        self._owed = max(0.0, self._owed - (at - self._at) * self._speed)
        self._at = at
