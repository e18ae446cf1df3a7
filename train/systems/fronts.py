"""Front ends by name: samples of one recording to what a network of fixed input sees.

Each takes (n,) float32 at `rate` and its parameters, and returns float32 of a fixed shape.
"""

from __future__ import annotations

from collections.abc import Callable

import librosa
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.fft import dct
from scipy.signal import get_window

Floats = NDArray[np.float32]


def mfcc_profile(samples: Floats, rate: int, *, n_mfcc: int, frames: int) -> Floats:
    """MFCC averaged over the coefficients: (frames, 1), how strong each moment is."""
    mfcc = librosa.feature.mfcc(y=samples, sr=rate, n_mfcc=n_mfcc)
    return _fit(mfcc.mean(axis=0), frames)[:, None]


def mfcc_mean(samples: Floats, rate: int, *, n_mfcc: int, n_fft: int, hop: int) -> Floats:
    """MFCC averaged over time: (n_mfcc, 1)."""
    mfcc = librosa.feature.mfcc(
        y=_at_least(samples, n_fft), sr=rate, n_mfcc=n_mfcc, n_fft=n_fft, hop_length=hop
    )
    return np.asarray(mfcc.mean(axis=1)[:, None], dtype=np.float32)


def means(samples: Floats, rate: int, *, n_mfcc: int, n_mels: int) -> Floats:
    """Means over time of MFCC, chroma and mel power: (n_mfcc + 12 + n_mels, 1)."""
    samples = _at_least(samples, 2048)
    spectrum = np.abs(librosa.stft(samples))
    rows = (
        librosa.feature.mfcc(y=samples, sr=rate, n_mfcc=n_mfcc),
        librosa.feature.chroma_stft(S=spectrum, sr=rate),
        librosa.feature.melspectrogram(S=spectrum**2, sr=rate, n_mels=n_mels),
    )
    return np.concatenate([row.mean(axis=1) for row in rows])[:, None].astype(np.float32)


def stacked_image(samples: Floats, rate: int, *, columns: int) -> Floats:
    """Mel, chroma, delta-delta MFCC, contrast and tonnetz on top of each other: (106, columns, 1).

    31 mel bands in decibels (128 averaged by 4, the last four left out), 12 chroma, 50 second
    differences of MFCC, 7 bands of spectral contrast, 6 of tonnetz over the same chroma.
    """
    samples = _at_least(samples, 16 * 512)
    spectrum = np.abs(librosa.stft(samples))
    mel = librosa.feature.melspectrogram(S=spectrum**2, sr=rate, n_mels=128)
    decibels = librosa.power_to_db(mel)
    chroma = librosa.feature.chroma_stft(S=spectrum, sr=rate)
    mfcc = librosa.feature.mfcc(S=decibels, sr=rate, n_mfcc=50)
    rows = np.concatenate(
        [
            decibels[:124].reshape(31, 4, -1).mean(axis=1),
            chroma,
            librosa.feature.delta(mfcc, order=2),
            librosa.feature.spectral_contrast(S=spectrum, sr=rate),
            librosa.feature.tonnetz(chroma=chroma),
        ]
    )
    at = np.linspace(0, rows.shape[1] - 1, columns)
    resized = [np.interp(at, np.arange(rows.shape[1]), row) for row in rows]
    return np.array(resized, dtype=np.float32)[..., None]


def linear_stft(samples: Floats, rate: int, *, length: int, window: int, hop: int) -> Floats:
    """Magnitudes of an STFT of `length` samples, padded on the left: (steps, bins, 1)."""
    return _magnitudes(_fit(samples, length, left=True), window=window, hop=hop)[..., None]


def mel_image(
    samples: Floats, rate: int, *, length: int, window: int, hop: int, n_mels: int
) -> Floats:
    """The same with mel bands in decibels below the loudest, 80 at most: (steps, n_mels, 1)."""
    magnitudes = _magnitudes(_fit(samples, length, left=True), window=window, hop=hop)
    filters = librosa.filters.mel(
        sr=rate, n_fft=2 * (magnitudes.shape[1] - 1), n_mels=n_mels, htk=True, norm=None
    )
    power = magnitudes**2 @ filters.T
    return np.asarray(librosa.power_to_db(power, ref=np.max)[..., None], dtype=np.float32)


def mfcc_image(
    samples: Floats,
    rate: int,
    *,
    length: int,
    window: int,
    hop: int,
    n_mels: int,
    n_mfcc: int,
    fmin: float,
    fmax: float,
    limit: float,
) -> Floats:
    """MFCC of the middle `length` samples, held within +-`limit`: (steps, n_mfcc, 1)."""
    spare = max(0, samples.size - length) // 2
    missing = max(0, length - samples.size)
    middle = np.pad(samples[spare : spare + length], (missing // 2, missing - missing // 2))
    magnitudes = _magnitudes(middle, window=window, hop=hop)
    filters = librosa.filters.mel(
        sr=rate, n_fft=window, n_mels=n_mels, fmin=fmin, fmax=fmax, htk=True, norm=None
    )
    log_mel = np.log(magnitudes @ filters.T + 1e-6)
    mfcc = dct(log_mel, type=2, axis=1)[:, :n_mfcc] / np.sqrt(2 * n_mels)
    return np.clip(mfcc, -limit, limit)[..., None].astype(np.float32)


FRONTS: dict[str, Callable[..., Floats]] = {
    front.__name__: front
    for front in (
        mfcc_profile,
        mfcc_mean,
        means,
        stacked_image,
        linear_stft,
        mel_image,
        mfcc_image,
    )
}


def _magnitudes(samples: Floats, *, window: int, hop: int) -> Floats:
    """(steps, bins); the FFT is the next power of two."""
    frames = sliding_window_view(samples, window)[::hop]
    n_fft = 1 << (window - 1).bit_length()
    spectrum = np.fft.rfft(frames * get_window("hann", window), n_fft, axis=1)
    return np.abs(spectrum).astype(np.float32)


def _fit(samples: Floats, length: int, *, left: bool = False) -> Floats:
    missing = max(0, length - samples.size)
    cut = samples[:length].astype(np.float32)
    return np.pad(cut, (missing, 0) if left else (0, missing))


def _at_least(samples: Floats, length: int) -> Floats:
    return np.pad(samples, (0, max(0, length - samples.size)))
