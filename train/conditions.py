"""What a room and a telephone do to a voice, so that figures can be had for both."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from streamser.audio.source import SAMPLE_RATE
from train.corpora.clip import Clip
from train.features import read_samples
from train.rooms import ROOMS, in_room, room_of

Samples = NDArray[np.int16]
Condition = Callable[[Samples], Samples]

SNRS_DB = (20, 10, 5)


def conditions(noises: Sequence[Clip], *, seed: int) -> dict[str, Condition]:
    """Return what may happen to a clip, by name; `noises` are the recorded sounds of the test side.

    The signal-to-noise ratio is of the root mean squares of the clip and of the noise under it.
    """
    sounds = [read_samples(noise.path) for noise in noises]
    noisy: dict[str, Condition] = {
        f"{snr} dB SNR": _noisy(sounds, snr, np.random.default_rng(seed)) for snr in SNRS_DB
    }
    return noisy | {"in a room": _rooms(np.random.default_rng(seed)), "telephone": telephone}


def telephone(samples: Samples) -> Samples:
    """Through a narrow-band telephone: 300 to 3400 Hz, 8 kHz, 8-bit mu-law (ITU-T G.711)."""
    low = soxr.resample(samples.astype(np.float64) / 32768.0, SAMPLE_RATE, 8000)
    band = butter(4, (300, 3400), btype="bandpass", fs=8000, output="sos")
    heard = np.clip(sosfilt(band, low), -1.0, 1.0)
    law = np.sign(heard) * np.log1p(255.0 * np.abs(heard)) / np.log1p(255.0)
    coded = np.round(law * 127.0) / 127.0
    decoded = np.sign(coded) * np.expm1(np.abs(coded) * np.log1p(255.0)) / 255.0
    return _int16(soxr.resample(decoded, 8000, SAMPLE_RATE) * 32768.0)


def _rooms(rng: np.random.Generator) -> Condition:
    return lambda samples: in_room(samples, room_of("test", int(rng.integers(ROOMS))))


def _noisy(sounds: Sequence[Samples], snr_db: float, rng: np.random.Generator) -> Condition:
    def mix(samples: Samples) -> Samples:
        sound = sounds[int(rng.integers(len(sounds)))].astype(np.float64)
        at = int(rng.integers(sound.size))
        noise = np.take(sound, range(at, at + samples.size), mode="wrap")
        voice = samples.astype(np.float64)
        level = _rms(voice) / max(_rms(noise), 1.0) * 10.0 ** (-snr_db / 20.0)
        return _int16(voice + level * noise)

    return mix


def _rms(samples: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def _int16(samples: NDArray[np.float64]) -> Samples:
    return np.clip(np.round(samples), -32768, 32767).astype(np.int16)
