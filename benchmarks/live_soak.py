"""The daemon on a (virtual) microphone for an hour, with every output on: does anything grow?

    python -m benchmarks.live_soak [--seconds 3600] [--csv FILE] [--corpora FOLDER]

Recorded speech is played to it, one second between two sentences; without $STREAMSER_CORPORA the
bundled clip. Peers read the outputs all the time and look for gaps in `seq`; others come and go,
never read, or send audio of their own. One row a minute: memory, threads and files of the daemon as
the kernel tells them, and what the daemon counts.

Debian: apt-get install libportaudio2 pulseaudio pulseaudio-utils libasound2-plugins mosquitto
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import paho.mqtt.client as paho
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from benchmarks.microphone import cpu_seconds
from benchmarks.soak import come_and_go, free_port, taken
from streamser.audio.recording import read_recording
from streamser.clip import demo_clip
from tests.broker import Broker
from tests.pulse import PulseServer, missing

MINUTE = 60.0
SEED = 0

CONFIG = """\
[socket]
[websocket]
port = {websocket}
audio = true
[wyoming]
port = {wyoming}
[metrics]
port = {metrics}
[mqtt]
port = {mqtt}
id = "soak"
events = true
[file]
path = "{folder}/events.jsonl"
max_mb = 1.0
keep = 3
[emotionml]
path = "{folder}/utterances.xml"
max_mb = 1.0
keep = 3
"""

ROS2 = "[ros2]\ndomain = 77\n" if find_spec("cyclonedds") else ""

COUNTED = {
    "events": "events_total{",
    "utterances": "utterances_total{",
    "lost_events": "output_lost_total{",
    "overruns": "audio_overruns_total{",
    "dropped_s": "audio_dropped_seconds_total{",
    "lag_s": "audio_lag_seconds{",
    "hop_p99_ms": 'hop_latency_seconds{quantile="0.99"}',
}
"""Columns, and the samples of /metrics that they are the sum of."""


class Reader:
    """Counts the events of one session that a peer got, and those missing between them."""

    def __init__(self) -> None:
        self.got = 0
        self.missing = 0
        self.last = ""
        self._seq: int | None = None

    def read(self, line: str | bytes) -> None:
        """Take one event."""
        event = json.loads(line)
        if self._seq is not None and event["seq"] > self._seq + 1 and self.got > SNAPSHOT:
            self.missing += event["seq"] - self._seq - 1
        self._seq = event["seq"]
        self.got += 1
        self.last = event["type"]


SNAPSHOT = 6
"""Events at most that a peer is told on entering; seq may jump between them."""


def main() -> int:
    """Measure and print; 1 when a peer missed an event or the end, or something is not there."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.live_soak")
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--csv", type=Path, help="where the rows go, too")
    parser.add_argument("--corpora", type=Path, default=os.environ.get("STREAMSER_CORPORA"))
    arguments = parser.parse_args()
    if reason := missing():
        print(f"benchmarks.live_soak: {reason}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        return soak(Path(folder), arguments.seconds, arguments.corpora, arguments.csv)


def soak(folder: Path, seconds: float, corpora: Path | None, table: Path | None) -> int:
    """Let it run; return the exit code."""
    readers = {name: Reader() for name in ("socket", "websocket", "mqtt")}
    with ExitStack() as stack:
        microphone, broker = PulseServer(folder, 16_000), Broker(folder, "allow_anonymous true")
        stack.callback(microphone.kill)
        stack.callback(broker.stop)
        microphone.start()
        broker.start()
        ports = {name: free_port() for name in ("websocket", "wyoming", "metrics")}
        ports["mqtt"] = broker.port
        config = folder / "config.toml"
        config.write_text(CONFIG.format(folder=folder, **ports) + ROS2)
        command = [sys.executable, "-m", "streamser", "serve", "--config", str(config)]
        env = {**microphone.env, "RUNTIME_DIRECTORY": str(folder)}
        daemon = subprocess.Popen(command, env=env)
        stack.callback(daemon.wait)
        stack.callback(daemon.kill)
        begun = time.monotonic()
        wait_for(ports["metrics"])
        peers: tuple[tuple[object, tuple[object, ...]], ...] = (
            (play, (microphone, corpora)),
            (come_and_go, (folder / "events.sock",)),
            (read_socket, (folder / "events.sock", readers["socket"])),
            (read_websocket, (ports["websocket"], readers["websocket"])),
            (read_mqtt, (ports["mqtt"], readers["mqtt"])),
            (send_audio, (ports["websocket"],)),
        )
        for target, args in peers:
            threading.Thread(target=target, args=args, daemon=True).start()  # type: ignore[arg-type]
        rows = []
        for minute in range(round(seconds / MINUTE) + 1):
            time.sleep(max(0.0, begun + max(5.0, minute * MINUTE) - time.monotonic()))
            row = {"minute": minute, **taken(daemon.pid), "cpu_s": cpu_seconds(daemon.pid)}
            rows.append({**row, **counted(ports["metrics"])})
            print(" ".join(f"{name}={value:g}" for name, value in rows[-1].items()), flush=True)
            if table is not None:
                write(table, rows)
        daemon.send_signal(signal.SIGTERM)
        code = daemon.wait(30)
        time.sleep(1.0)
    for name, reader in readers.items():
        print(f"{name}: {reader.got} events, {reader.missing} missing, the last {reader.last}")
    print(f"exit code {code}")
    well = all(not r.missing and r.last == "session.ended" for r in readers.values())
    return 0 if well and code == 0 else 1


def write(table: Path, rows: list[dict[str, float]]) -> None:
    """Write the rows so far."""
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def wait_for(port: int) -> None:
    """Wait until the session began, and so all outputs are open."""
    deadline = time.monotonic() + MINUTE
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if counted(port)["events"]:
                return
        time.sleep(0.1)
    raise TimeoutError("no session began")


def counted(port: int) -> dict[str, float]:
    """Return what the daemon counts and what it uses of the processor."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()

    def total(family: str) -> float:
        found = (line for line in lines if line.startswith(f"streamser_{family}"))
        return sum(float(line.split()[-1]) for line in found)

    return {
        name: total(family) * (1e3 if name.endswith("_ms") else 1)
        for name, family in COUNTED.items()
    }


def play(microphone: PulseServer, corpora: Path | None) -> None:
    """Let the microphone hear speech without end."""
    command = ["pacat", "--raw", "--rate=16000", "--channels=1", "--format=s16le", "--device=mic"]
    player = subprocess.Popen(
        command, env=microphone.env, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert player.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        for path in speech(corpora):
            samples = np.concatenate([*read_recording(path), np.zeros(16_000, np.int16)])
            player.stdin.write(samples.tobytes())


def speech(corpora: Path | None) -> Iterator[Path]:
    """Yield recordings in an order drawn by lot, over and over."""
    found = sorted(corpora.glob("*/**/*.opus")) if corpora is not None else []
    random.Random(SEED).shuffle(found)
    return itertools.cycle(found or [demo_clip()])


def read_socket(path: Path, reader: Reader) -> None:
    """Read the Unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        for line in client.makefile("rb"):
            reader.read(line)


def read_websocket(port: int, reader: Reader) -> None:
    """Read the WebSocket."""
    with connect(f"ws://127.0.0.1:{port}") as client:
        for line in client:
            reader.read(line)


def read_mqtt(port: int, reader: Reader) -> None:
    """Read what the broker was told."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.on_message = lambda client, data, message: reader.read(message.payload)
    client.connect("127.0.0.1", port)
    client.subscribe("streamser/soak/events", qos=1)
    client.loop_forever()


def send_audio(port: int) -> None:
    """Send the bundled clip over WebSocket, as a stream of its own, and come again."""
    pcm = np.concatenate(list(read_recording(demo_clip()))).tobytes()
    with contextlib.suppress(ConnectionClosed, OSError):
        while True:
            with connect(f"ws://127.0.0.1:{port}/audio") as client:
                client.send('{"type": "start", "format": "s16le", "rate": 16000}')
                for begin in range(0, len(pcm), 16_000):
                    client.send(pcm[begin : begin + 16_000])
                client.send('{"type": "end"}')
                for _ in client:
                    pass
            time.sleep(10.0)


if __name__ == "__main__":
    sys.exit(main())
