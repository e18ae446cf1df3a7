"""What this process takes from the machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path


class CpuShare:
    """The share of one core that this process used since it was last asked."""

    def __init__(
        self, clock: Callable[[], float], cpu_time: Callable[[], float] = time.process_time
    ) -> None:
        self._clock = clock
        self._cpu_time = cpu_time
        self._at = clock()
        self._used = cpu_time()

    def since_last(self) -> float:
        """Return the share; 1 is a whole core, 0 when no time has passed."""
        at, used = self._clock(), self._cpu_time()
        elapsed, spent = at - self._at, used - self._used
        self._at, self._used = at, used
        return spent / elapsed if elapsed > 0 else 0.0


def resident_mb() -> float | None:
    """Return the resident memory of this process in 10^6 bytes; None where Linux does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
