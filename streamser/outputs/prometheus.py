"""What Prometheus is told, in its text format 0.0.4. Nothing of it names a speaker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from streamser.events import (
    Event,
    Health,
    SessionStarted,
    SpeechStarted,
    Utterance,
)
from streamser.flow import Flow
from streamser.outputs.output import Tally
from streamser.streams.pool import StreamTally

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Measures:
    """Counts events and remembers the latest state of health."""

    def __init__(self) -> None:
        self._events: Counter[str] = Counter()
        self._utterances: Counter[str] = Counter()
        self._started: SessionStarted | None = None
        self._health: Health | None = None
        self._speaking = False

    def push(self, event: Event) -> None:
        """Take an event."""
        self._events[event.type] += 1
        match event:
            case SessionStarted():
                self._started = event
                self._health = None
            case SpeechStarted():
                self._speaking = True
            case Utterance():
                self._speaking = False
                self._utterances[event.label or "unknown"] += 1
            case Health():
                self._health = event

    def text(self, tallies: Mapping[str, Tally], streams: StreamTally, flow: Flow) -> str:
        """Return the whole page."""
        return "".join(line + "\n" for line in self._lines(tallies, streams, flow))

    def _lines(
        self, tallies: Mapping[str, Tally], streams: StreamTally, flow: Flow
    ) -> Iterator[str]:
        if self._started is not None:
            model = self._started.model
            labels = {
                "version": self._started.version,
                "model": model.name,
                "model_version": model.version,
            }
            yield from _family("build_info", "gauge", "What runs.", [(labels, 1)])
        yield from _family("source_up", "gauge", "Whether audio flows.", [({}, flow.flowing)])
        yield from _family("speaking", "gauge", "Whether a voice is heard.", [({}, self._speaking)])
        told = [({"type": kind}, count) for kind, count in sorted(self._events.items())]
        yield from _family("events_total", "counter", "Events, by type.", told)
        told = [({"label": label}, count) for label, count in sorted(self._utterances.items())]
        yield from _family("utterances_total", "counter", "Utterances, by verdict.", told)
        if self._health is not None:
            yield from _of_health(self._health)
        for name, kind, meaning in (
            ("clients", "gauge", "Clients connected."),
            ("refused_total", "counter", "Connections turned away."),
            ("lost_total", "counter", "Events dropped for clients that were slow or away."),
        ):
            counts = [
                ({"output": output}, getattr(tally, name.removesuffix("_total")))
                for output, tally in tallies.items()
            ]
            yield from _family(f"output_{name}", kind, meaning, counts)
        for name, kind, meaning, value in (
            ("streams", "gauge", "Clients whose audio is analysed.", streams.open),
            ("streams_refused_total", "counter", "Streams beyond the limit.", streams.refused),
            ("streams_dropped_seconds_total", "counter", "Their audio lost.", streams.dropped_s),
        ):
            yield from _family(name, kind, meaning, [({}, value)])


def _of_health(health: Health) -> Iterator[str]:
    for name, kind, meaning, value in (
        ("audio_lag_seconds", "gauge", "Audio that waits to be analysed.", health.lag_s),
        ("audio_overruns_total", "counter", "How often audio was lost.", health.overruns),
        ("audio_dropped_seconds_total", "counter", "Audio lost.", health.dropped_s),
        ("audio_level_dbfs", "gauge", "Level of the last hop.", health.level_dbfs),
        ("cpu_ratio", "gauge", "Share of one core that is used.", health.cpu),
        ("resident_memory_bytes", "gauge", "Resident memory.", (health.rss_mb or 0) * 1e6 or None),
    ):
        if value is not None:
            yield from _family(name, kind, meaning, [({}, value)])
    if health.latency_ms is not None:
        latency = health.latency_ms
        quantiles = (("0.5", latency.p50), ("0.95", latency.p95), ("0.99", latency.p99))
        told = [({"quantile": quantile}, value / 1e3) for quantile, value in quantiles]
        meaning = "From the last sample of a hop to its events."
        yield from _family("hop_latency_seconds", "gauge", meaning, told)


def _family(
    name: str, kind: str, meaning: str, samples: Sequence[tuple[Mapping[str, str], float]]
) -> Iterator[str]:
    yield f"# HELP streamser_{name} {meaning}"
    yield f"# TYPE streamser_{name} {kind}"
    for labels, value in samples:
        told = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        yield f"streamser_{name}{{{told}}} {float(value):.9g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
