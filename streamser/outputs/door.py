"""Who may come in: so many at once, so many a second; and that nobody lingers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

from streamser.config import Clients
from streamser.outputs.output import Tally

BURST_SECONDS = 10.0
HANDSHAKE = 5.0
"""Seconds for TLS, for an opening handshake, and for what has to be said first."""

GRACE = 2.0
"""Seconds in which a peer has to take what was written before it is cut off."""

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Bucket:
    """So much a second, and after a pause so many seconds' worth at once."""

    def __init__(
        self, rate: float, burst: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._left = burst
        self._at = clock()

    def take(self, amount: float = 1.0) -> bool:
        """Return whether so much is left, and take it if so."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < amount:
            return False
        self._left -= amount
        return True


class Door:
    """Lets connections in and sees them out. For one event loop's use."""

    def __init__(self, limits: Clients, tally: Tally) -> None:
        rate = limits.connections_per_second
        self._most = limits.clients
        self._bucket = Bucket(rate, max(1.0, rate * BURST_SECONDS))
        self._tally = tally
        self._inside = 0
        self._visits: set[asyncio.Task[None]] = set()

    def enter(self) -> bool:
        """Return whether one more may come in; who did has to `leave`."""
        if self._inside >= self._most or not self._bucket.take():
            self._tally.refused += 1
            return False
        self._inside += 1
        return True

    def leave(self) -> None:
        """One who came in is gone."""
        self._inside -= 1

    def guard(self, handle: Handler) -> Entrance:
        """Return `handle` for those alone who may come in; its connections never linger."""
        return Entrance(self, handle)

    async def receive(
        self, handle: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Have one who knocks handled and seen out, or turn it away."""
        if not self.enter():
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._visits.add(task)
        try:
            with contextlib.suppress(OSError, TimeoutError, EOFError):
                await handle(reader, writer)
            # After a failed handshake it is, and asyncio would never tell when it is closed.
            if not writer.is_closing():
                with contextlib.suppress(OSError, TimeoutError):
                    async with asyncio.timeout(GRACE):
                        writer.close()
                        await writer.wait_closed()
        except asyncio.CancelledError:
            pass  # `close` sees this one out; asyncio would take it for an error
        finally:
            writer.transport.abort()
            self._visits.discard(task)
            self.leave()

    async def close(self) -> None:
        """Wait a little for those inside, then see them out."""
        if self._visits:
            await asyncio.wait(self._visits, timeout=GRACE)
        for visit in self._visits:
            visit.cancel()
        if self._visits:
            await asyncio.wait(self._visits, timeout=GRACE)


class Entrance:
    """A handler behind a door."""

    def __init__(self, door: Door, handle: Handler) -> None:
        self._door = door
        self._handle = handle

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one who may come in."""
        await self._door.receive(self._handle, reader, writer)

    def after(self, welcome: Handler) -> Entrance:
        """Return an entrance where `welcome` comes first, for who came in."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await welcome(reader, writer)
            await self._handle(reader, writer)

        return Entrance(self._door, handle)


async def dismiss(*tasks: asyncio.Task[Any]) -> None:
    """End tasks whose outcome no longer matters."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
