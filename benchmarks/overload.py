"""`streamser listen` on a microphone with ever less of the processor: what does it lose, and say?

    python -m benchmarks.overload [--seconds 15] [--json FILE]

While one speaks, the process gets a share of one core alone for 15 s, then all of it again for 6 s.
`lag_s`, `dropped_s` and `overruns` are what its `health` events say; `late_s` is by how much the
latest event fell behind the first, measured by the session's clock. `uncounted_s` is the time by
the wall less the session's own at the end: what was lost without a word.

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
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.latency import Arrived, arrivals
from streamser.audio.recording import read_recording
from streamser.clip import demo_clip
from tests.pulse import PulseServer, missing
from tests.quota import starved

SHARES = (1.0, 0.5, 0.25, 0.1, 0.01, 0.005, 0.002)
"""Of a core."""

RECOVERY = 6.0
"""Seconds; longer than from one `health` event to the next."""


def main() -> int:
    """Measure and print; 1 without the virtual microphone."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.overload")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seconds", type=float, default=15.0, help="of starvation")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    args = parser.parse_args()
    if reason := missing():
        print(f"benchmarks.overload: {reason}", file=sys.stderr)
        return 1
    rows = []
    for share in SHARES:
        with tempfile.TemporaryDirectory() as folder:
            rows.append({"share": share, **starve(Path(folder), share, args.seconds)})
        if len(rows) == 1:
            print("".join(f"{name:>12}" for name in rows[0]))
        print("".join(f"{value!s:>12}" for value in rows[-1].values()), flush=True)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


def starve(folder: Path, share: float, seconds: float) -> dict[str, Any]:
    """Return what one session says of its time on `share` of a core."""
    speech = np.concatenate(list(read_recording(demo_clip())))[8_000 : 8_000 + 2 * 16_000]
    soundfile.write(folder / "word.wav", speech, 16_000)
    long = np.tile(speech, round((seconds + RECOVERY) / 2))
    soundfile.write(folder / "speech.wav", long, 16_000)
    with ExitStack() as stack:
        server = PulseServer(folder, 16_000)
        stack.callback(server.kill)
        server.start()
        command = [sys.executable, "-m", "streamser", "listen"]
        listening = subprocess.Popen(command, env=server.env, stdout=subprocess.PIPE)
        stack.callback(listening.wait)
        stack.callback(listening.kill)
        came: list[Arrived] = []
        reader = threading.Thread(target=lambda: came.extend(arrivals(listening)))
        reader.start()
        while not any(arrived.event["type"] == "speech.started" for arrived in came):
            server.play(folder / "word.wav")
        player = threading.Thread(target=server.play, args=(folder / "speech.wav",))
        player.start()
        with starved(listening.pid, share) if share < 1 else nullcontext("-") as means:
            time.sleep(seconds)
        freed = time.monotonic()
        player.join()
        listening.terminate()
        reader.join()
    first = next(a for a in came if a.event["type"] == "speech.started")
    health = [arrived for arrived in came if arrived.event["type"] == "health"]
    answers = sum(a.event["type"] == "emotion" and first.at < a.at < freed for a in came)
    last = health[-1]
    return {
        "by": means,
        "answers": answers,
        "late_s": round(max(late(first, arrived) for arrived in came), 2),
        "lag_s": round(max(h.event["lag_s"] for h in health), 2),
        "last_lag_s": round(last.event["lag_s"], 2),
        "dropped_s": round(last.event["dropped_s"], 2),
        "overruns": last.event["overruns"],
        "uncounted_s": round(late(first, last), 2),
    }


def late(first: Arrived, arrived: Arrived) -> float:
    """Return by how much more the wall's clock went on from `first` than the session's."""
    return (arrived.at - first.at) - (arrived.event["t"] - first.event["t"])


if __name__ == "__main__":
    sys.exit(main())
