"""`streamser listen` on a real (virtual) microphone: processor, memory, start.

    python -m benchmarks.microphone [--seconds 20] [--json]

Debian: apt-get install libportaudio2 pulseaudio pulseaudio-utils libasound2-plugins
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import soundfile

from streamser.audio.recording import read_recording
from streamser.clip import demo_clip
from tests.pulse import PulseServer, missing


def main() -> int:
    """Measure and print; 1 without the virtual microphone."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.microphone")
    parser.add_argument("--seconds", type=float, default=20.0, help="of silence and of speech")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if reason := missing():
        print(f"benchmarks.microphone: {reason}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        server = PulseServer(Path(folder), 16_000)
        server.start()
        try:
            figures = measure(server, Path(folder) / "speech.wav", arguments.seconds)
        finally:
            server.kill()
    if arguments.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:<34} {value:8.2f}")
    return 0


def measure(server: PulseServer, wav: Path, seconds: float) -> dict[str, float]:
    """Return the figures of one session: silence, then speech without a pause."""
    speech = np.concatenate(list(read_recording(demo_clip())))[8_000 : 8_000 + 2 * 16_000]
    soundfile.write(wav, np.tile(speech, int(seconds / 2)), 16_000)
    begun = time.perf_counter()
    command = [sys.executable, "-m", "streamser", "listen"]
    with subprocess.Popen(command, env=server.env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        start = time.perf_counter() - begun
        events: list[dict[str, object]] = []
        reader = threading.Thread(
            target=lambda: events.extend(map(json.loads, process.stdout or ())), daemon=True
        )
        reader.start()
        time.sleep(2)
        silence = _share(process.pid, lambda: time.sleep(seconds))
        play = ["paplay", str(wav)]
        spoken = _share(process.pid, lambda: subprocess.run(play, env=server.env, check=True))
        pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
        process.terminate()
        reader.join(10)
    health = [event for event in events if event["type"] == "health"][-1]
    latency = health["latency_ms"]
    assert isinstance(latency, dict)
    return {
        "start to first event, ms": 1000 * start,
        "silence, % of a core": 100 * silence,
        "speech, % of a core": 100 * spoken,
        "resident memory, MB": pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        "audio delivered to events, ms p50": float(latency["p50"]),
        "audio delivered to events, ms p99": float(latency["p99"]),
        "overruns": float(str(health["overruns"])),
    }


def _share(pid: int, during) -> float:  # type: ignore[no-untyped-def]
    used, begun = cpu_seconds(pid), time.perf_counter()
    during()
    return (cpu_seconds(pid) - used) / (time.perf_counter() - begun)


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
