"""A client's audio on its way into a stream of its own, and its events on their way back."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from streamser.events import Event
from streamser.outputs.audience import Seat
from streamser.streams.format import AudioFormat
from streamser.streams.pace import Pace
from streamser.streams.pool import Streams

LARGEST = 1 << 17
"""Bytes of a client's longest message."""

WAITING = 1 << 16
"""Bytes that wait in the system for a client who is made to wait; the rest waits on its side."""

LEAST = 0.005
"""Seconds of audio that a message counts as, at least: many small ones cost more than few."""

PIECE = 0.1
"""Seconds of a long message that are taken at once: less than a `Feed` has room for until full."""

GLANCE = 0.05
"""Seconds after which is looked again whether more may be taken."""

T = TypeVar("T")

Write = Callable[[Event], Iterable[str]]
"""Returns what a client is sent for an event."""


def narrow(transport: asyncio.BaseTransport) -> None:
    """Have little wait in the system, so that a client that vanishes is soon seen to be gone."""
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WAITING)


class Intake:
    """For one event loop's use; events are written by the thread that analyses."""

    def __init__(
        self,
        streams: Streams,
        kind: str,
        audio: AudioFormat,
        seat: Seat,
        write: Write,
        *,
        profile: str | None = None,
    ) -> None:
        """Open a stream whose events are left in `seat`; `profile` names who speaks.

        Raises StreamsFullError and ProfileError.
        """
        limits = streams.limits
        self.over = asyncio.Event()
        """Set once the last event lies in the seat."""
        self.audio = audio
        self._idle = limits.idle
        self._patience: asyncio.Timeout | None = None
        self._seat = seat
        self._write = write
        self._loop = asyncio.get_running_loop()
        self._pace = Pace(speed=limits.speed, burst=limits.backlog / 2)
        self._stream = streams.open(kind, audio, self._deliver, profile=profile)
        self._deadline = self._loop.time() + self._idle

    async def next(self, read: Callable[[], Awaitable[T]]) -> T | None:
        """Read what the client says next; None when the session is over, if for want of audio."""
        if not self.over.is_set() and self._loop.time() < self._deadline:
            try:
                async with asyncio.timeout_at(self._deadline) as self._patience:
                    return await read()
            except TimeoutError:
                pass
            finally:
                self._patience = None
        self._stream.stop(f"no audio for {self._idle:g} s")
        await self.over.wait()
        return None

    async def take(self, data: bytes) -> None:
        """Take audio, and wait until more may come."""
        piece = max(self.audio.frame, round(PIECE * self.audio.rate) * self.audio.frame)
        for begin in range(0, len(data) or 1, piece):
            part = data[begin : begin + piece]
            self._pace.add(max(LEAST, self.audio.seconds(len(part))))
            self._stream.put(part)
            while not self.over.is_set() and (delay := self._delay):
                await asyncio.sleep(min(delay, GLANCE))
        if data:
            self._deadline = self._loop.time() + self._idle

    @property
    def _delay(self) -> float:
        return self._pace.delay(full=self._stream.feed.full)

    async def end(self) -> None:
        """No more audio will come; wait for the last event."""
        self._stream.end()
        await self.over.wait()

    def stop(self, reason: str) -> None:
        """End the session, for a reason that its last event tells."""
        self._stream.stop(reason)

    def abandon(self) -> None:
        """The client is gone."""
        self._stream.abandon()

    def _deliver(self, events: Sequence[Event], last: bool) -> None:
        lines = [line for event in events for line in self._write(event)]
        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody is there
            self._loop.call_soon_threadsafe(self._leave, lines, last)

    def _leave(self, lines: Sequence[str], last: bool) -> None:
        for line in lines:
            self._seat.put(line)
        if last:
            self.over.set()
            if self._patience is not None:
                with contextlib.suppress(RuntimeError):  # it ran out just now
                    self._patience.reschedule(self._loop.time())
