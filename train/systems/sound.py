"""Recordings as floats at any rate, and the augmented copies that the publications made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from streamser.audio.source import SourceError

Floats = NDArray[np.float32]

SHORTEST = 0.05
"""Seconds; what a system says of less is made up."""


def read(path: Path, *, rate: int, offset: float = 0.0, seconds: float | None = None) -> Floats:
    """Return (n,) float32 mono at `rate`, `seconds` from `offset` on.

    Raises SourceError, also where there is no number to hear or less than SHORTEST seconds of it.
    """
    try:
        samples, native = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise SourceError(f"{path} cannot be read: {error}") from None
    mono = samples.mean(axis=1)
    if not np.isfinite(mono).all():
        raise SourceError(f"{path} is damaged: it has samples that are no numbers (NaN or Inf)")
    if native != rate:
        mono = soxr.resample(mono, native, rate, quality="HQ")
    start = round(offset * rate)
    end = None if seconds is None else start + round(seconds * rate)
    heard = np.asarray(mono[start:end], dtype=np.float32)
    if heard.size < SHORTEST * rate:
        after = f" after {offset:g} s" if offset else ""
        raise SourceError(f"{path} holds too little audio{after}: {heard.size / rate:.2f} s")
    return heard


def noise(samples: Floats, rate: int, rng: np.random.Generator, *, amplitude: float) -> Floats:
    """Add white noise of up to `amplitude` of the peak."""
    level = amplitude * rng.uniform() * np.abs(samples).max(initial=0.0)
    return samples + (level * rng.standard_normal(samples.size)).astype(np.float32)


def pitch_stretch(
    samples: Floats, rate: int, rng: np.random.Generator, *, semitones: float, speed: float
) -> Floats:
    """Stretch by `speed`, then move the pitch."""
    import librosa

    stretched = librosa.effects.time_stretch(samples, rate=speed)
    return np.asarray(librosa.effects.pitch_shift(stretched, sr=rate, n_steps=semitones))


def shift(samples: Floats, rate: int, rng: np.random.Generator, *, seconds: float) -> Floats:
    """Roll the recording around by up to `seconds` either way."""
    return np.roll(samples, round(rng.uniform(-seconds, seconds) * rate))


COPIES: dict[str, Callable[..., Floats]] = {
    function.__name__: function for function in (noise, pitch_stretch, shift)
}


def generator(key: str) -> np.random.Generator:
    """The same random numbers for the same clip and copy on every machine."""
    return np.random.default_rng(list(hashlib.sha256(key.encode()).digest()[:16]))
