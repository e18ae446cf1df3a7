"""What happens to a voice on its way to a microphone, in the log-mel domain."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from train.recipe import AugmentSettings

Floats = NDArray[np.float32]


class Augment:
    """Applies the settings to one clip after another."""

    def __init__(
        self, settings: AugmentSettings, *, floor_db: float, bands_hz: Floats, frame_seconds: float
    ) -> None:
        self._s = settings
        self._floor = floor_db
        self._hz = bands_hz
        self._frame_seconds = frame_seconds
        self._ramp = np.linspace(-0.5, 0.5, bands_hz.size, dtype=np.float32)
        orders = np.arange(1, 5)[:, None]
        self._waves = np.cos(np.pi * orders * (self._ramp + 0.5)).astype(np.float32) / orders

    def __call__(
        self,
        log_mel: NDArray[np.floating],
        noise: Callable[[int, np.random.Generator], Floats | None],
        rng: np.random.Generator,
    ) -> Floats:
        """Return a changed copy of (frames, n_mels) decibels.

        `noise` gives so many frames of a sound, or None if there are no sounds.
        """
        s = self._s
        x = log_mel.astype(np.float32)
        if rng.random() < s.reverb:
            x = self._reverberate(x, rng)
        if s.warp:
            x = self._warp(x, rng)
        if rng.random() < s.noise and (sound := noise(len(x), rng)) is not None:
            x = self._add_noise(x, sound, rng)
        x += rng.uniform(-s.gain_db, s.gain_db) + rng.uniform(-s.tilt_db, s.tilt_db) * self._ramp
        x += s.ripple_db * rng.standard_normal(len(self._waves), dtype=np.float32) @ self._waves
        if rng.random() < s.band_limit:
            low, high = rng.uniform(100, 350), rng.uniform(3200, 5500)
            x[:, (self._hz < low) | (self._hz > high)] -= rng.uniform(15, 50)
        np.maximum(x, self._floor, out=x)
        self._mask(x, rng)
        return x

    def _add_noise(self, x: Floats, noise: Floats, rng: np.random.Generator) -> Floats:
        level = _level(x) - _level(noise) - rng.uniform(*self._s.snr_db)
        return np.logaddexp2(x * _BELS, (noise + level) * _BELS) / _BELS

    def _warp(self, x: Floats, rng: np.random.Generator) -> Floats:
        # Vocal tract length perturbation (Jaitly and Hinton, 2013), along the mel axis.
        stretch = rng.uniform(1.0 - self._s.warp, 1.0 + self._s.warp)
        at = np.minimum(np.arange(x.shape[1], dtype=np.float32) * stretch, x.shape[1] - 1)
        low = np.minimum(at.astype(int), x.shape[1] - 2)
        share = (at - low).astype(np.float32)
        return x[:, low] * (1 - share) + x[:, low + 1] * share

    def _reverberate(self, x: Floats, rng: np.random.Generator) -> Floats:
        # A diffuse tail decays exponentially in power (Polack, 1988).
        decay = 10.0 ** (-6.0 * self._frame_seconds / rng.uniform(*self._s.reverb_seconds))
        wet = (1.0 - decay) * 10.0 ** (rng.uniform(-1.0, 0.3))
        power = np.exp2(x * _BELS)
        tail = lfilter([0.0, wet], [1.0, -decay], power, axis=0)
        return (np.log2(power + tail) / _BELS).astype(np.float32)

    def _mask(self, x: Floats, rng: np.random.Generator) -> None:
        # SpecAugment (Park et al., Interspeech 2019).
        mean = x.mean(axis=0)
        longest = round(self._s.time_mask_seconds / self._frame_seconds)
        for _ in range(self._s.time_masks):
            width = int(rng.integers(0, longest + 1))
            start = int(rng.integers(0, max(1, len(x) - width)))
            x[start : start + width] = mean
        for _ in range(self._s.band_masks):
            width = int(rng.integers(0, self._s.band_mask_bands + 1))
            start = int(rng.integers(0, x.shape[1] - width + 1))
            x[:, start : start + width] = mean[start : start + width]


_BELS = np.float32(np.log2(10.0) / 10.0)


def _level(log_mel: Floats) -> float:
    """Level of the louder half of the frames, in decibels."""
    frames = log_mel.max(axis=1)
    return float(np.percentile(frames, 75))
