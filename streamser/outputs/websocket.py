"""Events as text messages over WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Origin

from streamser.config import WebSocket
from streamser.events import Event
from streamser.log import Log
from streamser.outputs.access import Token, addresses, tls
from streamser.outputs.audience import Audience, Seat
from streamser.outputs.door import GRACE, Bucket, Door
from streamser.outputs.output import OutputError, Tally

HANDSHAKE = 5.0
"""Seconds for the opening handshake."""

PING = 20.0
"""Seconds between two pings, and for each answer: then a silent peer is gone."""

STUCK = 30.0
"""Seconds in which a client has to take something."""

TALKATIVE = 4096
"""Bytes of the longest message that is looked at, if only to say that none is taken."""

CHATTER = (1024.0, 16_384.0)
"""Bytes a second, and at once, that a client may send, handshake and pongs included."""

BUFFER = 1 << 15
"""Bytes that wait in this process for a slow client, besides its queue."""

_log = Log("websocket")


class WebSocketServer:
    """A client gets the events that tell the present state, then every event as it comes."""

    name = "websocket"

    def __init__(self, section: WebSocket) -> None:
        """Raises OutputError."""
        self.tally = Tally()
        self._section = section
        self._token = Token(section)
        self._tls = tls(section)
        self._audience = Audience(section.queue, self.tally)
        self._door = Door(section, self.tally)
        self._server: Server | None = None

    async def start(self) -> None:
        """Begin to serve. Raises OutputError."""
        quiet = logging.getLogger("streamser.websocket.peers")
        quiet.setLevel(logging.CRITICAL)  # what peers do wrong is counted
        patience: dict[str, Any] = {"ssl_handshake_timeout": HANDSHAKE} if self._tls else {}
        try:
            self._server = await serve(
                self._serve,
                self._section.host,
                self._section.port,
                ssl=self._tls,
                origins=[None, *map(Origin, self._section.origins)],
                process_request=self._admit,
                create_connection=functools.partial(_Guarded, self._door, self.tally),  # type: ignore[arg-type]
                compression=None,
                server_header=None,
                open_timeout=HANDSHAKE,
                ping_interval=PING,
                ping_timeout=PING,
                close_timeout=GRACE,
                max_size=TALKATIVE,
                max_queue=4,
                write_limit=BUFFER,
                logger=quiet,
                **patience,
            )
        except OSError as error:
            where = f"{self._section.host} port {self._section.port}"
            raise OutputError(f"{where}: {error.strerror or error}") from None
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
        deadline = asyncio.get_running_loop().time() + GRACE
        while self.tally.clients and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        for connection in list(self._server.all_connections):
            connection.transport.abort()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._server.wait_closed(), GRACE)

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        path, _, query = request.path.partition("?")
        if path != "/":
            return connection.respond(HTTPStatus.NOT_FOUND, "there is only /\n")
        shown = request.headers.get_all("Authorization")
        # A page in a browser can set no header.
        shown += [f"Bearer {token}" for token in parse_qs(query).get("token", ())]
        if not self._token.admits(shown[0] if shown else None):
            return connection.respond(HTTPStatus.UNAUTHORIZED, "show the token\n")
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        seat = self._audience.join()
        hearing = asyncio.create_task(_hear(connection, seat))
        try:
            with contextlib.suppress(ConnectionClosed, TimeoutError):
                while (line := await seat.take()) is not None:
                    async with asyncio.timeout(STUCK):
                        await connection.send(line)
                await connection.close(1001, "the server ends")
        finally:
            hearing.cancel()
            self._audience.leave(seat)


async def _hear(connection: ServerConnection, seat: Seat) -> None:
    """Wait until the client goes, or says something, which it should not."""
    with contextlib.suppress(ConnectionClosed):
        await connection.recv()
        await connection.close(1003, "nothing is taken from clients")
    seat.end()


class _Guarded(ServerConnection):
    """A connection that came through the door, and that does not talk without end."""

    def __init__(self, door: Door, tally: Tally, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._door = door
        self._tally = tally
        self._chatter = Bucket(*CHATTER)
        self._inside = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._inside = self._door.enter()
        if self._inside:
            super().connection_made(transport)
        elif isinstance(transport, asyncio.Transport):
            transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._chatter.take(len(data)):
            super().data_received(data)
        else:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._inside:
            return
        self._door.leave()
        if self.response is None or self.response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            self._tally.refused += 1
        super().connection_lost(exc)
