"""A connection to the sound server: PulseAudio, or PipeWire in its place."""

from __future__ import annotations

import math
import os
import select
import socket
import time

from streamser.audio.capture import FROZEN, OPEN_TIMEOUT
from streamser.audio.devices import Device
from streamser.audio.nativeprotocol import (
    AUTH,
    CREATE_RECORD_STREAM,
    ERROR,
    FRAME,
    GET_SERVER_INFO,
    GET_SOURCE_INFO,
    GET_SOURCE_INFO_LIST,
    NONE,
    RECORD_STREAM_KILLED,
    REPLY,
    SET_CLIENT_NAME,
    SOURCE_FIELDS,
    VERSION,
    Value,
    flag,
    frame,
    mono,
    opaque,
    properties,
    text,
    u32,
    values,
)
from streamser.audio.serveraddress import Address, addresses, cookie
from streamser.audio.source import SAMPLE_RATE, SourceError

ROOM = 1 << 17
"""Bytes that are taken out of the socket at once, and the longest frame that is understood: two
seconds of audio and their frames, twice over. Memory that nothing came into costs nothing."""


class NoServerError(SourceError):
    """No sound server runs, or it has no microphone."""


class ServerLink:
    """One client of the server, without a thread: what comes waits in the socket until a turn."""

    def __init__(self) -> None:
        """Connect. Raises NoServerError, and SourceError when the server does not answer."""
        self.audio: list[bytes] = []
        """What came of a stream and was not taken yet: int16 samples, piece by piece."""

        self.missing = 0
        """Samples that the server says it lost."""

        self.ended = False
        """Whether nothing comes any more: the server went, or took the stream away."""

        self._deadline = time.monotonic() + OPEN_TIMEOUT
        self._room = bytearray(ROOM)
        self._view = memoryview(self._room)
        self._filled = 0
        self._asked = 0
        self._answers: dict[int, list[Value] | None] = {}
        self._socket = _connected(addresses(), self._deadline)
        self._ready = select.poll()
        self._ready.register(self._socket, select.POLLIN)
        try:
            self._ask(AUTH, u32(VERSION), opaque(cookie()))
            self._ask(
                SET_CLIENT_NAME,
                properties(
                    {"application.name": "streamser", "application.process.id": str(os.getpid())}
                ),
            )
        except SourceError:
            self.close()
            raise

    def record(self, key: str | None, *, piece: int) -> str:
        """Begin a stream of a source, at 16 kHz and mono; return what the server calls the source.

        `key` None is the default one, which the server may change; `piece` is the samples that are
        wanted at once. Raises NoServerError where there is no such source, and SourceError.
        """
        no_remap = no_remix = fix_format = fix_rate = fix_channels = variable_rate = flag(False)
        corked = peaks = flag(False)
        told = self._ask(
            CREATE_RECORD_STREAM,
            *(mono(SAMPLE_RATE), u32(NONE), text(key), u32(NONE), corked, u32(2 * piece)),
            *(no_remap, no_remix, fix_format, fix_rate, fix_channels),
            *(flag(key is not None), variable_rate, peaks, flag(True)),
            *(properties({"media.name": "microphone"}), u32(NONE)),
            least=8,
        )
        return str(told[7])

    def name_of(self, key: str) -> str:
        """Return what people call the source that the server calls `key`. Raises SourceError."""
        return _device(self._ask(GET_SOURCE_INFO, u32(NONE), text(key), least=SOURCE_FIELDS)).name

    def sources(self) -> list[Device]:
        """Return all microphones, and what the loudspeakers play. Raises SourceError."""
        default = self._ask(GET_SERVER_INFO, least=7)[6]
        told = self._ask(GET_SOURCE_INFO_LIST)
        starts = range(0, len(told) - SOURCE_FIELDS + 1, SOURCE_FIELDS)
        return [_device(told[at : at + SOURCE_FIELDS], default) for at in starts]

    def turn(self, timeout: float) -> bool:
        """Deal with what has come, or comes within so many seconds; return whether anything had."""
        if self.turn_all():
            return True
        self._ready.poll(math.ceil(1e3 * timeout))
        return self.turn_all()

    @property
    def local(self) -> bool:
        """Whether the server is on this machine: a network may be late for as long as it likes."""
        return self._socket.family == socket.AF_UNIX

    def turn_all(self) -> bool:
        """Deal with all that has come; return whether anything had."""
        came = False
        while not self.ended:
            try:
                size = self._socket.recv_into(self._view[self._filled :])
            except BlockingIOError:
                break
            except OSError:
                size = 0
            came = True
            self._filled += size
            more = self._filled == ROOM
            if size == 0 or not self._frames():
                self.ended = True
            if not more:
                break
        return came

    def close(self) -> None:
        """Go."""
        self._socket.close()

    def _ask(self, command: int, *fields: bytes, least: int = 0) -> list[Value]:
        """Return the answer's values, `least` or more.

        Raises NoServerError where the answer is no, or none, and SourceError.
        """
        self._asked += 1
        try:
            self._socket.sendall(frame(u32(command) + u32(self._asked) + b"".join(fields)))
        except BlockingIOError:
            raise SourceError(FROZEN) from None
        except OSError:
            self.ended = True
        while self._asked not in self._answers and not self.ended:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise SourceError(FROZEN)
            self.turn(left)
        answer = self._answers.pop(self._asked, None)
        if answer is None or len(answer) < least:
            raise NoServerError("there is no sound server that has a microphone")
        return answer

    def _frames(self) -> bool:
        """Deal with the whole frames that came; return whether all are of the protocol."""
        at = 0
        while self._filled - at >= FRAME.size:
            size, channel, missing, _ = FRAME.unpack_from(self._room, at)
            begin, end = at + FRAME.size, at + FRAME.size + size
            if end > self._filled:
                break
            piece = bytes(self._view[begin:end])
            if channel == NONE:
                self._hear(piece)
            elif size % 2 or missing < 0:
                return False
            elif size:
                self.missing += missing // 2
                self.audio.append(piece)
            at = end
        self._room[: self._filled - at] = self._room[at : self._filled]
        self._filled -= at
        return self._filled < ROOM

    def _hear(self, payload: bytes) -> None:
        try:
            command, tag, *told = values(payload)
        except ValueError:
            self.ended = True
            return
        if command in (REPLY, ERROR) and isinstance(tag, int):
            self._answers[tag] = told if command == REPLY else None
        elif command == RECORD_STREAM_KILLED:
            self.ended = True


