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
from streamser.audio.capture import BLOCK_SECONDS
from streamser.audio.recording import read_recording
from streamser.audio.source import SAMPLE_RATE
from streamser.events import Utterance, to_json
from streamser.model.bundle import HOPS_AT_ONCE, Bundle

BLOCK = round(SAMPLE_RATE * BLOCK_SECONDS)
"""Samples that the microphone gives at once."""

REPEATS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Processor time on one core."""

    answer_us: tuple[float, float, float]
    """Median, 95th and 99th percentile of the three blocks of 80 ms that an answer is due after,
    its event written."""

    speech_ms: float
    """Milliseconds per second of speech without a pause, in blocks."""

    silence_ms: float
    """Milliseconds per second of digital silence, in blocks."""

    recording_ms: float
    """Milliseconds per second of the bundled clip, decoded and with its pauses, as `analyze`."""

    @property
    def streams(self) -> float:
        """Voices that speak all the time which a core could follow, by this work alone."""
        return 1000.0 / self.speech_ms

    @property
    def times_real_time(self) -> float:
        """How many seconds of recordings are analysed in one."""
        return 1000.0 / self.recording_ms


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


def speech_in(bundle: Bundle, samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return what the gate takes for speech in int16 `samples`, (n,) at 16 kHz, without a gap."""
    analyzer = Analyzer(model=bundle)
    events = analyzer.push(samples) + analyzer.finish()
    spans = [(event.start, event.end) for event in events if isinstance(event, Utterance)]
    edges = [(round(start * SAMPLE_RATE), round(end * SAMPLE_RATE)) for start, end in spans]
    return np.concatenate([samples[start:end] for start, end in edges])


def measure_throughput(bundle: Bundle, clip: Path, speech: NDArray[np.int16]) -> Throughput:
    """Analyse int16 `speech`, as much silence, and the recording `clip`."""
    answers, speech_ms = _blockwise(bundle, speech)
    _, silence_ms = _blockwise(bundle, np.zeros_like(speech))
    median, p95, p99 = np.percentile(answers * 1e6, [50, 95, 99]).tolist()
    return Throughput(
        answer_us=(median, p95, p99),
        speech_ms=speech_ms,
        silence_ms=silence_ms,
        recording_ms=_recorded(bundle, clip),
    )


def _blockwise(bundle: Bundle, samples: NDArray[np.int16]) -> tuple[NDArray[np.float64], float]:
    """Return the seconds from answer to answer, and the milliseconds per second in the best round.

    Between two answers hops wait for one another, so a block alone tells little.
    """
    analyzer = Analyzer(model=bundle)
    whole = HOPS_AT_ONCE * BLOCK
    blocks = samples[: samples.size // whole * whole].reshape(-1, BLOCK)
    rounds = np.empty((1 + REPEATS, len(blocks)))
    for seconds in rounds:
        for number, block in enumerate(blocks):
            begun = time.thread_time()
            for event in analyzer.push(block):
                to_json(event)
            seconds[number] = time.thread_time() - begun
    measured = rounds[1:]  # the first round warms up
    best = measured.sum(axis=1).min() / (blocks.size / SAMPLE_RATE)
    return measured.reshape(-1, HOPS_AT_ONCE).sum(axis=1), 1000.0 * float(best)


def _recorded(bundle: Bundle, clip: Path) -> float:
    best = float("inf")
    for _ in range(REPEATS):
        begun, heard = time.thread_time(), 0
        analyzer = Analyzer(model=bundle)
        for block in read_recording(clip):
            analyzer.push(block)
            heard += block.size
        analyzer.finish()
        best = min(best, (time.thread_time() - begun) / (heard / SAMPLE_RATE))
    return 1000.0 * best


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
