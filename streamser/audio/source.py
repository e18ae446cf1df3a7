"""What every source of audio offers."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Hertz; everything above `streamser.audio` hears this rate, mono, int16."""

Samples = NDArray[np.int16]

NO_SAMPLES: Samples = np.empty(0, dtype=np.int16)


class SourceError(Exception):
    """A source cannot be opened or read; the message says why and what to do, in one line."""


class UnreadableError(SourceError):
    """A source that no second attempt will make readable."""


class Source(Protocol):
    """Samples from somewhere. Not thread-safe: one reader."""

    name: str
    """As it appears in events: `mic:NAME`, a path, or `-`."""

    live: bool
    """Whether samples come at their own pace, so that a silent source is a lost one."""

    native_rate: int
    """Hertz, as the source delivers it before resampling; known once it is open."""

    dropped: int
    """Samples (at 16 kHz) lost since it was first opened because nobody read them in time."""

    overruns: int
    """How often samples were lost since it was first opened."""

    waiting: int
    """Samples (at 16 kHz) that had come but were not read yet, as of the last `read`."""

    def open(self) -> None:
        """Begin, or begin again after a loss. Raises SourceError."""

    def read(self, timeout: float, hops: int = 1) -> Samples | None:
        """Wait up to `timeout` seconds and return what came.

        Nobody needs it before `hops` hops of the network are full: a source that is woken up by
        every piece of its device may sleep so long.
        Returns int16 mono samples at 16 kHz; an empty array when nothing came in time; None at
        the end of input. Raises SourceError when the source is lost just now, UnreadableError
        when it is for good.
        """

    def close(self) -> None:
        """Stop and free what is held; safe to call twice, never hangs."""
