"""Synthesised sounds that are no voice: what a microphone hears when nobody speaks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import lfilter

from train.corpora.clip import Clip

RATE = 16_000
Floats = NDArray[np.float64]
Sound = Callable[[int, np.random.Generator], Floats]


def white(n: int, rng: np.random.Generator) -> Floats:
    return rng.standard_normal(n)


def pink(n: int, rng: np.random.Generator) -> Floats:
    return _coloured(n, rng, slope=rng.uniform(0.7, 1.3))


def brown(n: int, rng: np.random.Generator) -> Floats:
    return _coloured(n, rng, slope=rng.uniform(1.7, 2.3))


def hum(n: int, rng: np.random.Generator) -> Floats:
    base = rng.choice([50.0, 60.0]) * rng.uniform(0.998, 1.002)
    harmonics = np.arange(1, 30)
    strength = rng.uniform(0, 1, harmonics.size) / harmonics ** rng.uniform(0.3, 1.5)
    return _tones(n, base * harmonics, strength, rng) + 0.03 * rng.standard_normal(n)


def tone(n: int, rng: np.random.Generator) -> Floats:
    sweep = rng.uniform(-400, 400) if rng.random() < 0.5 else 0.0
    t = np.arange(n) / RATE
    phase = 2 * np.pi * (rng.uniform(80, 3500) * t + 0.5 * sweep * t**2)
    return np.sin(phase) + rng.uniform(0, 0.3) * np.sin(2 * phase)


def clicks(n: int, rng: np.random.Generator) -> Floats:
    train = np.zeros(n)
    at = np.cumsum(rng.exponential(RATE / rng.uniform(1, 25), size=400)).astype(int)
    at = at[at < n]
    train[at] = rng.uniform(-1, 1, at.size)
    pole = rng.uniform(0.5, 0.99)
    centre = np.cos(2 * np.pi * rng.uniform(200, 5000) / RATE)
    return np.asarray(lfilter([1.0], [1.0, -2 * pole * centre, pole**2], train))


def gusts(n: int, rng: np.random.Generator) -> Floats:
    rate = rng.uniform(0.3, 6)
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * rate * np.arange(n) / RATE + rng.uniform(0, 6))
    return _coloured(n, rng, slope=rng.uniform(0.5, 2)) * swell ** rng.uniform(0.5, 4)


def music(n: int, rng: np.random.Generator) -> Floats:
    out = np.zeros(n)
    beat = int(RATE * rng.uniform(0.12, 0.6))
    root = rng.uniform(80, 300)
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 12, 14, 16])
    strength = 1.0 / np.arange(1, 9) ** rng.uniform(0.7, 2.0)
    for start in range(0, n, beat):
        length = min(int(beat * rng.uniform(1, 4)), n - start)
        envelope = np.exp(-np.arange(length) / RATE * rng.uniform(1, 8))
        for step in rng.choice(scale, size=rng.integers(1, 4), replace=False):
            partials = root * 2 ** (step / 12) * np.arange(1, 9)
            out[start : start + length] += envelope * _tones(length, partials, strength, rng)
        if rng.random() < 0.6:
            hit = min(1600, n - start)
            decay = np.exp(-np.arange(hit) / rng.uniform(100, 500))
            out[start : start + hit] += decay * rng.standard_normal(hit) * rng.uniform(0, 2)
    return out


def engine(n: int, rng: np.random.Generator) -> Floats:
    base = rng.uniform(20, 120)
    t = np.arange(n) / RATE
    wobble = 1 + 0.05 * np.sin(2 * np.pi * rng.uniform(0.1, 2) * t)
    phase = 2 * np.pi * np.cumsum(base * wobble) / RATE
    rattle = sum(np.sin(k * phase + rng.uniform(0, 6)) / k**0.7 for k in range(1, 25))
    return np.asarray(rattle + rng.uniform(0, 1) * _coloured(n, rng, slope=1.0))


def offset(n: int, rng: np.random.Generator) -> Floats:
    return 5.0 + 0.01 * rng.standard_normal(n)


SOUNDS: tuple[Sound, ...] = (
    white, pink, brown, hum, tone, clicks, gusts, music, music, engine, offset,
)  # fmt: skip


def synthesise(folder: Path, *, count: int, seed: int) -> list[Clip]:
    """Write `count` sounds of 3 s below `folder`, those not there yet; return their clips."""
    folder.mkdir(parents=True, exist_ok=True)
    clips = []
    for i in range(count):
        sound = SOUNDS[i % len(SOUNDS)]
        name = f"{sound.__name__}-{seed}-{i:04d}"
        path = folder / f"{name}.flac"
        if not path.exists():
            rng = np.random.default_rng([seed, i])
            samples = sound(3 * RATE, rng)
            loud = 10 ** (rng.uniform(-45, -3) / 20)
            soundfile.write(path, np.clip(samples / np.abs(samples).max() * loud, -1, 1), RATE)
        clips.append(
            Clip(
                path=path, corpus="synthetic", name=name, speaker=name, gender=None, language=None,
                emotion="unknown", emotion_raw=sound.__name__, intensity=None,
                statement=sound.__name__, repetition=None,
            )
        )  # fmt: skip
    return clips


def _coloured(n: int, rng: np.random.Generator, *, slope: float) -> Floats:
    spectrum = np.fft.rfft(rng.standard_normal(n))
    frequency = np.maximum(np.fft.rfftfreq(n, 1 / RATE), 20.0)
    noise = np.fft.irfft(spectrum / frequency ** (slope / 2), n)
    return np.asarray(noise / noise.std())


def _tones(n: int, hertz: Floats, strength: Floats, rng: np.random.Generator) -> Floats:
    t = np.arange(n) / RATE
    audible = hertz < 0.45 * RATE
    phases = rng.uniform(0, 2 * np.pi, hertz.size)
    waves = np.sin(2 * np.pi * hertz[audible, None] * t + phases[audible, None])
    return np.asarray(strength[audible] @ waves)
