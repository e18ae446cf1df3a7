"""No ear at all: for a server that hears only what clients send."""

from __future__ import annotations

import time
from collections.abc import Callable

from streamser.audio.source import NO_SAMPLES, SAMPLE_RATE, Samples

NOTHING = "none"
"""As it is called in configurations and events."""


class Nothing:
    """A source that never gives a sample, and is not lost for that."""

    name = NOTHING
    live = False
    native_rate = SAMPLE_RATE
    dropped = 0
    overruns = 0
    waiting = 0

    def __init__(self, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep = sleep

    def open(self) -> None:
        """Nothing is to be done."""

    def read(self, timeout: float, hops: int = 1) -> Samples | None:
        """Wait and return no samples."""
        self._sleep(timeout)
        return NO_SAMPLES

    def close(self) -> None:
        """Nothing is held."""
