"""No thread dies alone, and none hangs for ever: the whole process ends, with a reason."""

from __future__ import annotations

import os
import threading

from streamser.log import Log
from streamser.monitored import MonitoredThread

TICK = 5.0
TICKS = 12
"""Seconds between two looks, and how many of them in a row have to see no turn."""

HUNG = 1
"""Exit code of a process whose main thread hangs."""

_log = Log("supervisor")


class Supervisor:
    """Looks after the main thread, which says that it takes its turns, and mourns all others."""

    def __init__(self) -> None:
        self._failure: str | None = None
        self._turns = 0
        self._over = threading.Event()
        self._thread = MonitoredThread("supervisor", self._watch)

    def start(self) -> None:
        """Begin to look."""
        threading.excepthook = self._mourn
        self._thread.start()

    def failure(self) -> str | None:
        """Return why all has to end, once a thread has died."""
        if (cause := self._thread.failure()) is not None:
            return f"the thread supervisor died: {cause}"
        return self._failure

    def turn(self) -> None:
        """Note that the main thread took another turn."""
        self._turns += 1

    def stop(self) -> None:
        """Look no more."""
        self._over.set()

    def _mourn(self, death: threading.ExceptHookArgs) -> None:
        name = death.thread.name if death.thread is not None else "unknown"
        _log.error("a thread died", thread=name, error=death.exc_value)
        self._failure = f"the thread {name} died"

    def _watch(self) -> None:
        # Looks are counted, not seconds: a process that was suspended as a whole does not hang.
        seen, still = -1, 0
        while not self._over.wait(TICK):
            still = still + 1 if seen == self._turns else 0
            seen = self._turns
            if still >= TICKS:
                self._end(f"the main thread hangs since {still * TICK:.0f} s")

    def _end(self, reason: str) -> None:
        """End at once; what hangs would hold up anything kinder, the last words too."""
        words = threading.Thread(
            target=_log.error, args=("ending",), kwargs={"reason": reason}, daemon=True
        )
        words.start()
        words.join(1.0)
        os._exit(HUNG)
