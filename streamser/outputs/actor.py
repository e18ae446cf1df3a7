"""An output on a thread of its own: however slow it is, it holds nothing up."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from streamser.monitored import MonitoredThread
from streamser.outputs.mailbox import Mailbox
from streamser.outputs.output import Tally

CLOSE_TIMEOUT = 2.0

T = TypeVar("T")


class Actor(ABC, Generic[T]):
    """A thread that a mailbox feeds."""

    name: str

    def __init__(self, waiting: int) -> None:
        """`waiting` items have room; then the oldest is dropped and counted."""
        self.tally = Tally()
        self._mailbox: Mailbox[T] = Mailbox(waiting, self._wake)
        self._something = threading.Event()
        self._closing = False
        self._thread = MonitoredThread(self.name, self._run)

    def failure(self) -> str | None:
        """Return why the thread cannot go on, if so."""
        return self._thread.failure()

    def close(self) -> None:
        """Let the thread deal with what waits, and end."""
        self._closing = True
        self._wake()
        self._thread.join(CLOSE_TIMEOUT)

    @abstractmethod
    def _run(self) -> None:
        """Deal with what comes until `_closing`, and with what waits then. For the thread."""

    def _put(self, item: T) -> None:
        """Leave an item for the thread; never waits."""
        if self._mailbox.put(item) is not None:
            self.tally.lost += 1

    def _wait(self, timeout: float | None = None) -> None:
        """Wait until something came, at most `timeout` seconds."""
        self._something.wait(timeout)
        self._something.clear()

    def _wake(self) -> None:
        self._something.set()
