"""Incremental mel-frequency cepstral coefficients in numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamser.analysis.fourier import Transform, fourier
from streamser.analysis.hops import HOP
from streamser.model.bundle import HOPS_AT_ONCE
from streamser.model.manifest import Features

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Memory:
    """Working memory for some frames.

    Matrix products take a block of them at a time, whatever came along, so that numbers stay.
    """

    frames: Floats
    window: Floats
    windowed: Floats
    spectrum: Transform
    power: Floats
    """(blocks, frames of a block, bins)."""

    bands: Floats
    """(blocks, frames of a block, n_mels)."""


class Mfcc:
    """Turns int16 samples into MFCC frames, a few at a time.

    The frames equal `librosa.feature.mfcc` over the same samples scaled to [-1, 1], with
    `center=False`, `power_to_db(ref=1.0, amin=log_floor, top_db=None)`, DCT-II, orthonormal.
    (Davis and Mermelstein, 1980; mel scale and area norm after Slaney's Auditory Toolbox, 1998.)
    """

    def __init__(self, features: Features) -> None:
        self._features = features
        n_fft, hop = features.n_fft, features.hop
        self.block = HOP // hop
        """Frames of a hop of the network."""

        # Float32 is exact enough: the error is 2e-7 of the largest coefficient. numpy transforms
        # float32 as such only where it has to scale by 1 / n_fft, so the window is larger by that.
        window = (n_fft * _hann(n_fft) / 32768.0).astype(np.float32)
        self._mel = mel_filters(features).T.copy()
        # From natural logarithms, which are cheaper, to decibels.
        decibels = 10.0 / np.log(10.0) * dct_matrix(features.n_mfcc, features.n_mels)
        self._dct = decibels.T.astype(np.float32)
        most = HOPS_AT_ONCE * self.block
        self._samples = np.zeros(n_fft + (most - 1) * hop, dtype=np.float32)
        self._memory = self._allocated(most, window)
        self._floor = np.array(features.log_floor, np.float32)
        self._filled = 0

    @property
    def context(self) -> int:
        """Samples of the past that a frame needs besides its own hop."""
        return self._features.n_fft - self._features.hop

    def push(self, samples: NDArray[np.int16]) -> Floats:
        """Take int16 samples, any number; return the frames they complete, (n, n_mfcc) float32."""
        parts = []
        while samples.size:
            room = self._samples.size - self._filled
            self.add(samples[:room])
            samples = samples[room:]
            parts.append(self.frames())
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if parts else self._empty()

    def add(self, samples: NDArray[np.int16]) -> None:
        """Take (n,) int16 samples and let them wait for `frames`.

        After the context, `HOPS_AT_ONCE` hops fit. Raises ValueError for more.
        """
        filled = self._filled + samples.size
        if filled > self._samples.size:
            raise ValueError(f"{filled} samples would wait, and {self._samples.size} fit")
        self._samples[self._filled : filled] = samples
        self._filled = filled

    def frames(self) -> Floats:
        """Return the frames that the samples which wait complete, (n, n_mfcc) float32."""
        count = (self._filled - self._features.n_fft) // self._features.hop + 1
        return self._transform(count) if count > 0 else self._empty()

    def reset(self) -> None:
        """Forget the samples of unfinished frames."""
        self._filled = 0

    def _transform(self, count: int) -> Floats:
        memory = self._memory[(count - 1) // self.block]
        windowed, power, bands = memory.windowed, memory.power, memory.bands
        windowed[:] = memory.frames
        np.multiply(windowed, memory.window, out=windowed)
        np.abs(memory.spectrum(windowed).reshape(power.shape), out=power)
        np.multiply(power, power, out=power)
        np.matmul(power, self._mel, out=bands)
        np.maximum(bands, self._floor, out=bands)
        np.log(bands, out=bands)
        consumed = count * self._features.hop
        self._samples[: self._filled - consumed] = self._samples[consumed : self._filled]
        self._filled -= consumed
        mfcc: Floats = np.matmul(bands, self._dct)
        return mfcc.reshape(-1, self._features.n_mfcc)[:count]

    def _allocated(self, most: int, window: Floats) -> list[_Memory]:
        """Return the memory for one block of frames, for two and so on: of the largest, a part.

        Each frame has the (n_fft,) `window` to itself: what numpy has to repeat it buffers.
        """
        n_fft = self._features.n_fft
        frames = np.lib.stride_tricks.sliding_window_view(self._samples, n_fft)
        frames = frames[:: self._features.hop]
        windows = np.tile(window, (most, 1))
        windowed = np.empty_like(windows)
        bins = n_fft // 2 + 1
        blocked = (most // self.block, self.block)
        power = windowed.ravel()[: most * bins].reshape(*blocked, bins)  # when the frames have gone
        bands = np.empty((*blocked, self._features.n_mels), dtype=np.float32)
        return [
            _Memory(
                frames=frames[:rows],
                window=windows[:rows],
                windowed=windowed[:rows],
                spectrum=fourier(rows, n_fft),
                power=power[:blocks],
                bands=bands[:blocks],
            )
            for blocks, rows in enumerate(range(self.block, most + 1, self.block), start=1)
        ]

    def _empty(self) -> Floats:
        return np.empty((0, self._features.n_mfcc), dtype=np.float32)


def mel_filters(features: Features) -> Floats:
    """Return triangular mel filters of equal area, (n_mels, n_fft // 2 + 1) float32."""
    bins = np.fft.rfftfreq(features.n_fft, 1.0 / features.sample_rate)
    low, high = _hz_to_mel(features.fmin), _hz_to_mel(features.fmax)
    edges = _mel_to_hz(np.linspace(low, high, features.n_mels + 2))
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    area = 2.0 / (edges[2:] - edges[:-2])
    return (triangles * area[:, None]).astype(np.float32)


def dct_matrix(n_out: int, n_in: int) -> NDArray[np.float64]:
    """Return the orthonormal DCT-II, (n_out, n_in) float64."""
    angles = np.pi / n_in * (np.arange(n_in) + 0.5) * np.arange(n_out)[:, None]
    matrix = np.sqrt(2.0 / n_in) * np.cos(angles)
    matrix[0] /= np.sqrt(2.0)
    return np.asarray(matrix)


def _hann(size: int) -> NDArray[np.float64]:
    return np.asarray(0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(size) / size))


# Slaney's mel scale: linear to 1 kHz, logarithmic above.
_HZ_PER_MEL = 200.0 / 3
_BREAK_HZ = 1000.0
_BREAK_MEL = _BREAK_HZ / _HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0


def _hz_to_mel(hz: float) -> float:
    if hz < _BREAK_HZ:
        return hz / _HZ_PER_MEL
    return float(_BREAK_MEL + np.log(hz / _BREAK_HZ) / _LOG_STEP)


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = mel * _HZ_PER_MEL
    return np.where(mel < _BREAK_MEL, linear, _BREAK_HZ * np.exp(_LOG_STEP * (mel - _BREAK_MEL)))
