"""The wall time of a session, true for months."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

SLACK = 1.0
"""Seconds that wall time may be wrong by before it is set right."""

FASTER = 0.25
"""Of the time: audio that gained more since the start is not heard as it sounds."""


class WallTime:
    """Knows when the sample clock was at zero.

    What was known at the start goes wrong: the wall clock is stepped (a machine without a battery
    for its clock starts in the past, one that slept wakes in the future), and a sound card's quartz
    is not the computer's, which makes seconds a day. Nor does audio always come when it sounds: a
    network loses some or holds it back, a client pauses. A recording that comes faster than it
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
        if drifted < -(SLACK + FASTER * passed):
            drifted = 0.0
        if abs(stepped + drifted - self._off) > SLACK:
            self._off = stepped + drifted
