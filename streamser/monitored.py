"""A thread whose death is noticed, whatever it died of."""

from __future__ import annotations

import threading
from collections.abc import Callable

from streamser.log import Log

_log = Log("threads")


class MonitoredThread:
    """Does `work`, and ends with it; one that ends before that has died."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self._work = work
        self._done = False
        self._cause = "its thread ended"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def started(self) -> bool:
        """Whether it was started, even if it has ended since."""
        return self._thread.ident is not None

    def start(self) -> None:
        """Begin, once."""
        self._thread.start()

    def failure(self) -> str | None:
        """Return what it died of, if it did."""
        if not self.started or self._done or self._thread.is_alive():
            return None
        return self._cause

    def join(self, timeout: float) -> None:
        """Wait up to `timeout` seconds for its end, if it runs."""
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # SystemExit, too
            self._cause = f"{type(error).__name__}: {error}"
            _log.error("a thread died", thread=self._thread.name, error=error)
        else:
            self._done = True
