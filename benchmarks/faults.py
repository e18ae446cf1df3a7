"""What each fault of the field costs the daemon: seconds until it tells, until it hears again.

    python -m benchmarks.faults [--seconds 5] [--broker 60] [--json]

Each is caused for real, on a (virtual) microphone, and lasts so many seconds. `told after` is from
the cause to `source.lost`, `back after` from the end of the cause to `source.restored` (or to the
first event, line or message that comes through again), `lost` the audio that was not analysed or
the events that did not arrive, as the daemon itself counts them.

Debian: apt-get install libportaudio2 pulseaudio pulseaudio-utils libasound2-plugins mosquitto
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.soak import free_port
from tests.broker import Broker, Subscriber
from tests.pulse import PulseServer, missing
from tests.quota import starved

PATIENCE = 120.0


@dataclass
class Cost:
    """One line of the table."""

    fault: str
    told_after: float | None
    back_after: float | None
    lost: str


class Rig:
    """A daemon that hears a virtual microphone, and what it says, with the time that it came."""

    def __init__(self, folder: Path, config: str = "", *, absent: bool = False) -> None:
        self.microphone = PulseServer(folder, 16_000)
        if not absent:
            self.microphone.start()
        self.metrics = free_port()
        path = folder / "config.toml"
        path.write_text(f"[socket]\n[metrics]\nport = {self.metrics}\n{config}")
        command = [sys.executable, "-m", "streamser", "serve", "--config", str(path)]
        env = {**self.microphone.env, "RUNTIME_DIRECTORY": str(folder)}
        self.daemon = subprocess.Popen(command, env=env, stderr=(folder / "log").open("w"))
        self._events: queue.Queue[tuple[float, dict[str, Any]]] = queue.Queue()
        threading.Thread(target=self._read, args=(folder / "events.sock",), daemon=True).start()
        if not absent:
            self.until("health")

    def _read(self, path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as client:
            while client.connect_ex(str(path)):
                time.sleep(0.01)
            for line in client.makefile():
                self._events.put((time.monotonic(), json.loads(line)))

    def until(self, *kinds: str) -> tuple[float, dict[str, Any]]:
        """Return the next event of some kinds, and when it came."""
        while True:
            came, event = self._events.get(timeout=PATIENCE)
            if event["type"] in kinds:
                return came, event

    def count(self, sample: str) -> float:
        """Return what /metrics says of one sample."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics") as answer:
            found = re.search(rf"(?m)^streamser_{re.escape(sample)} (\S+)$", answer.read().decode())
        return float(found[1]) if found else 0.0

    def __enter__(self) -> Rig:
        return self

    def __exit__(self, *raised: object) -> None:
        self.daemon.terminate()
        self.daemon.wait(30)
        self.microphone.kill()


def loses_microphone(
    folder: Path,
    fault: str,
    cause: Callable[[Rig], None],
    end: Callable[[Rig], None],
    length: float,
) -> Cost:
    """Return what it costs when the microphone goes and comes back."""
    with Rig(folder) as rig:
        began = time.monotonic()
        cause(rig)
        told, lost = rig.until("source.lost")
        time.sleep(max(0.0, began + length - time.monotonic()))
        end(rig)
        ended = time.monotonic()
        back, restored = rig.until("source.restored")
        away = restored["t"] - lost["t"] + told - began
        return Cost(fault, told - began, back - ended, f"{away:.1f} s of audio")


def absent(folder: Path, length: float) -> Cost:
    """Return what it costs when there is no microphone at the start."""
    began = time.monotonic()
    with Rig(folder, absent=True) as rig:
        told, _ = rig.until("source.lost")
        time.sleep(max(0.0, began + length - time.monotonic()))
        rig.microphone.start()
        ended = time.monotonic()
        back, _ = rig.until("source.restored")
        return Cost("no microphone at the start", told - began, back - ended, "nothing to lose")


def stalls(folder: Path, fault: str, stall: Callable[[int], object]) -> Cost:
    """Return what it costs when the process itself stands still."""
    with Rig(folder) as rig:
        before = _ahead(*rig.until("health"))
        dropped = rig.count("audio_dropped_seconds_total{}")
        stall(rig.daemon.pid)
        ended = time.monotonic()
        back, health = rig.until("health")
        while abs(_ahead(back, health) - before) > 1.0:
            back, health = rig.until("health")
        lost = health["dropped_s"] - dropped
        return Cost(fault, None, back - ended, f"{lost:.1f} s of audio; at most 5 s to tell")


