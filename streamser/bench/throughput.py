"""Work per second of audio, and the whole program as it runs live."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamser.analysis.analyzer import Analyzer
from streamser.model.bundle import Bundle

RATE = 16_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Processor time on one core."""

    speech_ms: float
    """Milliseconds per second of the bundled clip, its pauses included."""

    silence_ms: float
    """Milliseconds per second of digital silence."""

    @property
    def times_real_time(self) -> float:
        """How many seconds of the clip are analysed in one; also streams that a core could hold."""
        return 1000.0 / self.speech_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """`streamser listen` as a process of its own, over the clip in real time."""

    seconds: float
    cpu: float
    """Share of one core after the first event, until the end."""

    start_ms: float
    """From the start of the process to its first event, imports for the most part."""

    rss_mb: float | None
    latency_p50_ms: float | None
    latency_p99_ms: float | None


def measure_throughput(bundle: Bundle, samples: NDArray[np.int16]) -> Throughput:
    """Push int16 `samples` and as much silence in blocks of 40 ms, as a microphone does."""
    return Throughput(
        speech_ms=_milliseconds_per_second(bundle, samples),
        silence_ms=_milliseconds_per_second(bundle, np.zeros_like(samples)),
    )


def _milliseconds_per_second(bundle: Bundle, samples: NDArray[np.int16]) -> float:
    analyzer = Analyzer(model=bundle)
    analyzer.push(samples[: 2 * RATE])
    best = float("inf")
    for _ in range(3):
        begun = time.process_time()
        for start in range(0, samples.size, 640):
            analyzer.push(samples[start : start + 640])
        best = min(best, time.process_time() - begun)
    return 1000.0 * best / (samples.size / RATE)


def measure_live(clip: Path, model: Path) -> Live:
    """Run `streamser listen` over `clip`. Raises RuntimeError when it does not end as it should."""
    command = [sys.executable, "-m", "streamser", "listen", "-i", str(clip), "-m", str(model)]
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        start_ms = 1000.0 * (time.perf_counter() - begun)
        events = [json.loads(line) for line in process.stdout]
    if not first or process.returncode != 0 or not events:
        raise RuntimeError("streamser listen did not finish the clip")
    health = [event for event in events if event["type"] == "health"]
    cpu = [event["cpu"] for event in health[:-1]] or [health[-1]["cpu"]]
    latency = health[-1]["latency_ms"] or {}
    return Live(
        seconds=events[-1]["t"],
        cpu=float(np.mean(cpu)),
        start_ms=start_ms,
        rss_mb=max((event["rss_mb"] or 0.0 for event in health), default=0.0) or None,
        latency_p50_ms=latency.get("p50"),
        latency_p99_ms=latency.get("p99"),
    )
