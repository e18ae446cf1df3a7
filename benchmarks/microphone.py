"""`streamser listen` and the dashboard on a (virtual) microphone: processor, memory, start.

    python -m benchmarks.microphone [--seconds 8] [--repeats 3] [--against CHECKOUT] [--json]

With --against, another checkout of streamser takes turns with this one: before and after in the
same run. Every figure is the median of the repeats. Processor time is what the scheduler gave to
all threads of the process (/proc/PID/task/*/schedstat), in nanoseconds.

Debian: apt-get install libportaudio2 pulseaudio pulseaudio-utils libasound2-plugins
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from streamser.audio.recording import read_recording
from streamser.clip import demo_clip
from tests.pulse import PulseServer, missing

HERE = Path(__file__).parent.parent
LISTEN = (sys.executable, "-m", "streamser", "listen")
SETTLE = 2.0
"""Seconds after the start that count for nothing."""

ANSWER_MS = 240
"""Of speech that is heard at once while one speaks: one answer's."""

Figures = dict[str, float]


def main() -> int:
    """Measure and print; 1 without the virtual microphone."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.microphone")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seconds", type=float, default=8.0, help="of silence and of speech")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--against", type=Path, metavar="CHECKOUT")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if reason := missing():
        print(f"benchmarks.microphone: {reason}", file=sys.stderr)
        return 1
    checkouts = [arguments.against] if arguments.against else []
    checkouts.append(HERE)
    found: dict[Path, list[Figures]] = {checkout: [] for checkout in checkouts}
    with tempfile.TemporaryDirectory() as folder:
        server = PulseServer(Path(folder), 16_000)
        server.start()
        try:
            room = Room(server, Path(folder) / "speech.wav", arguments.seconds)
            for _ in range(arguments.repeats):
                for checkout in checkouts:
                    figures = room.listen(checkout) | room.talk(checkout) | room.show(checkout)
                    found[checkout].append(figures)
        finally:
            server.kill()
    medians = [_medians(found[checkout]) for checkout in checkouts]
    if arguments.json:
        print(json.dumps(dict(zip(map(str, checkouts), medians, strict=True))))
    else:
        for name in medians[-1]:
            print(f"{name:<42}", *(f"{figures[name]:8.2f}" for figures in medians))
    return 0


class Room:
    """A microphone that hears silence, then speech without a pause."""

    def __init__(self, server: PulseServer, wav: Path, seconds: float) -> None:
        self._server, self._seconds = server, seconds
        self._play = ("paplay", str(wav))
        speech = np.concatenate(list(read_recording(demo_clip())))[8_000 : 8_000 + 2 * 16_000]
        soundfile.write(wav, np.tile(speech, int(seconds / 2)), 16_000)

    def listen(self, checkout: Path) -> Figures:
        """Measure one session of `streamser listen`."""
        begun = time.perf_counter()
        with self._start(checkout) as process:
            assert process.stdout is not None
            process.stdout.readline()
            start = time.perf_counter() - begun
            lines, reader = _gathered(process)
            time.sleep(SETTLE)
            silence, speech = self._silence(process.pid), self._speech(process.pid)
            pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
            process.terminate()
            reader.join()
        health = _last_health(lines)
        return {
            "start to first event, ms": 1000 * start,
            "listen: silence, % of a core": silence.share,
            "listen: speech, % of a core": speech.share,
            "listen: wake-ups a second, silence": silence.wakes,
            "listen: wake-ups a second, speech": speech.wakes,
            "listen: resident memory, MB": pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
            "delivered to events, ms p50": health["latency_ms"]["p50"],
            "delivered to events, ms p99": health["latency_ms"]["p99"],
            "overruns": health["overruns"],
        }

    def talk(self, checkout: Path) -> Figures:
        """Measure what an answer takes in a session that hears nothing but speech."""
        with subprocess.Popen(self._play, env=self._server.env) as playing:
            time.sleep(0.5)  # by then it sounds
            with self._start(checkout) as process:
                lines, reader = _gathered(process)
                if playing.wait():
                    raise subprocess.CalledProcessError(playing.returncode, self._play)
                process.terminate()
                reader.join()
        p50 = _last_health(lines)["latency_ms"]["p50"]
        return {"work for 100 ms of speech, ms p50": p50 * 100 / ANSWER_MS}

    def show(self, checkout: Path) -> Figures:
        """Measure one session of the dashboard, on a terminal of 80 by 24."""
        terminal, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        process = subprocess.Popen(
            [sys.executable, "-m", "streamser", "live"],
            env=self._server.env | {"TERM": "xterm-256color"},
            cwd=checkout,
            stdin=end,
            stdout=end,
            stderr=end,
            start_new_session=True,
        )
        os.close(end)
        drawn = [0]
        threading.Thread(target=_watch, args=(terminal, drawn), daemon=True).start()
        with process:
            time.sleep(SETTLE)
            silence, before = self._silence(process.pid), drawn[0]
            begun = time.perf_counter()
            speech = self._speech(process.pid)
            pictures = (drawn[0] - before) / (time.perf_counter() - begun)
            process.terminate()
        return {
            "dashboard: silence, % of a core": silence.share,
            "dashboard: speech, % of a core": speech.share,
            "dashboard: pictures a second, speech": pictures,
        }

    def _start(self, checkout: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            LISTEN, env=self._server.env, cwd=checkout, stdout=subprocess.PIPE, text=True
        )

    def _silence(self, pid: int) -> Usage:
        return Usage(pid, lambda: time.sleep(self._seconds))

    def _speech(self, pid: int) -> Usage:
        return Usage(pid, lambda: subprocess.run(self._play, env=self._server.env, check=True))


class Usage:
    """What a process took from the machine while something else was done."""

    def __init__(self, pid: int, during: Callable[[], object]) -> None:
        busy, wakes, begun = *_taken(pid), time.perf_counter()
        during()
        elapsed = time.perf_counter() - begun
        busy_after, wakes_after = _taken(pid)
        self.share = 100 * (busy_after - busy) / elapsed
        self.wakes = (wakes_after - wakes) / elapsed


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used, threads that ended included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _taken(pid: int) -> tuple[float, int]:
    """Return the seconds of processor time and the wake-ups of all threads so far."""
    seconds, wakes = 0.0, 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        seconds += int((thread / "schedstat").read_text().split()[0]) / 1e9
        status = (thread / "status").read_text()
        wakes += int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return seconds, wakes


def _gathered(process: subprocess.Popen[str]) -> tuple[list[str], threading.Thread]:
    """The lines that come from then on, and who reads them until the end."""
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout or ()))
    reader.start()
    return lines, reader


def _last_health(lines: list[str]) -> dict[str, Any]:
    health: dict[str, Any] = [e for e in map(json.loads, lines) if e["type"] == "health"][-1]
    return health


def _watch(terminal: int, drawn: list[int]) -> None:
    try:
        while os.read(terminal, 1 << 16):
            drawn[0] += 1
    except OSError:  # the other end is closed
        os.close(terminal)


def _medians(runs: list[Figures]) -> Figures:
    return {name: float(np.median([run[name] for run in runs])) for name in runs[0]}


if __name__ == "__main__":
    sys.exit(main())
