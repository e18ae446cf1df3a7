"""Events as text messages over WebSocket, and audio from clients."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from http import HTTPStatus
from urllib.parse import parse_qs

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Origin

from streamser.analysis.profile import ProfileError
from streamser.config import WebSocket
from streamser.events import Event, to_json
from streamser.log import Log
from streamser.outputs.access import Token, addresses, tls, unavailable
from streamser.outputs.audience import Audience, Seat
from streamser.outputs.door import GRACE, HANDSHAKE, Door, dismiss
from streamser.outputs.guarded import Guarded
from streamser.outputs.hearing import read_end, read_start
from streamser.outputs.intake import LARGEST, Intake
from streamser.outputs.output import Tally
from streamser.streams.pool import Streams, StreamsFullError

PING = 20.0
"""Seconds between two pings, and for each answer: then a silent peer is gone."""

STUCK = 30.0
"""Seconds in which a client has to take something."""

LISTEN, AUDIO = "/", "/audio"
"""Paths: events of this machine's own ear; audio in, and the events of that audio alone."""

BUFFER = 1 << 15
"""Bytes that wait in this process for a slow client, besides its queue."""

_log = Log("websocket")


class WebSocketServer:
    """A client gets the events that tell the present state, then every event as it comes.

    One at `/audio` sends audio instead, and gets the events of that alone.
    """

    name = "websocket"

    def __init__(self, section: WebSocket, streams: Streams) -> None:
        """Raises OutputError."""
        self.tally = Tally()
        self._section = section
        self._token = Token(section)
        self._tls = tls(section)
        self._audience = Audience(section.queue, self.tally)
        self._door = Door(section, self.tally)
        self._streams = streams
        self._intakes: set[Intake] = set()
        self._connections: set[Guarded] = set()
        self._server: Server | None = None

    async def start(self) -> None:
        """Begin to serve. Raises OutputError."""
        quiet = logging.getLogger("streamser.websocket.peers")
        quiet.setLevel(logging.CRITICAL)  # what peers do wrong is counted
        try:
            self._server = await serve(
                self._serve,
                self._section.host,
                self._section.port,
                ssl=self._tls,
                ssl_handshake_timeout=HANDSHAKE if self._tls else None,
                origins=[None, *map(Origin, self._section.origins)],
                process_request=self._admit,
                create_connection=functools.partial(  # type: ignore[arg-type]
                    Guarded, self._door, self.tally, self._connections
                ),
                compression=None,
                server_header=None,
                open_timeout=HANDSHAKE,
                ping_interval=PING,
                ping_timeout=PING,
                close_timeout=GRACE,
                max_size=LARGEST,
                max_queue=4,
                write_limit=BUFFER,
                logger=quiet,
            )
        except OSError as error:
            raise unavailable(self._section, error) from None
        _log.info("open", at=addresses(self._server.sockets), tls=self._tls is not None)

    def publish(self, event: Event, line: str) -> None:
        """Let clients have an event."""
        self._audience.publish(event, line)

    async def stop(self) -> None:
        """Let clients have what waits for them, and close."""
        if self._server is None:
            return
        self._server.close(close_connections=False)
        self._audience.end()
        for intake in self._intakes:
            intake.stop("the server ends")
        deadline = asyncio.get_running_loop().time() + GRACE
        while self.tally.clients and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        for connection in list(self._connections):
            connection.transport.abort()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._server.wait_closed(), GRACE)

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        path, _, query = request.path.partition("?")
        if path not in (LISTEN, AUDIO):
            return connection.respond(HTTPStatus.NOT_FOUND, "there are only / and /audio\n")
        shown = request.headers.get_all("Authorization")
        # A page in a browser can set no header.
        shown += [f"Bearer {token}" for token in parse_qs(query).get("token", ())]
        if not self._token.admits(shown[0] if shown else None):
            return connection.respond(HTTPStatus.UNAUTHORIZED, "show the token\n")
        if path == AUDIO:
            if not self._section.audio:
                off = "no audio is taken: set websocket.audio = true\n"
                return connection.respond(HTTPStatus.NOT_FOUND, off)
            assert isinstance(connection, Guarded)
            connection.expect_audio()
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        if connection.request.path.partition("?")[0] == AUDIO:
            await self._hear(connection)
        else:
            await self._tell(connection)

    async def _tell(self, connection: ServerConnection) -> None:
        seat = self._audience.join()
        minding = asyncio.create_task(_mind(connection, seat))
        try:
            with contextlib.suppress(ConnectionClosed, TimeoutError):
                await _send(connection, seat)
                await connection.close(1001, "the server ends")
        finally:
            minding.cancel()
            self._audience.leave(seat)

    async def _hear(self, connection: ServerConnection) -> None:
        seat = Seat(self._section.queue, self.tally)
        sending = asyncio.create_task(_send(connection, seat))
        hearing = asyncio.create_task(self._hear_out(connection, seat))
        self.tally.clients += 1
        try:
            await asyncio.wait({sending, hearing}, return_when=asyncio.FIRST_COMPLETED)
            with contextlib.suppress(ConnectionClosed, TimeoutError):
                if hearing.done():
                    code, reason = await hearing
                    seat.end()
                    await sending
                    await connection.close(code, reason)
        finally:
            self.tally.clients -= 1
            await dismiss(sending, hearing)

    async def _hear_out(self, connection: ServerConnection, seat: Seat) -> tuple[int, str]:
        """Take a client's audio to its end; return with which code and reason to close."""
        try:
            async with asyncio.timeout(HANDSHAKE):
                start = read_start(await connection.recv())
            intake = Intake(
                self._streams,
                self.name,
                start,
                seat,
                lambda event: [to_json(event)],
                profile=start.profile,
            )
        except TimeoutError:
            return self._refused(1008, f"nothing was said in {HANDSHAKE:g} s")
        except (ValueError, ProfileError) as error:
            return self._refused(1008, str(error))
        except StreamsFullError as error:
            return self._refused(1013, str(error))
        self._intakes.add(intake)
        try:
            while (message := await intake.next(connection.recv)) is not None:
                if isinstance(message, str):
                    read_end(message)
                    await intake.end()
                    return 1000, ""
                await intake.take(message)
        except ValueError as error:
            intake.stop(str(error))
            await intake.over.wait()
            return self._refused(1008, str(error))
        finally:
            intake.abandon()
            self._intakes.remove(intake)
        return 1001, "the session is over"

    def _refused(self, code: int, reason: str) -> tuple[int, str]:
        self.tally.refused += 1
        return code, reason.encode()[:123].decode(errors="ignore")


async def _send(connection: ServerConnection, seat: Seat) -> None:
    """Send what lies in a seat, to its end. Raises ConnectionClosed and TimeoutError."""
    while (line := await seat.take()) is not None:
        async with asyncio.timeout(STUCK):
            await connection.send(line)


async def _mind(connection: ServerConnection, seat: Seat) -> None:
    """Wait until the client goes, or says something, which it should not."""
    with contextlib.suppress(ConnectionClosed):
        await connection.recv()
        await connection.close(1003, "nothing is taken at /: audio goes to /audio")
    seat.end()
