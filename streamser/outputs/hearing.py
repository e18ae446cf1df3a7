"""What a WebSocket client says at /audio: how its samples are laid out, samples, and the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from streamser import strict
from streamser.streams.format import AudioFormat

LONGEST = 4096
"""Characters of a text message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start(AudioFormat):
    """`{"type": "start", "format": "s16le", "rate": 16000, "channels": 1}`, the first message."""

    type: Literal["start"] = "start"
    format: Literal["s16le"]
    profile: str | None = None
    """Who speaks, as `streamser calibrate --profile` was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """`{"type": "end"}`, after the last samples."""

    type: Literal["end"]


def read_start(message: str | bytes) -> Start:
    """Return what the first message says. Raises ValueError with a line for the client."""
    if not isinstance(message, str):
        raise ValueError('begin with {"type": "start", "format": "s16le", "rate": 16000}')
    return strict.read(Start, _parsed(message))


def read_end(message: str) -> None:
    """Check that a later text message is the end. Raises ValueError with a line for the client."""
    strict.read(End, _parsed(message))


def _parsed(message: str) -> dict[str, Any]:
    if len(message) > LONGEST:
        raise ValueError(f"a text message has more than {LONGEST} characters")
    return strict.parse_object(message)
