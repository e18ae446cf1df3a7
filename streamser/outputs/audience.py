"""Those who listen to a server's events, each with a queue that does not grow."""

from __future__ import annotations

import asyncio
from collections import deque

from streamser.events import Event
from streamser.outputs.output import Tally
from streamser.outputs.snapshot import Snapshot


class Seat:
    """One client's queue. When it is full, the oldest line is dropped and counted."""

    def __init__(self, size: int, tally: Tally) -> None:
        self._lines: deque[str] = deque(maxlen=size)
        self._tally = tally
        self._something = asyncio.Event()
        self._over = False

    def put(self, line: str) -> None:
        """Leave a line; never waits."""
        self._tally.lost += len(self._lines) == self._lines.maxlen
        self._lines.append(line)
        self._something.set()

    def end(self) -> None:
        """Nothing more will come."""
        self._over = True
        self._something.set()

    async def take(self) -> str | None:
        """Wait for the next line; None after the last one."""
        while not self._lines:
            if self._over:
                return None
            self._something.clear()
            await self._something.wait()
        return self._lines.popleft()


class Audience:
    """All clients of one server. For one event loop's use."""

    def __init__(self, queue: int, tally: Tally) -> None:
        self._queue = queue
        self._tally = tally
        self._seats: set[Seat] = set()
        self._snapshot = Snapshot()

    def join(self) -> Seat:
        """Return a seat where the present state already lies."""
        seat = Seat(self._queue, self._tally)
        for _, line in self._snapshot.events():
            seat.put(line)
        self._seats.add(seat)
        self._tally.clients += 1
        return seat

    def leave(self, seat: Seat) -> None:
        """Forget a seat, if it is there."""
        if seat in self._seats:
            self._seats.remove(seat)
            self._tally.clients -= 1

    def publish(self, event: Event, line: str) -> None:
        """Let everybody have an event."""
        self._snapshot.push(event, line)
        for seat in self._seats:
            seat.put(line)

    def end(self) -> None:
        """Let everybody go once they have what waits for them."""
        for seat in self._seats:
            seat.end()
