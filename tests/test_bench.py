"""`streamser bench` tells what it measured, and on what; no figure is asserted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from streamser.audio.recording import read_recording
from streamser.bench.machine import machine
from streamser.bench.throughput import measure_live, speech_in
from streamser.clip import demo_clip
from streamser.model.bundle import find, load


def bench(*arguments: str) -> str:
    command = [sys.executable, "-m", "streamser", "bench", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_json_holds_machine_stages_and_throughput() -> None:
    told = json.loads(bench("--quick", "--json"))
    assert {"cpu", "cores", "governor", "celsius", "throttled"} <= set(told["machine"])
    names = [stage["name"] for stage in told["stages_us"]]
    path = ["ring", "voice gate", "mfcc", "normaliser", "network", "pooling"]
    assert names == ["resample 48 kHz", *path, "head", "verdict", "event"]
    assert all(0 < s["median"] <= s["p95"] <= s["p99"] for s in told["stages_us"])
    assert 0.99 < sum(stage["share"] for stage in told["stages_us"]) < 1.01
    throughput = told["throughput"]
    assert throughput["silence_ms"] < throughput["speech_ms"]
    assert throughput["answer_us"] == sorted(throughput["answer_us"])
    assert throughput["streams"] > 1
    assert throughput["times_real_time"] > 1
    assert told["live"] is None


def test_the_last_line_fits_into_an_issue() -> None:
    line = bench("--quick").splitlines()[-1]
    assert line.startswith("streamser ")
    assert "real time" in line


def test_live_is_a_process_of_its_own_in_real_time(tmp_path: Path) -> None:
    samples, rate = soundfile.read(demo_clip(), dtype="int16", frames=48_000)
    soundfile.write(tmp_path / "three.wav", samples, rate)
    live = measure_live(tmp_path / "three.wav", find())
    assert live.seconds == pytest.approx(3.0, abs=0.1)
    assert live.start_ms > 0
    assert live.cpu > 0
    assert live.rss_mb is not None
    assert live.latency_p50_ms is not None
    assert live.latency_p99_ms is not None
    with pytest.raises(RuntimeError, match="did not finish"):
        measure_live(tmp_path / "three.wav", tmp_path)


def test_speech_is_the_clip_without_its_pauses() -> None:
    clip = np.concatenate(list(read_recording(demo_clip())))
    speech = speech_in(load(), clip)
    assert speech.size < clip.size
    assert np.abs(speech).mean() > np.abs(clip).mean()


def test_a_pi_names_itself_its_governor_heat_and_throttling(tmp_path: Path) -> None:
    told = {
        "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1800000\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
        "sys/class/thermal/thermal_zone0/temp": "61342\n",
        "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
    }
    for name, content in told.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    here = machine(tmp_path)
    assert here.cpu == "Raspberry Pi 4 Model B Rev 1.4"
    assert (here.mhz, here.governor, here.celsius) == (1800, "ondemand", 61.342)
    assert here.throttled == (
        "under-voltage, throttled, under-voltage since boot, throttled since boot"
    )
    (tmp_path / "sys/devices/platform/soc/soc:firmware/get_throttled").write_text("0\n")
    assert machine(tmp_path).throttled == ""
    bare = machine(tmp_path / "nothing")
    assert (bare.mhz, bare.governor, bare.celsius, bare.throttled) == (None,) * 4
    assert bare.cpu
