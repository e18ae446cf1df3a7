"""PulseAudio's native protocol in bytes, as far as a microphone needs it; PipeWire speaks it too.

Version 13 of the file PROTOCOL in PulseAudio's sources; every later server understands it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

VERSION = 13

ERROR, REPLY = 0, 2
CREATE_RECORD_STREAM, AUTH, SET_CLIENT_NAME = 5, 8, 9
GET_SERVER_INFO, GET_SOURCE_INFO, GET_SOURCE_INFO_LIST = 20, 23, 24
RECORD_STREAM_KILLED = 65

NONE = 0xFFFFFFFF
"""No index; a size that the server chooses; the channel of what is no audio."""

FRAME = struct.Struct(">IIqI")
"""Before every frame: bytes that follow, channel, bytes that are missing before it, flags."""

SOURCE_FIELDS = 15
"""Values that describe a source: index, name, description, (format, channels, rate), ..."""

COOKIE_BYTES = 256
S16LE = 3
MONO = b"m\x01\x00"

Value = int | bool | str | bytes | None | tuple[int, ...] | dict[str, bytes]


def u32(value: int) -> bytes:
    return struct.pack(">cI", b"L", value)


def text(value: str | None) -> bytes:
    return b"N" if value is None else b"t" + value.encode() + b"\0"


def flag(value: bool) -> bytes:
    return b"1" if value else b"0"


def opaque(value: bytes) -> bytes:
    return struct.pack(">cI", b"x", len(value)) + value


def mono(rate: int) -> bytes:
    """Int16 samples of one channel: their format and where the channel lies."""
    return struct.pack(">cBBI", b"a", S16LE, 1, rate) + MONO


def properties(values: Mapping[str, str]) -> bytes:
    pairs = ((text(key), value.encode() + b"\0") for key, value in values.items())
    return b"P" + b"".join(key + u32(len(value)) + opaque(value) for key, value in pairs) + b"N"


def frame(payload: bytes) -> bytes:
    """Return what is said about no stream as it goes through the socket."""
    return FRAME.pack(len(payload), NONE, 0, 0) + payload


def values(payload: bytes) -> list[Value]:
    """Return what was told, one value after another.

    Raises ValueError where it is not of the protocol.
    """
    try:
        return _Told(payload).all()
    except struct.error as error:
        raise ValueError(f"no tag structure: {error}") from None


class _Told:
    def __init__(self, payload: bytes) -> None:
        self._payload, self._at = payload, 0

    def all(self) -> list[Value]:
        found: list[Value] = []
        while self._at < len(self._payload):
            found.append(self._value())
        return found

    def _value(self) -> Value:
        tag = self._payload[self._at : self._at + 1]
        self._at += 1
        match tag:
            case b"L" | b"V":
                return self._number("I")
            case b"B":
                return self._number("B")
            case b"U" | b"R":
                return self._number("Q")
            case b"r":
                return self._number("q")
            case b"t":
                return self._text()
            case b"N":
                return None
            case b"1":
                return True
            case b"0":
                return False
            case b"a":
                return self._take("BBI")
            case b"m":
                return self._take(f"{self._number('B')}B")
            case b"v":
                return self._take(f"{self._number('B')}I")
            case b"T":
                return self._take("II")
            case b"x":
                return self._bytes()
            case b"P":
                return self._properties()
            case _:
                raise ValueError(f"no tag {tag!r}")

    def _properties(self) -> dict[str, bytes]:
        found = {}
        while self._ahead(b"t"):
            key = self._text()
            if not (self._ahead(b"L") and self._take("I") and self._ahead(b"x")):
                raise ValueError(f"no value of the property {key}")
            found[key] = self._bytes()
        if not self._ahead(b"N"):
            raise ValueError("properties without an end")
        return found

    def _ahead(self, tag: bytes) -> bool:
        """Pass over this tag, if it comes next."""
        found = self._payload.startswith(tag, self._at)
        self._at += found
        return found

    def _take(self, layout: str) -> tuple[int, ...]:
        taken: tuple[int, ...] = struct.unpack_from(f">{layout}", self._payload, self._at)
        self._at += struct.calcsize(f">{layout}")
        return taken

    def _number(self, layout: str) -> int:
        return self._take(layout)[0]

    def _text(self) -> str:
        end = self._payload.find(b"\0", self._at)
        if end < 0:
            raise ValueError("a text without an end")
        told = self._payload[self._at : end].decode(errors="replace")
        self._at = end + 1
        return told

    def _bytes(self) -> bytes:
        size = self._number("I")
        told = self._payload[self._at : self._at + size]
        if len(told) < size:
            raise ValueError("bytes without an end")
        self._at += size
        return told
