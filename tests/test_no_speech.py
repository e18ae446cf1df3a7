"""No voice, no emotion: what a microphone hears when nobody speaks."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from corpora import ROOT, needs_corpora
from numpy.typing import NDArray

from streamser.analysis.analyzer import Analyzer
from streamser.events import Emotion
from streamser.model.bundle import Bundle, load

RATE = 16_000
SECONDS = 8


@functools.cache
def bundle() -> Bundle:
    return load()


def noise(slope: float, seed: int) -> NDArray[np.float64]:
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(SECONDS * RATE))
    frequency = np.maximum(np.fft.rfftfreq(SECONDS * RATE, 1 / RATE), 20.0)
    shaped = np.fft.irfft(spectrum / frequency ** (slope / 2))
    return np.asarray(shaped / np.abs(shaped).max())


def clicks() -> NDArray[np.float64]:
    train = np.zeros(SECONDS * RATE)
    train[::4_111] = 1.0
    return train


TIME = np.arange(SECONDS * RATE) / RATE
HUM = sum(np.sin(2 * np.pi * 50 * k * TIME + k) / k for k in (1, 2, 3, 5, 7))

SOUNDS = {
    "digital zero": 0 * TIME,
    "dither": noise(0, 1) / 10_000,
    "direct current": 0 * TIME + 0.5,
    "full scale": 0 * TIME + 1.0,
    "clicks": clicks(),
    "50 Hz hum": HUM / 4,
    "loud 50 Hz hum, clipped": np.clip(HUM * 3, -1, 1),
    "quiet white noise": noise(0, 2) * 0.01,
    "white noise": noise(0, 3) * 0.3,
    "clipped white noise": np.sign(noise(0, 4)),
    "quiet pink noise": noise(1, 5) * 0.01,
    "pink noise": noise(1, 6) * 0.5,
    "a tone": np.sin(2 * np.pi * 440 * TIME) * 0.3,
}


@pytest.mark.parametrize("name", SOUNDS)
def test_synthesised_sounds_have_no_emotion(name: str) -> None:
    samples = np.clip(SOUNDS[name] * 32767, -32768, 32767).astype(np.int16)
    analyzer = Analyzer(model=bundle())
    events = analyzer.push(samples) + analyzer.finish()
    assert [e for e in events if isinstance(e, Emotion) and e.label is not None] == []


@needs_corpora
def test_real_sounds_rarely_have_an_emotion() -> None:
    """ESC-10's fifth fold: dogs, rain, waves, babies, clocks, sneezes, helicopters, saws, fires."""
    pytest.importorskip("pyroomacoustics")
    from train.corpora import esc10
    from train.judge import emotional_seconds, hear

    clips = [clip for clip in esc10.READER.read(ROOT) if clip.repetition == "fold5"]
    assert emotional_seconds(hear(bundle(), clips)) <= 0.02
