"""How many real-time streams one core holds: the daemon on one core, its clients on the others.

    python -m benchmarks.streams [--streams 50 100 200] [--seconds 15] [--core 0] [--json]

Each client sends the bundled clip over WebSocket in messages of 100 ms, at the pace of a
microphone, each from another place of the clip, and reads the events. Held is what loses no audio
and gives 99 of 100 emotion events within 100 ms of the message that completed their evidence.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from websockets.asyncio.client import connect

from streamser.audio.recording import read_recording
from streamser.clip import demo_clip

BLOCK = 0.1
"""Seconds of audio in one message."""

HELD_MS = 100.0
"""Milliseconds that the 99th percentile may take."""

CONFIG = """\
[listen]
input = "none"
[streams]
limit = 10000
[websocket]
port = {port}
audio = true
clients = 10000
connections_per_second = 10000
"""


@dataclass(slots=True)
class Load:
    """What one number of streams came to."""

    streams: int
    cpu: float = 0.0
    """Share of the daemon's core."""

    p50_ms: float = 0.0
    p99_ms: float = 0.0
    dropped_s: float = 0.0
    events: int = 0
    rss_mb: float = 0.0
    late_ms: float = 0.0
    """By how much the clients themselves sent late, 99th percentile: their core is no limit."""

    latencies: list[float] = field(default_factory=list, repr=False)
    lateness: list[float] = field(default_factory=list, repr=False)

    @property
    def held(self) -> bool:
        """Whether the core kept up."""
        return self.dropped_s == 0.0 and 0.0 < self.p99_ms <= HELD_MS


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.streams")
    parser.add_argument("--streams", type=int, nargs="+", default=[50, 100, 200, 300])
    parser.add_argument("--seconds", type=float, default=15.0, help="for each number of streams")
    parser.add_argument("--core", type=int, default=0, help="for the daemon")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    others = os.sched_getaffinity(0) - {args.core}
    os.sched_setaffinity(0, others or {args.core})
    with tempfile.TemporaryDirectory() as folder:
        loads = [measure(Path(folder), n, args.seconds, args.core) for n in args.streams]
    if args.json:
        rows = [asdict(load) | {"held": load.held} for load in loads]
        print(json.dumps([{k: v for k, v in row.items() if k[:4] != "late"} for row in rows]))
        return 0
    print(f"{'streams':>8} {'cpu':>6} {'p50 ms':>7} {'p99 ms':>7} {'dropped s':>9} ", end="")
    print(f"{'events':>7} {'MB':>6} {'late ms':>7}  held")
    for load in loads:
        print(
            f"{load.streams:8d} {100 * load.cpu:5.1f}% {load.p50_ms:7.1f} {load.p99_ms:7.1f} "
            f"{load.dropped_s:9.1f} {load.events:7d} {load.rss_mb:6.0f} {load.late_ms:7.1f}  "
            f"{'yes' if load.held else 'no'}"
        )
    return 0


def measure(folder: Path, streams: int, seconds: float, core: int) -> Load:
    """Let a new daemon hear so many streams."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "config.toml"
    config.write_text(CONFIG.format(port=port))
    command = ["taskset", "-c", str(core), sys.executable, "-m", "streamser", "serve"]
    with subprocess.Popen([*command, "--config", str(config)], stderr=subprocess.DEVNULL) as daemon:
        try:
            return asyncio.run(_hear(daemon.pid, port, Load(streams), seconds))
        finally:
            daemon.terminate()


async def _hear(daemon: int, port: int, load: Load, seconds: float) -> Load:
    clip = np.concatenate(list(read_recording(demo_clip()))).tobytes()
    url = f"ws://127.0.0.1:{port}/audio"
    await _reachable(port)
    start = time.perf_counter() + 1.0 + 0.01 * load.streams  # after all have connected
    rng = np.random.default_rng(0)
    clients = [
        asyncio.create_task(_client(url, clip, int(at), start + lag, seconds, load))
        for at, lag in zip(
            rng.integers(0, len(clip) // 2, load.streams),
            rng.uniform(0.0, BLOCK, load.streams),
            strict=True,
        )
    ]
    await asyncio.sleep(start + 2.0 - time.perf_counter())
    began, used = time.perf_counter(), _cpu(daemon)
    await asyncio.sleep(max(1.0, start + seconds - time.perf_counter()))
    load.cpu = (_cpu(daemon) - used) / (time.perf_counter() - began)
    load.rss_mb = _rss(daemon)
    await asyncio.gather(*clients)
    p50, p99 = np.percentile(load.latencies, (50, 99)) * 1e3
    load.p50_ms, load.p99_ms, load.events = float(p50), float(p99), len(load.latencies)
    load.late_ms = float(np.percentile(load.lateness, 99) * 1e3)
    return load


async def _client(url: str, clip: bytes, at: int, start: float, seconds: float, load: Load) -> None:
    size, sent = 2 * round(16_000 * BLOCK), []
    async with connect(url, compression=None, open_timeout=60) as server:
        await server.send('{"format": "s16le", "rate": 16000}')

        async def send() -> None:
            for number in range(round(seconds / BLOCK)):
                due = start + number * BLOCK
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                begin = (2 * at + number * size) % (len(clip) - size) & ~1
                load.lateness.append(time.perf_counter() - due)
                sent.append(time.perf_counter())
                await server.send(clip[begin : begin + size])
            await server.send('{"type": "end"}')

        sending = asyncio.create_task(send())
        async for message in server:
            event: dict[str, Any] = json.loads(message)
            if event["type"] == "emotion":
                completed = round(event["t"] * 16_000 - 1) // (size // 2)
                load.latencies.append(time.perf_counter() - sent[completed])
            elif event["type"] == "health":
                last = event
        await sending
        load.dropped_s += last["dropped_s"]


async def _reachable(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


def _cpu(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    sys.exit(main())
