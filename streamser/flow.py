"""Whether audio flows, and whether anybody still asks for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from streamser.events import Event, SourceLost, SourceRestored

FLOWING_SECONDS = 2.0
"""Without a sample, and audio flows no more."""

ALIVE_SECONDS = 10.0
"""Without a poll, and the listener hangs."""


class Flow:
    """Fed after each poll of a listener; read from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ear = True
        self._lost = False
        self._t = 0.0
        self._heard_at: float | None = None
        self._polled_at = clock()

    def begin(self, *, ear: bool = True) -> None:
        """A new session begins at time zero; without an `ear`, only clients send audio."""
        self._ear = ear
        self._lost, self._t = False, 0.0
        self._polled_at = self._clock()

    def note(self, events: Sequence[Event], t: float) -> None:
        """Note what a poll returned, and the analyzer's time after it."""
        self._polled_at = self._clock()
        for event in events:
            if isinstance(event, SourceLost):
                self._lost = True
            elif isinstance(event, SourceRestored):
                self._lost = False
        # While the source is lost, time that is skipped moves the clock, too.
        if t > self._t and not self._lost:
            self._heard_at = self._polled_at
        self._t = t

    @property
    def lost(self) -> bool:
        """Whether the source is lost."""
        return self._lost

    @property
    def flowing(self) -> bool:
        """Whether a sample came just now."""
        if self._lost or self._heard_at is None:
            return False
        return self._clock() - self._heard_at < FLOWING_SECONDS

    @property
    def ready(self) -> bool:
        """Whether all is as it should be: audio flows, or none of its own is to be heard."""
        return self.flowing if self._ear else self.alive

    @property
    def alive(self) -> bool:
        """Whether the listener was polled just now."""
        return self._clock() - self._polled_at < ALIVE_SECONDS
