"""The bundled clip: synthesised, as its script makes it, with sentences that the gate finds."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
import soundfile

from streamser.analysis.voice import HOP, HOP_SECONDS, GateSettings, VoiceGate
from streamser.clip import demo_clip


def test_clip_is_small_and_ready_to_play() -> None:
    samples, rate = soundfile.read(demo_clip(), dtype="int16")
    assert rate == 16_000 and samples.ndim == 1
    assert 20 <= samples.size / rate <= 26
    assert demo_clip().stat().st_size < 500_000
    assert 10_000 < np.abs(samples).max() < 32_000


def test_voice_gate_finds_every_sentence() -> None:
    samples, _ = soundfile.read(demo_clip(), dtype="int16")
    gate = VoiceGate(GateSettings())
    states = [gate.push(hop) for hop in samples[: samples.size // HOP * HOP].reshape(-1, HOP)]
    # Five sentences, and the noise, which is for the network to tell from a voice.
    assert states.count("opened") == states.count("ended") == 6
    open_seconds = sum(state != "closed" for state in states) * HOP_SECONDS
    assert 12 < open_seconds < 21


def test_script_makes_the_same_clip() -> None:
    if not shutil.which("espeak-ng"):
        pytest.skip("needs espeak-ng: sudo apt-get install -y espeak-ng")
    version = subprocess.run(["espeak-ng", "--version"], capture_output=True, text=True).stdout
    if "1.51" not in version:
        pytest.skip(f"the clip was made with espeak-ng 1.51, here is {version.split('  ')[0]}")
    from train.demo_clip import clip

    samples, _ = soundfile.read(demo_clip(), dtype="int16")
    made = clip().astype(np.int32)
    assert made.size == samples.size
    assert np.abs(made - samples).max() <= 1
