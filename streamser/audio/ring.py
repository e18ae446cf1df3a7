"""A ring buffer between the audio callback and the thread that reads."""

from __future__ import annotations

import contextlib
import sys
import threading
import time

import numpy as np
from numpy.typing import NDArray

from streamser.audio.source import Samples

_NEVER = sys.maxsize


class RingBuffer:
    """Int16 samples from one producer thread to one consumer thread; neither waits for the other.

    Overrun rule: the newest samples stay. A full ring is overwritten from its oldest sample on; the
    consumer finds out at its next `read`, counts what it lost and goes on behind the gap.

    Positions are counts of samples since the start and only grow; each has one writer. The producer
    claims what it is about to overwrite before it copies, so a consumer that was copying the same
    samples meanwhile can tell which of them are torn, and count those as lost.
    """

    def __init__(self, capacity: int) -> None:
        """`capacity` in samples, at least 1."""
        self.capacity = capacity
        self.closed = False
        """Whether the producer will write no more."""
        self.dropped = 0
        """Samples lost so far, as of the last `read`."""
        self.overruns = 0
        """How often samples were lost, as of the last `read`."""
        self._data = np.zeros(capacity, dtype=np.int16)
        self._claimed = 0  # the producer's
        self._written = 0  # the producer's
        self._taken = 0  # the consumer's
        self._wanted = _NEVER  # the consumer's: the position that it waits for
        self._bell = threading.Lock()  # free: rung; the producer frees it, the consumer takes it
        self._bell.acquire()

    @property
    def waiting(self) -> int:
        """Samples that a `read` would find."""
        return min(self._written - self._taken, self.capacity)

    def write(self, samples: NDArray[np.int16]) -> None:
        """Append int16 samples of shape (n,), any n. Producer only; never waits, never raises."""
        end = self._written + len(samples)
        self._claimed = end
        kept = samples[-self.capacity :]
        start = (end - len(kept)) % self.capacity
        head = self.capacity - start
        self._data[start : start + len(kept)] = kept[:head]
        if head < len(kept):
            self._data[: len(kept) - head] = kept[head:]
        self._written = end
        if end >= self._wanted:
            self._ring_bell()

    def close(self) -> None:
        """Tell the consumer that nothing more will come, and wake it."""
        self.closed = True
        self._ring_bell()

    def read(self, most: int | None = None) -> Samples:
        """Return a copy of the samples that wait, shape (n,), the oldest `most` of them if given.

        Consumer only; never waits.
        """
        written = self._written
        first = max(self._taken, written - self.capacity)
        if most is not None:
            written = min(written, first + most)
        start = first % self.capacity
        out = self._data[start : start + written - first].copy()
        if rest := written - first - len(out):
            out = np.concatenate([out, self._data[:rest]])
        whole = min(max(first, self._claimed - self.capacity), written)
        if lost := whole - self._taken:
            self.dropped += lost
            self.overruns += 1
        self._taken = written
        return out[whole - first :]

    def wait(self, amount: int, timeout: float) -> bool:
        """Wait up to `timeout` seconds for `amount` samples; return whether so many wait.

        Consumer only. The producer rings only once the amount is there, or when it closes.
        """
        deadline = time.monotonic() + timeout
        self._bell.acquire(blocking=False)  # a ring for an earlier wait
        self._wanted = self._taken + amount
        while self._written < self._wanted and not self.closed:
            left = deadline - time.monotonic()
            if left <= 0 or not self._bell.acquire(timeout=left):
                break
        self._wanted = _NEVER
        return self._written - self._taken >= amount

    def _ring_bell(self) -> None:
        if self._bell.locked():
            with contextlib.suppress(RuntimeError):  # closed and written at once: rung already
                self._bell.release()