def server_devices() -> list[Device]:
    """Return what the sound server can be heard from; nothing where none runs.

    Raises SourceError when it does not answer.
    """
    try:
        link = ServerLink()
    except NoServerError:
        return []
    try:
        return link.sources()
    finally:
        link.close()


def _connected(places: list[Address], deadline: float) -> socket.socket:
    """A socket at the first of these places where a server listens."""
    for place in places:
        left = max(0.01, deadline - time.monotonic())
        try:
            found = _connect(place, left)
        except TimeoutError:
            raise SourceError(FROZEN) from None
        except (OSError, UnicodeError):  # as well for what can be no host's name
            continue
        found.setblocking(False)
        return found
    raise NoServerError("there is no sound server that has a microphone")


def _connect(place: Address, timeout: float) -> socket.socket:
    if place.host:
        return socket.create_connection((place.host, place.port), timeout)
    found = socket.socket(socket.AF_UNIX)
    try:
        found.settimeout(timeout)
        found.connect(place.path)
    except OSError:
        found.close()
        raise
    return found


def _device(told: list[Value], default: Value = None) -> Device:
    """The device that a source's values describe."""
    _, key, description, layout, *_ = told
    channels, rate = layout[1:] if isinstance(layout, tuple) else (1, SAMPLE_RATE)
    return Device(
        number=None,
        name=" ".join(str(description or key).split()),
        api="sound server",
        channels=channels,
        rate=rate,
        default=key == default,
        key=str(key),
    )
