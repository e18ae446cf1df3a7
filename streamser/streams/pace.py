"""How fast a client may send."""

from __future__ import annotations

import time
from collections.abc import Callable


class _Leak:
    """What was poured in and has not run out yet; so much runs out each second."""

    def __init__(self, rate: float) -> None:
        self.level = 0.0
        self._rate = rate

    def pass_time(self, seconds: float) -> None:
        self.level = max(0.0, self.level - seconds * self._rate)

    def above(self, mark: float) -> float:
        """Return the seconds until the level is down at `mark`."""
        return max(0.0, self.level - mark) / self._rate


class Pace:
    """Says how long to wait before more is taken from a client, which makes the client wait.

    In the long run audio comes at most `speed` times faster than real time; what a stall of the
    network held back may come at once, up to `burst` seconds. And who is ahead of real time, as
    one who sends a recording is, waits while the stream's backlog is full; a live voice, which
    cannot wait, is not made to: there the oldest audio is dropped.
    """

    def __init__(
        self, *, speed: float, burst: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst = burst
        self._sent, self._ahead = _Leak(speed), _Leak(1.0)
        self._clock = clock
        self._at = clock()

    def add(self, seconds: float) -> None:
        """Note that so much audio came."""
        self._pass_time()
        self._sent.level += seconds
        self._ahead.level += seconds

    def delay(self, *, full: bool) -> float:
        """Return for how many seconds nothing is to be taken, as things stand."""
        self._pass_time()
        fast = self._sent.above(self._burst)
        return max(fast, self._ahead.above(self._burst)) if full else fast

    def _pass_time(self) -> None:
        at = self._clock()
        self._sent.pass_time(at - self._at)
        self._ahead.pass_time(at - self._at)
        self._at = at
