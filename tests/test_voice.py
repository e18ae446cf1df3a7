"""The voice gate: what opens it, what does not, and when it closes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streamser.analysis.hops import HOP, HOP_SECONDS
from streamser.analysis.voice import GateSettings, VoiceGate
from streamser.audio.recording import read_recording
from streamser.clip import demo_clip

Samples = NDArray[np.int16]


@pytest.fixture(scope="module")
def speech() -> Samples:
    """Return the first sentence of the synthesised clip, with the silence around it cut off."""
    samples = np.concatenate(list(read_recording(demo_clip())))
    loud = np.flatnonzero(np.abs(samples[: 16_000 * 5].astype(int)) > 500)
    return samples[loud[0] : loud[0] + 2 * 16_000]


def states(samples: Samples, settings: GateSettings | None = None) -> list[str]:
    gate = VoiceGate(settings or GateSettings())
    hops = samples[: samples.size // HOP * HOP].reshape(-1, HOP)
    return [gate.push(hop) for hop in hops]


def silence(seconds: float) -> Samples:
    return np.zeros(int(seconds * 16_000), np.int16)


def test_speech_opens_it_once_and_silence_closes_it(speech: Samples) -> None:
    found = states(np.concatenate([silence(1), speech, silence(2)]))
    assert found.count("opened") == 1
    assert found.count("ended") == 1
    assert found[:10] == ["closed"] * 10
    assert found[-1] == "closed"


def test_the_onset_reaches_back_to_the_first_voice(speech: Samples) -> None:
    gate = VoiceGate(GateSettings())
    samples = np.concatenate([silence(0.96), speech])
    for i in range(samples.size // HOP):
        if gate.push(samples[i * HOP : (i + 1) * HOP]) == "opened":
            start = (i - gate.onset_hops) * HOP_SECONDS
            assert 0.8 <= start <= 1.04
            return
    pytest.fail("speech did not open the gate")


def test_a_pause_between_words_does_not_split(speech: Samples) -> None:
    word = speech[:16_000]
    pause = np.concatenate([silence(1), word, silence(0.4), word, silence(2)])
    assert states(pause).count("opened") == 1
    rest = np.concatenate([silence(1), word, silence(1.5), word, silence(2)])
    assert states(rest).count("opened") == 2


@pytest.mark.parametrize("spacing", [0.25, 0.5, 1.0])
def test_clicks_do_not_open_it(spacing: float) -> None:
    samples = silence(6)
    samples[:: int(16_000 * spacing)] = 32767
    assert set(states(samples)) == {"closed"}


@pytest.mark.parametrize("level", [0, 1, 12_000, -32768])
def test_silence_and_direct_current_do_not_open_it(level: int) -> None:
    assert set(states(np.full(16_000 * 4, level, np.int16))) == {"closed"}


def test_aggressiveness_and_hangover_are_obeyed(speech: Samples) -> None:
    word = speech[:16_000]
    twice = np.concatenate([silence(1), word, silence(0.56), word, silence(2)])
    assert states(twice, GateSettings(hangover=0.24)).count("opened") == 2
    assert states(twice, GateSettings(hangover=1.5)).count("opened") == 1
    rng = np.random.default_rng(0)
    room = (rng.standard_normal(16_000 * 10) * 300).astype(np.int16)
    opened = [
        len([s for s in states(room, GateSettings(aggressiveness=a)) if s != "closed"])
        for a in (0, 3)
    ]
    assert opened[1] <= opened[0]


def test_reset_makes_it_new(speech: Samples) -> None:
    gate = VoiceGate(GateSettings())
    hops = np.concatenate([silence(0.5), speech]).reshape(-1)[: HOP * 25].reshape(-1, HOP)
    first = [gate.push(hop) for hop in hops]
    gate.reset()
    assert [gate.push(hop) for hop in hops] == first
