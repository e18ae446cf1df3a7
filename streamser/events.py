"""What the world hears: frozen events, one JSON object each (schema version 1)."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal, TypedDict, TypeVar

SCHEMA_VERSION = 1

Status = Literal["warming_up", "provisional", "steady", "unknown"]
Trigger = Literal["interval", "speech_ended"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Fields that every event carries."""

    type: ClassVar[str]

    t: float
    """Seconds of audio since the start of the session, at the end of the evidence."""

    seq: int = 0
    """Position in the session, from 0, without gaps."""

    time: str | None = None
    """Wall time of `t` as ISO 8601 UTC; None where the session has no start time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """Which network speaks."""

    name: str
    version: str
    sha256: str
    """Of the bundle's manifest, which in turn holds the sums of its networks."""

    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStarted(Event):
    """The first event of every session."""

    type: ClassVar[str] = "session.started"

    schema: int = SCHEMA_VERSION
    version: str
    """Version of streamser."""

    model: ModelInfo
    source: str
    sample_rate: int
    """Hertz, as the source delivers it."""

    profile: str | None = None
    """Whose ordinary voice the scores are held against; None for nobody's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechStarted(Event):
    """The voice gate opened."""

    type: ClassVar[str] = "speech.started"

    utterance: int
    """Number of the utterance in the session, from 0."""

    start: float
    """Seconds; before `t` by the time that the onset needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emotion(Event):
    """What the utterance sounds like, given all of it heard so far."""

    type: ClassVar[str] = "emotion"

    utterance: int
    start: float
    """Seconds; where the evidence begins."""

    end: float
    """Seconds; where the evidence ends."""

    status: Status
    label: str | None
    """None unless the status is provisional or steady."""

    confidence: float
    """Calibrated probability of what the verdict rests on: the label, or whatever is likeliest."""

    scores: Mapping[str, float]
    """Probability of each label of the network; they sum to 1."""

    valence: float
    """Projected from the scores, -1 (unpleasant) to 1 (pleasant)."""

    arousal: float
    """Projected from the scores, -1 (calm) to 1 (excited)."""

    trigger: Trigger = "interval"


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance(Emotion):
    """The verdict over a whole utterance; exactly one for each `speech.started`."""

    type: ClassVar[str] = "utterance"

    trigger: Trigger = "speech_ended"
    speech_seconds: float
    """Seconds of voiced evidence within the utterance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Milliseconds from the last sample of the evidence to the finished event."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Health(Event):
    """How well the session keeps up."""

    type: ClassVar[str] = "health"

    lag_s: float
    """Seconds of audio that wait to be analysed."""

    overruns: int
    """How often audio was lost since the start of the session."""

    dropped_s: float
    """Seconds of audio lost since the start of the session."""

    level_dbfs: float | None
    """Level of the last hop; None for digital silence."""

    latency_ms: Latency | None
    """None before the first hop."""

    cpu: float
    """Share of one core that the process used since the last report."""

    rss_mb: float | None
    """Resident memory of the process; None where the system does not tell."""

    speech: bool
    """Whether the voice gate is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLost(Event):
    """No audio comes from the source any more; it is being looked for."""

    type: ClassVar[str] = "source.lost"

    source: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRestored(Event):
    """Audio comes again."""

    type: ClassVar[str] = "source.restored"

    source: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded(Event):
    """The last event of every session."""

    type: ClassVar[str] = "session.ended"

    reason: str


E = TypeVar("E", bound=Event)


class Stamp(TypedDict):
    """What places an event in its session."""

    t: float
    seq: int
    time: str | None


class Session:
    """Numbers the events of one session and gives them wall time.

    Wall time is the session's start plus the sample clock; who sets `started` keeps it true.
    """

    def __init__(self, *, started: datetime | None = None) -> None:
        self.started = started
        self._next = 0

    def stamp(self, event: E) -> E:
        """Return `event` with its `seq` and `time`."""
        return dataclasses.replace(event, **self.next(event.t))

    def next(self, t: float) -> Stamp:
        """Return the stamp of the next event, which is of sample clock `t`."""
        time = None
        if self.started is not None:
            at = (self.started + timedelta(seconds=t)).astimezone(UTC)
            time = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        stamp: Stamp = {"t": t, "seq": self._next, "time": time}
        self._next += 1
        return stamp


def as_dict(event: Event) -> dict[str, Any]:
    """Return the plain types of the JSON object, `type`, `seq`, `t` and `time` first."""
    fields: dict[str, Any] = json.loads(to_json(event))
    return fields


def to_json(event: Event) -> str:
    """Return the event as one line of JSON, without the line's end; numbers to a millionth."""
    placed = f'"seq":{event.seq},"t":{_decimal(event.t)},"time":{_json(event.time)}'
    return f'{{"type":"{event.type}",{",".join([placed, *_fields(event)])}}}'


_FIRST = ("seq", "t", "time")

_quoted = json.encoder.encode_basestring


@functools.cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind) if field.name not in _FIRST)


def _fields(value: Any) -> list[str]:
    return [f'"{name}":{_json(getattr(value, name))}' for name in _names(value.__class__)]


def _json(value: Any) -> str:
    # An event has fifteen numbers, and six decimals of each are half the work of rounding it and
    # of json.JSONEncoder's shortest form that reads back as the same.
    if isinstance(value, float):
        return _decimal(value)
    if isinstance(value, str):
        return _quoted(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple):
        return f"[{','.join(map(_json, value))}]"
    if isinstance(value, (dict, Mapping)):
        pairs = [f"{_quoted(key)}:{_json(item)}" for key, item in value.items()]
    else:
        pairs = _fields(value)
    return f"{{{','.join(pairs)}}}"


def _decimal(value: float) -> str:
    if abs(value) < 1e9:
        digits = f"{value:z.6f}".rstrip("0")
        return digits + "0" if digits[-1] == "." else digits
    return repr(value) if math.isfinite(value) else "null"
