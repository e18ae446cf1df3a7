"""How long after its last sample an event is there: from a (virtual) microphone to a pipe's reader.

    python -m benchmarks.latency [--sessions 4] [--block 20] [--json FILE]

`streamser listen` hears the bundled clip; a bare recorder (parec) hears the same microphone. An
event's `t` is the end of its evidence on the session's sample clock. Which sample of the recording
that is, is found by analysing the recording from every possible start until the events are those
that came: same samples, same events. When that sample was captured, the recording tells: the
device's clock is the line that the recorder's earliest blocks touch, so what the recorder waits for
is not taken off. Latency is from there to the line at the pipe's reader.

The sound server gives out what it captured in blocks, of 20 ms here; where a hop ends within one
differs from session to session, so there are several, each with a process of its own.

Debian: apt-get install libportaudio2 pulseaudio pulseaudio-utils libasound2-plugins
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from streamser.analysis.analyzer import Analyzer
from streamser.analysis.hops import HOP, SAMPLE_RATE
from streamser.audio.recording import read_recording
from streamser.bench.machine import machine
from streamser.clip import demo_clip
from streamser.events import Utterance
from streamser.model.bundle import load
from tests.pulse import PulseServer, missing

TOLD = ("speech.started", "emotion", "utterance")

QUANTILES = (50, 90, 99, 100)


@dataclass(frozen=True, slots=True)
class Arrived:
    """An event, and when its line was there."""

    at: float
    event: dict[str, Any]


def main() -> int:
    """Measure and print; 1 without the virtual microphone, or where audio was lost."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.latency")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--sessions", type=int, default=4)
    parser.add_argument("--block", type=int, default=20, help="milliseconds that the server gives")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all latencies there")
    args = parser.parse_args()
    if reason := missing():
        print(f"benchmarks.latency: {reason}", file=sys.stderr)
        return 1
    found: dict[str, list[float]] = {}
    for _ in range(args.sessions):
        with tempfile.TemporaryDirectory() as folder:
            recorder, events = session(Path(folder), args.block)
        if any(arrived.event.get("dropped_s", 0) for arrived in events):
            print("benchmarks.latency: audio was lost; the machine is too busy", file=sys.stderr)
            return 1
        for kind, ms in latencies(recorder, events).items():
            found.setdefault(kind, []).extend(ms)
    print(f"{'ms after the last sample':<26}{'n':>6}" + "".join(f"{f'p{q}':>9}" for q in QUANTILES))
    for kind, ms in found.items():
        cells = "".join(f"{value:9.1f}" for value in np.percentile(ms, QUANTILES))
        print(f"{kind:<26}{len(ms):6}{cells}")
    if args.json:
        rounded = {kind: np.round(ms, 2).tolist() for kind, ms in found.items()}
        told = {"machine": asdict(machine()), "block_ms": args.block, "ms": rounded}
        args.json.write_text(json.dumps(told) + "\n")
    return 0


def latencies(recorder: Recorder, events: list[Arrived]) -> dict[str, list[float]]:
    """Return the milliseconds from last sample to line, by type of event, and the recorder's."""
    told = [arrived for arrived in events if arrived.event["type"] in TOLD]
    first = recorder.locate(told)
    found: dict[str, list[float]] = {kind: [] for kind in (*TOLD, "all")}
    for arrived in told:
        captured = recorder.captured(first + arrived.event["t"] * SAMPLE_RATE)
        for kind in (arrived.event["type"], "all"):
            found[kind].append(1000 * (arrived.at - captured))
    return found | {"bare recorder": recorder.delays()}


def session(folder: Path, block: int) -> tuple[Recorder, list[Arrived]]:
    """Listen and record while the clip is played; return what was recorded, and the events."""
    clip = np.concatenate(list(read_recording(demo_clip())))
    soundfile.write(folder / "speech.wav", clip, SAMPLE_RATE)
    with ExitStack() as stack:
        server = PulseServer(folder, SAMPLE_RATE)
        stack.callback(server.kill)
        server.start()
        recorder = Recorder(server, block)
        command = [sys.executable, "-m", "streamser", "listen"]
        listening = subprocess.Popen(command, env=server.env, stdout=subprocess.PIPE)
        events: list[Arrived] = []
        reader = threading.Thread(target=lambda: events.extend(arrivals(listening)))
        reader.start()
        time.sleep(3.0)
        server.play(folder / "speech.wav")
        time.sleep(1.0)
        listening.terminate()
        reader.join()
        recorder.stop()
    return recorder, events


def arrivals(listening: subprocess.Popen[bytes]) -> Iterator[Arrived]:
    """Yield each line of a process' output with the time at which it was there."""
    assert listening.stdout is not None
    for line in listening.stdout:
        at = time.monotonic()
        yield Arrived(at, json.loads(line))


class Recorder:
    """Records the microphone, and notes when each piece came.

    It asks for pieces of `block` milliseconds; the server then gives everybody no larger ones.
    """

    def __init__(self, server: PulseServer, block: int) -> None:
        command = ["parec", "--device=mic.monitor", "--raw", "--format=s16le", "--channels=1"]
        command += [f"--rate={SAMPLE_RATE}", f"--latency-msec={block}"]
        self._process = subprocess.Popen(command, env=server.env, stdout=subprocess.PIPE, bufsize=0)
        self._pieces: list[bytes] = []
        self._at: list[float] = []
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        while piece := self._process.stdout.read(65_536):
            self._at.append(time.monotonic())
            self._pieces.append(piece)

    def stop(self) -> None:
        """End the recording."""
        self._process.terminate()
        self._process.wait()
        self._thread.join()
        self._samples = np.frombuffer(b"".join(self._pieces), np.int16)
        ends = np.cumsum([len(piece) for piece in self._pieces]) / (2 * SAMPLE_RATE)
        late = np.array(self._at) - ends
        self._zero = float(late.min())
        self._late = late - self._zero

    def captured(self, sample: float) -> float:
        """Return when a sample was captured, on the clock of the arrivals."""
        return self._zero + sample / SAMPLE_RATE

    def delays(self) -> list[float]:
        """Return how many milliseconds after its last sample each piece was there."""
        return [1000 * float(late) for late in self._late]

    def locate(self, told: list[Arrived]) -> int:
        """Return which sample of the recording was the session's first.

        Raises ValueError when the recording gives the session's first utterance from no start.
        """
        end = next(n for n, a in enumerate(told) if a.event["type"] == "utterance")
        last = told[end].event
        heard = self._samples[: int(np.flatnonzero(self._samples)[0]) + 8 * SAMPLE_RATE]
        bundle = load()
        for phase in range(HOP):
            analyzer = Analyzer(model=bundle)
            found = (e for e in analyzer.push(heard[phase:]) if isinstance(e, Utterance))
            if (same := next(found, None)) and all(
                abs(same.scores[label] - score) < 1e-6 for label, score in last["scores"].items()
            ):
                return phase + round((same.t - last["t"]) * SAMPLE_RATE)
        raise ValueError("the recording differs from what streamser heard")


if __name__ == "__main__":
    sys.exit(main())
