"""Events as JSON Lines on a Unix socket, for this user alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path

from streamser.config import UnixSocket
from streamser.events import Event
from streamser.log import Log
from streamser.outputs.audience import Audience, Seat
from streamser.outputs.door import Door
from streamser.outputs.output import OutputError, Tally

STUCK = 30.0
"""Seconds in which a client has to take something."""

BUFFER = 1 << 15
"""Bytes that wait in this process for a slow client, besides its queue."""

_log = Log("socket")


class UnixServer:
    """A client gets the events that tell the present state, then every event as it comes."""

    name = "socket"

    def __init__(self, section: UnixSocket, environment: Mapping[str, str] = os.environ) -> None:
        """Raises OutputError when nobody says where the socket may lie."""
        self.tally = Tally()
        self.path = _path(section.path, environment)
        self._audience = Audience(section.queue, self.tally)
        self._door = Door(section, self.tally)
        self._server: asyncio.Server | None = None
        self._inode = 0

    async def start(self) -> None:
        """Begin to serve. Raises OutputError."""
        try:
            bound = _bind(self.path)
        except OSError as error:
            raise OutputError(f"{self.path}: {error.strerror or error}") from None
        self._inode = self.path.stat().st_ino
        self._server = await asyncio.start_unix_server(self._door.guard(self._serve), sock=bound)
        _log.info("open", path=self.path)

    def publish(self, event: Event, line: str) -> None:
        """Let clients have an event."""
        self._audience.publish(event, line)

    async def stop(self) -> None:
        """Let clients have what waits for them, and remove the socket."""
        if self._server is None:
            return
        self._server.close()
        self._audience.end()
        await self._door.close()
        with contextlib.suppress(OSError):
            if self.path.stat().st_ino == self._inode:
                self.path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=BUFFER)
        seat = self._audience.join()
        _log.debug("client came", clients=self.tally.clients)
        hearing = asyncio.create_task(_hear(reader, seat))
        try:
            while (line := await seat.take()) is not None:
                writer.write(line.encode() + b"\n")
                async with asyncio.timeout(STUCK):
                    await writer.drain()
        finally:
            hearing.cancel()
            self._audience.leave(seat)
            _log.debug("client left", clients=self.tally.clients)


async def _hear(reader: asyncio.StreamReader, seat: Seat) -> None:
    """Let a client go that says something. One that only closed its side still listens."""
    with contextlib.suppress(OSError):
        if not await reader.read(1):
            return
    seat.end()


def _path(path: str | None, environment: Mapping[str, str]) -> Path:
    if path is not None:
        return Path(path)
    if folder := environment.get("RUNTIME_DIRECTORY", "").partition(":")[0]:
        return Path(folder) / "events.sock"
    if folder := environment.get("XDG_RUNTIME_DIR", ""):
        return Path(folder) / "streamser" / "events.sock"
    raise OutputError("there is no $XDG_RUNTIME_DIR: set socket.path")


def _bind(path: Path) -> socket.socket:
    """Return a socket bound to `path`; nobody can connect before its mode is right."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OutputError(f"{path}: is there, and no socket; remove it")
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1.0)
            if probe.connect_ex(str(path)) == 0:
                raise OutputError(f"{path}: another program serves there")
        path.unlink()
    bound = socket.socket(socket.AF_UNIX)
    try:
        bound.bind(str(path))
        path.chmod(0o600)
    except OSError:
        bound.close()
        raise
    return bound
