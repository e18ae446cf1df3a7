"""A WebSocket connection that came through the door, and that does not talk without end."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame
from websockets.protocol import State

from streamser.outputs.door import Bucket, Door
from streamser.outputs.intake import narrow
from streamser.outputs.output import Tally

CHATTER = (1024.0, 16_384.0)
"""Bytes a second, and at once, that a listening client may send, handshake and pongs included."""

FRAMES = (500.0, 2000.0)
"""Frames a second, and at once, that a client who sends audio may send."""

HASTE = 0.5
"""Seconds in which one who is hung up on may read why."""

GULP = 4096
"""Bytes that are looked at before the client is judged again."""


class Guarded(ServerConnection):
    """What comes in is counted, byte by byte or frame by frame, before it is looked at."""

    def __init__(
        self, door: Door, tally: Tally, inside: set[Guarded], *args: Any, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self._door = door
        self._tally = tally
        self._everybody = inside
        self._chatter: Bucket | None = Bucket(*CHATTER)
        self._frames = Bucket(*FRAMES)
        self._inside = False
        self._ending: asyncio.Task[None] | None = None

    def expect_audio(self) -> None:
        """Count frames instead of bytes from now on.

        Audio that nobody takes waits in the network; so do the answers to pings behind it.
        """
        narrow(self.transport)
        self._chatter = None
        self.ping_timeout = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._inside = self._door.enter()
        if self._inside:
            self._everybody.add(self)
            super().connection_made(transport)
        elif isinstance(transport, asyncio.Transport):
            transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._chatter is not None and not self._chatter.take(len(data)):
            self._hang_up("more than a listener may say: audio goes to /audio")
        for begin in range(0, len(data), GULP):
            if self._ending is not None or self.transport.is_closing():
                self.transport.pause_reading()
                return
            super().data_received(data[begin : begin + GULP])

    def process_event(self, event: Any) -> None:
        if isinstance(event, Frame) and not self._frames.take():
            self._hang_up("too many frames: send 100 ms of audio in each")
        else:
            super().process_event(event)

    def _hang_up(self, reason: str) -> None:
        """Say why, unless goodbye is said already, and hear nothing more."""
        if self.protocol.state is State.CONNECTING:
            self.transport.abort()
        elif self._ending is None:
            self._tally.refused += 1
            self.close_timeout = HASTE
            self._ending = self.loop.create_task(self.close(1008, reason))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._inside:
            return
        self._door.leave()
        self._everybody.remove(self)
        if self.response is None or self.response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            self._tally.refused += 1
        super().connection_lost(exc)
