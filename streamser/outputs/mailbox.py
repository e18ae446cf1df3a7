"""From one thread to another, without waiting and without growing."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from streamser.hang import HangWatch

T = TypeVar("T")


class Mailbox(Generic[T]):
    """When it is full, the oldest item is dropped."""

    def __init__(
        self,
        size: int,
        wake: Callable[[], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`wake` is called, by who puts, when the first item lies in the empty box."""
        self._items: deque[T] = deque(maxlen=size)
        self._lock = threading.Lock()
        self._wake = wake
        self._unread = HangWatch(clock=clock)

    def put(self, item: T) -> T | None:
        """Leave an item; return the one that was dropped for it, if any."""
        with self._lock:
            first = not self._items
            if first:
                self._unread.begin()
            full = len(self._items) == self._items.maxlen
            dropped = self._items[0] if full else None
            self._items.append(item)
        if first:
            self._wake()
        return dropped

    def take(self) -> list[T]:
        """Return all items, the oldest first, and leave none."""
        with self._lock:
            items = list(self._items)
            self._items.clear()
            self._unread.end()
        return items

    def unread(self) -> float:
        """Return for how many seconds nobody was seen to take anything; see `HangWatch.look`."""
        return self._unread.look()
