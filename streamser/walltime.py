"""The wall time of a session, true for months."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

SLACK = 1.0
"""Seconds that wall time may be wrong by before it is set right."""

QUARTZ = 0.001
"""Of the time: further apart two clocks do not run. Audio that does is not played in real time."""


class WallTime:
    """Knows when the sample clock was at zero.

    What was known at the start goes wrong: the wall clock is stepped (a machine without a battery
    for its clock starts in the past, one that slept wakes in the future), and a sound card's quartz
    is not the computer's, which makes seconds a day. Audio that comes faster or slower than it
    sounds is no clock; then only steps count.
    """

    def __init__(
        self, t: float, *, clock: Callable[[], float], now: Callable[[], datetime]
    ) -> None:
        """`t`: the sample clock just now; `clock` is monotonic, in seconds, as `t` is."""
        self._clock = clock
        self._now = now
        self._t, self._at, self._wall = t, clock(), now()
        self._off = 0.0

    @property
    def zero(self) -> datetime:
        """The wall time when the sample clock was at zero."""
        return self._wall + timedelta(seconds=self._off - self._t)

    def follow(self, t: float) -> None:
        """Set wall time right, if it is wrong, now that the sample clock is at `t`."""
        passed = self._clock() - self._at
        stepped = (self._now() - self._wall).total_seconds() - passed
        drifted = passed - (t - self._t)
        if abs(drifted) > SLACK + QUARTZ * passed:
            drifted = 0.0
        if abs(stepped + drifted - self._off) > SLACK:
            self._off = stepped + drifted
