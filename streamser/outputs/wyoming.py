"""Wyoming clients send audio, and get the events of each stream as `user-event`."""

from __future__ import annotations

import asyncio
import contextlib

from streamser.config import Wyoming
from streamser.events import Event
from streamser.log import Log
from streamser.outputs.access import Token, addresses, listen, tls
from streamser.outputs.audience import Seat
from streamser.outputs.door import GRACE, HANDSHAKE, Door, dismiss
from streamser.outputs.intake import LARGEST, narrow
from streamser.outputs.output import Tally
from streamser.outputs.wyoming_talk import PAUSE, Talk
from streamser.streams.pool import Streams

STUCK = 30.0
"""Seconds in which a client has to take something."""

BUFFER = 1 << 15
"""Bytes that wait in this process for a slow client, besides its queue."""

_log = Log("wyoming")


class WyomingServer:
    """`describe`, `audio-start`, `audio-chunk`, `audio-stop` and `ping` are understood."""

    name = "wyoming"

    def __init__(self, section: Wyoming, streams: Streams) -> None:
        """Raises OutputError."""
        self.tally = Tally()
        self._section = section
        self._token = Token(section)
        self._tls = tls(section)
        self._door = Door(section, self.tally)
        self._streams = streams
        self._talks: set[Talk] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to serve. Raises OutputError."""
        handle = self._door.guard(self._serve)
        self._server = await listen(
            self._section, handle, tls=self._tls, handshake=HANDSHAKE, limit=LARGEST
        )
        _log.info("open", at=addresses(self._server.sockets), tls=self._tls is not None)

    def publish(self, event: Event, line: str) -> None:
        """Events of this machine's own ear are not for these clients."""

    async def stop(self) -> None:
        """Let clients have what waits for them, and close."""
        if self._server is None:
            return
        self._server.close()
        for talk in self._talks:
            talk.stop("the server ends")
        await self._door.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        narrow(writer.transport)
        writer.transport.set_write_buffer_limits(high=BUFFER)
        seat = Seat(self._section.queue, self.tally)
        talk = Talk(reader, seat, self._token, self._streams)
        sending = asyncio.create_task(_send(writer, seat))
        talking = asyncio.create_task(talk.run())
        self._talks.add(talk)
        self.tally.clients += 1
        try:
            await asyncio.wait({sending, talking}, return_when=asyncio.FIRST_COMPLETED)
            if talking.done():
                refused = await talking
                seat.end()
                await sending
                if refused:
                    self.tally.refused += 1
                    await _linger(reader, writer)
        finally:
            self.tally.clients -= 1
            self._talks.remove(talk)
            await dismiss(sending, talking)


async def _send(writer: asyncio.StreamWriter, seat: Seat) -> None:
    """Send what lies in a seat, to its end. Raises OSError and TimeoutError."""
    with contextlib.suppress(OSError, TimeoutError):
        while (line := await seat.take()) is not None:
            writer.write(line.encode() + b"\n")
            async with asyncio.timeout(STUCK):
                await writer.drain()


async def _linger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Let a client who still sends read why it was refused; a reset would take that from it."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(GRACE):
            if writer.can_write_eof():
                writer.write_eof()
            while await reader.read(LARGEST):
                await asyncio.sleep(PAUSE)
