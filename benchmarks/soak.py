"""The daemon over many hours of audio, pushed as fast as it takes them: does anything grow?

    python -m benchmarks.soak [--hours 10] [--json]

A socket's client comes and goes all the time, another never reads; metrics are scraped, a file is
written. Memory, threads and descriptors are those of the daemon, as the kernel tells them.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import numpy as np

from streamser.audio.recording import read_recording
from streamser.clip import demo_clip

STEPS = 10
"""How often is looked."""

CONFIG = """\
[socket]
[metrics]
port = {port}
[file]
path = "{folder}/events.jsonl"
max_mb = 1.0
"""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.soak")
    parser.add_argument("--hours", type=float, default=10.0, help="of audio")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = soak(Path(folder), args.hours)
    if args.json:
        print(json.dumps(rows))
        return 0
    print(f"{'audio h':>8} {'wall s':>7} {'MB':>7} {'threads':>7} {'files':>6} {'events':>8}")
    for row in rows:
        print("{:8.2f} {:7.0f} {:7.1f} {:7d} {:6d} {:8d}".format(*row.values()))
    return 0


def soak(folder: Path, hours: float) -> list[dict[str, float]]:
    """Return what the daemon takes after each tenth of the audio."""
    port = free_port()
    (folder / "config.toml").write_text(CONFIG.format(port=port, folder=folder))
    command = [sys.executable, "-m", "streamser", "serve", "--input", "-"]
    command += ["--config", str(folder / "config.toml")]
    env = {**os.environ, "RUNTIME_DIRECTORY": str(folder)}
    clip = np.concatenate([*read_recording(demo_clip()), np.zeros(32_000, np.int16)])
    pcm, seconds = clip.tobytes(), len(clip) / 16_000
    rounds = max(1, round(hours * 3600 / seconds / STEPS))
    rows, begun = [], time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=env) as daemon:
        assert daemon.stdin is not None
        clients = threading.Thread(target=come_and_go, args=(folder / "events.sock",), daemon=True)
        clients.start()
        for step in range(1, STEPS + 1):
            for _ in range(rounds):
                daemon.stdin.write(pcm)
            daemon.stdin.flush()
            time.sleep(0.5)
            rows.append(
                {
                    "audio_hours": step * rounds * seconds / 3600,
                    "wall_seconds": time.monotonic() - begun,
                    **taken(daemon.pid),
                    "events": events(port),
                }
            )
        daemon.stdin.close()
    return rows


def free_port() -> int:
    """Return a TCP port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def come_and_go(path: Path) -> None:
    """Connect, read a little, go; and once connect and never read."""
    while not path.exists():
        time.sleep(0.05)
    lazy = socket.socket(socket.AF_UNIX)
    lazy.connect(str(path))
    while path.exists():
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                client.recv(65_536)
        except OSError:
            return
        time.sleep(0.2)


def taken(process: int) -> dict[str, float]:
    """Return memory (10^6 bytes), threads and open files of a process."""
    folder = Path("/proc", str(process))
    pages = int((folder / "statm").read_text().split()[1])
    return {
        "rss_mb": pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        "threads": len(list((folder / "task").iterdir())),
        "files": len(list((folder / "fd").iterdir())),
    }


def events(port: int) -> int:
    """Return how many events the daemon counts."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    counts = [line for line in lines if line.startswith("streamser_events_total{")]
    return sum(int(float(line.split()[-1])) for line in counts)


if __name__ == "__main__":
    sys.exit(main())
