"""The last latencies, in a window of fixed size."""

from __future__ import annotations

import numpy as np

from streamser.events import Latency

WINDOW = 512


class LatencyWindow:
    """Percentiles over the last 512 latencies; memory and cost do not grow."""

    def __init__(self) -> None:
        self._seconds = np.zeros(WINDOW)
        self._count = 0

    def add(self, seconds: float) -> None:
        """Note one latency."""
        self._seconds[self._count % WINDOW] = seconds
        self._count += 1

    def percentiles(self) -> Latency | None:
        """Return p50, p95 and p99 in milliseconds; None before the first latency."""
        if self._count == 0:
            return None
        seconds = np.sort(self._seconds[: min(self._count, WINDOW)])
        ranks = np.array((0.50, 0.95, 0.99)) * (seconds.size - 1)
        # np.percentile would do, but imports numpy.ma: a megabyte.
        p50, p95, p99 = 1e3 * np.interp(ranks, np.arange(seconds.size), seconds)
        return Latency(p50=float(p50), p95=float(p95), p99=float(p99))