def _ahead(came: float, health: dict[str, Any]) -> float:
    return came - float(health["t"])


def freeze(process: int, length: float) -> None:
    """Let a process stand still."""
    os.kill(process, signal.SIGSTOP)
    time.sleep(length)
    os.kill(process, signal.SIGCONT)


def starve(process: int, length: float) -> None:
    """Let a process have two thousandths of a core."""
    with starved(process, 0.002):
        time.sleep(length)


def broker_down(folder: Path, length: float) -> Cost:
    """Return what it costs when the broker is killed."""
    broker = Broker(folder, "allow_anonymous true")
    broker.start()
    with Rig(folder, f"[mqtt]\nport = {broker.port}\nid = 'rig'\nevents = true\n") as rig:
        rig.until("health")
        before = rig.count('output_lost_total{output="mqtt"}')
        broker.stop()
        time.sleep(length)
        broker.start()
        ended = time.monotonic()
        home = Subscriber(broker.port)
        home.until("streamser/rig/availability")
        back = time.monotonic()
        lost = rig.count('output_lost_total{output="mqtt"}') - before
        home.close()
        broker.stop()
    return Cost(f"broker killed for {length:g} s", None, back - ended, f"{lost:g} events")


def disk_full(folder: Path, length: float) -> Cost:
    """Return what it costs when the disk of the file is full."""
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "none", str(disk)], check=True)
    try:
        with Rig(folder, f"[file]\npath = '{disk}/events.jsonl'\n") as rig:
            (disk / "balloon").write_bytes(bytes(24 << 10))
            (disk / "more").write_bytes(bytes(4 << 10))
            playing = rig.microphone
            while not rig.count('output_lost_total{output="file"}'):
                playing.play(Path(__file__).parent.parent / "streamser" / "demo.flac")
            time.sleep(length)
            lost = rig.count('output_lost_total{output="file"}')
            size = (disk / "events.jsonl").stat().st_size
            (disk / "balloon").unlink()
            ended = time.monotonic()
            while (disk / "events.jsonl").stat().st_size == size:
                time.sleep(0.05)
            back = time.monotonic()
            assert (disk / "events.jsonl").read_bytes()[-1:] == b"\n"
        return Cost("disk full", None, back - ended, f"{lost:g} events; whole lines alone remain")
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def main() -> int:
    """Measure and print; 1 without the virtual microphone."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.faults")
    parser.add_argument("--seconds", type=float, default=5.0, help="that each fault lasts")
    parser.add_argument("--broker", type=float, default=60.0, help="that the broker is down")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if reason := missing():
        print(f"benchmarks.faults: {reason}", file=sys.stderr)
        return 1
    length = arguments.seconds
    microphone: dict[str, tuple[Callable[[Rig], None], Callable[[Rig], None]]] = {
        "sound server killed": (lambda r: r.microphone.kill(), lambda r: r.microphone.start()),
        "unplugged, another of 48 kHz stereo plugged in": (
            lambda r: r.microphone.unload(),
            lambda r: r.microphone.plug_in(48_000, 2),
        ),
        "suspended": (
            lambda r: r.microphone.suspend(True),
            lambda r: r.microphone.suspend(False),
        ),
        "sound server frozen": (lambda r: r.microphone.freeze(), lambda r: r.microphone.thaw()),
    }
    faults: list[Callable[[Path], Cost]] = [
        lambda folder, fault=fault, pair=pair: loses_microphone(folder, fault, *pair, length)
        for fault, pair in microphone.items()
    ]
    faults += [
        lambda folder: absent(folder, length),
        lambda folder: stalls(folder, "process stopped, then a burst", lambda p: freeze(p, length)),
        lambda folder: stalls(folder, "0.2 % of a core", lambda p: starve(p, length)),
        lambda folder: disk_full(folder, length),
        lambda folder: broker_down(folder, arguments.broker),
    ]
    costs = []
    for fault in faults:
        with tempfile.TemporaryDirectory() as folder:
            cost = fault(Path(folder))
        costs.append(asdict(cost))
        if not arguments.json:
            told, back = (
                f"{x:6.1f} s" if x is not None else " " * 8
                for x in (cost.told_after, cost.back_after)
            )
            print(f"{cost.fault:<48} {told} {back}  {cost.lost}", flush=True)
    if arguments.json:
        print(json.dumps(costs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
