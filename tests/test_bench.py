"""`streamser bench` tells what it measured, and on what; no figure is asserted."""

from __future__ import annotations

import json
import subprocess
import sys


def bench(*arguments: str) -> str:
    command = [sys.executable, "-m", "streamser", "bench", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_json_holds_machine_stages_and_throughput() -> None:
    told = json.loads(bench("--quick", "--json"))
    assert {"cpu", "cores", "governor", "celsius", "throttled"} <= set(told["machine"])
    names = [stage["name"] for stage in told["stages_us"]]
    assert {"ring", "voice gate", "mfcc", "network", "verdict", "event"} <= set(names)
    assert all(0 < s["median"] <= s["p95"] <= s["p99"] for s in told["stages_us"])
    assert 0.99 < sum(stage["share"] for stage in told["stages_us"]) < 1.01
    assert told["throughput"]["silence_ms"] < told["throughput"]["speech_ms"]
    assert told["live"] is None


def test_the_last_line_fits_into_an_issue() -> None:
    line = bench("--quick").splitlines()[-1]
    assert line.startswith("streamser ")
    assert "real time" in line
