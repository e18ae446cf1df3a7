"""Cuts a stream into hops and remembers the last ones, so that an onset can reach back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

HOP = 1280
"""Samples per hop of the network, 80 ms at 16 kHz."""

SAMPLE_RATE = 16_000
"""Hertz; what the analysis hears."""

HOP_SECONDS = HOP / SAMPLE_RATE

Samples = NDArray[np.int16]


class Hops:
    """Whatever the chunking, the same hops, counted from the start or the last `reset`."""

    def __init__(self, *, lookback: int, context: int) -> None:
        """Keep `lookback` hops besides the current one, and `context` samples before them."""
        self._context = context
        self._lookback = lookback
        self._recent = np.zeros(context + (lookback + 1) * HOP, dtype=np.int16)
        self._next = np.zeros(HOP, dtype=np.int16)
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        self._recent.fill(0)
        self.filled = 0
        """Samples that wait for their hop to be full."""

        self._seen = 0

    def push(self, samples: Samples) -> Iterator[Samples]:
        """Take int16 samples, any number; yield each full hop, (1280,), valid until the next."""
        while samples.size:
            taken = min(samples.size, HOP - self.filled)
            self._next[self.filled : self.filled + taken] = samples[:taken]
            self.filled += taken
            samples = samples[taken:]
            if self.filled == HOP:
                self.filled = 0
                self._seen = min(self._seen + 1, self._lookback + 1)
                self._recent[:-HOP] = self._recent[HOP:]
                self._recent[-HOP:] = self._next
                yield self._next

    @property
    def current(self) -> Samples:
        """The last full hop, (1280,)."""
        return self._recent[-HOP:]

    def back(self, hops: int) -> tuple[Samples, Samples]:
        """Return the context and the samples of the last `hops` + 1 hops, as far as there are."""
        start = self._recent.size - min(hops + 1, self._seen) * HOP
        return self._recent[start - self._context : start], self._recent[start:]
