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
        self._kept = context + (lookback + 1) * HOP
        self._samples = np.zeros(2 * self._kept + HOP, dtype=np.int16)
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        self._samples.fill(0)
        self._end = self._kept
        self.filled = 0
        """Samples that wait for their hop to be full."""

        self._seen = 0

    def push(self, samples: Samples) -> Iterator[Samples]:
        """Take int16 samples, any number; yield each full hop, (1280,), valid until the next."""
        while samples.size:
            if not self.filled and self._end + HOP > self._samples.size:
                self._samples[: self._kept] = self._samples[self._end - self._kept : self._end]
                self._end = self._kept
            taken = min(samples.size, HOP - self.filled)
            start = self._end + self.filled
            self._samples[start : start + taken] = samples[:taken]
            self.filled += taken
            samples = samples[taken:]
            if self.filled == HOP:
                self.filled = 0
                self._end += HOP
                self._seen = min(self._seen + 1, self._lookback + 1)
                yield self.current

    @property
    def current(self) -> Samples:
        """The last full hop, (1280,)."""
        return self._samples[self._end - HOP : self._end]

    def back(self, hops: int) -> tuple[Samples, Samples]:
        """Return the context and the samples of the last `hops` + 1 hops, as far as there are."""
        start = self._end - min(hops + 1, self._seen) * HOP
        return self._samples[start - self._context : start], self._samples[start : self._end]
