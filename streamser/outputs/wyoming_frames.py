"""Frames of the Wyoming protocol: a line of JSON, then maybe more JSON, then maybe a payload.

After https://github.com/OHF-Voice/wyoming (version 1.9 of the protocol).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from streamser import strict
from streamser.outputs.intake import LARGEST
from streamser.streams.format import AudioFormat

VERSION = "1.9.0"

LONGEST = 1 << 14
"""Bytes of a line, and of the JSON after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The line. Raises ValueError."""

    type: str
    data: Mapping[str, Any] = field(default_factory=dict)
    data_length: int = 0
    """Bytes of JSON that follow; its members are added to `data`."""

    payload_length: int = 0
    """Bytes that follow then."""

    def __post_init__(self) -> None:
        if not 0 <= self.data_length <= LONGEST:
            raise ValueError(f"data_length has to be from 0 to {LONGEST}")
        if not 0 <= self.payload_length <= LARGEST:
            raise ValueError(f"payload_length has to be from 0 to {LARGEST}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One event of the protocol."""

    type: str
    data: Mapping[str, Any] = field(default_factory=dict)
    payload: bytes = b""

    @property
    def audio(self) -> AudioFormat:
        """The format that `audio-start` and `audio-chunk` name. Raises ValueError."""
        told = {key: self.data.get(key) for key in ("rate", "width", "channels")}
        for key, value in told.items():
            if not isinstance(value, int) or isinstance(value, bool):
                raise ValueError(f"{self.type}: {key} has to be a whole number")
        if told["width"] != 2:
            raise ValueError(f"{self.type}: width has to be 2, signed 16-bit samples")
        return strict.read(AudioFormat, {key: told[key] for key in ("rate", "channels")})

    @property
    def profile(self) -> str | None:
        """Who speaks, if `audio-start` tells: no field of the protocol's own. Raises ValueError."""
        told = self.data.get("profile")
        if told is not None and not isinstance(told, str):
            raise ValueError(f"{self.type}: profile has to be text")
        return told

    @property
    def timestamp(self) -> int:
        """Milliseconds, 0 where none are told."""
        told = self.data.get("timestamp")
        return told if isinstance(told, int) and abs(told) < 1 << 53 else 0


def read_header(line: bytes) -> Header:
    """Return what a line says; members that are not known are passed over. Raises ValueError."""
    if len(line) > LONGEST:
        raise ValueError(f"a line has more than {LONGEST} bytes")
    told = strict.parse_object(line)
    known = {key: told[key] for key in Header.__slots__ if told.get(key) is not None}
    return strict.read(Header, known)


async def read_frame(reader: asyncio.StreamReader) -> Frame | None:
    """Return the next frame, None at the end. Raises ValueError, and EOFError within a frame."""
    try:
        line = await reader.readuntil(b"\n")
    except asyncio.LimitOverrunError:
        raise ValueError(f"a line has more than {LONGEST} bytes") from None
    except asyncio.IncompleteReadError as end:
        if end.partial:
            raise
        return None
    header = read_header(line)
    data = header.data
    if header.data_length:
        more = strict.parse_object(await reader.readexactly(header.data_length))
        data = {**data, **more}
    payload = await reader.readexactly(header.payload_length)
    return Frame(type=header.type, data=data, payload=payload)


def written(kind: str, data: Mapping[str, Any]) -> str:
    """Return a frame without payload, as one line of JSON without the line's end."""
    frame = {"type": kind, "version": VERSION, "data": data}
    return json.dumps(frame, separators=(",", ":"))
