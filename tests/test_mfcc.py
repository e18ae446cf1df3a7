"""The incremental MFCC is librosa's, whatever the chunking."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamser.analysis.fourier import fourier
from streamser.analysis.hops import HOP
from streamser.analysis.mfcc import Mfcc, mel_filters
from streamser.model.bundle import HOPS_AT_ONCE
from streamser.model.manifest import Features

librosa = pytest.importorskip("librosa")

WIDE = Features(hop=320, n_mels=64, n_mfcc=64, fmin=40.0, fmax=7600.0, log_floor=1e-8)
NARROW = Features(n_mels=40, n_mfcc=13, fmin=20.0, fmax=8000.0, log_floor=1e-10)


def noise(n: int, seed: int = 0) -> NDArray[np.int16]:
    rng = np.random.default_rng(seed)
    swell = np.exp(np.sin(np.arange(n) / 3000.0) * 4.0)
    return np.clip(rng.standard_normal(n) * 40.0 * swell, -32768, 32767).astype(np.int16)


def reference(samples: NDArray[np.int16], features: Features) -> NDArray[np.float32]:
    power = librosa.feature.melspectrogram(
        y=samples.astype(np.float32) / 32768.0,
        sr=features.sample_rate,
        n_fft=features.n_fft,
        hop_length=features.hop,
        n_mels=features.n_mels,
        fmin=features.fmin,
        fmax=features.fmax,
        center=False,
    )
    decibels = librosa.power_to_db(power, ref=1.0, amin=features.log_floor, top_db=None)
    return librosa.feature.mfcc(S=decibels, n_mfcc=features.n_mfcc).T


@pytest.mark.parametrize("features", [WIDE, NARROW])
@pytest.mark.parametrize("kind", ["noise", "silence", "clipped", "tone"])
def test_frames_equal_librosa(features: Features, kind: str) -> None:
    tone = 12_000 * np.sin(2 * np.pi * 440 * np.arange(24_000) / 16_000)
    samples = {
        "noise": noise(24_000),
        "silence": np.zeros(24_000, np.int16),
        "clipped": np.where(noise(24_000) > 0, 32767, -32768).astype(np.int16),
        "tone": tone.astype(np.int16),
    }[kind]
    ours, theirs = Mfcc(features).push(samples), reference(samples, features)
    assert ours.shape == theirs.shape
    assert ours.dtype == np.float32
    # A pure tone leaves bands 100 dB down, where float32 transforms differ by rounding alone.
    tolerance = 2e-2 if kind == "tone" else 1e-4 * max(1.0, float(np.abs(theirs).max()) / 100)
    np.testing.assert_allclose(ours, theirs, atol=tolerance)


@pytest.mark.parametrize("features", [WIDE, NARROW])
def test_filters_equal_librosa(features: Features) -> None:
    theirs = librosa.filters.mel(
        sr=16_000, n_fft=512, n_mels=features.n_mels, fmin=features.fmin, fmax=features.fmax
    )
    np.testing.assert_allclose(mel_filters(features), theirs, atol=1e-7)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 3000), min_size=1, max_size=12), st.integers(0, 99))
def test_any_chunking_gives_the_same_frames(sizes: list[int], seed: int) -> None:
    samples = noise(sum(sizes), seed)
    whole = Mfcc(WIDE).push(samples)
    stage = Mfcc(WIDE)
    parts = [stage.push(part) for part in np.split(samples, np.cumsum(sizes)[:-1])]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_more_than_fits_cannot_wait() -> None:
    stage = Mfcc(WIDE)
    stage.add(noise(stage.context + HOPS_AT_ONCE * HOP))
    with pytest.raises(ValueError, match="4033 samples would wait, and 4032 fit"):
        stage.add(noise(1))
    assert len(stage.frames()) == HOPS_AT_ONCE * stage.block


def test_reset_forgets_the_past() -> None:
    stage = Mfcc(WIDE)
    stage.push(noise(777, 1))
    stage.reset()
    np.testing.assert_array_equal(stage.push(noise(4000, 2)), Mfcc(WIDE).push(noise(4000, 2)))


def test_what_push_returned_stays_as_it_is() -> None:
    stage = Mfcc(WIDE)
    first = stage.push(noise(2000, 3))
    kept = first.copy()
    stage.push(noise(2000, 4))
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("n_fft", [512, 400, 255])
def test_the_short_way_to_the_transform_is_numpys_own(n_fft: int) -> None:
    windowed = np.random.default_rng(n_fft).standard_normal((12, n_fft)).astype(np.float32)
    direct = fourier(12, n_fft)
    spectrum = direct(windowed)
    np.testing.assert_array_equal(spectrum, np.fft.rfft(windowed, norm="forward"))
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        assert spectrum.dtype == np.complex64
        assert direct(windowed) is spectrum, "the memory that is there is used again"


@pytest.mark.parametrize(
    "numpys",
    [
        SimpleNamespace(),
        SimpleNamespace(rfft_n_even=lambda frames, scale: frames),
        SimpleNamespace(rfft_n_even=lambda frames, scale, spectrum: spectrum.fill(1.0)),
    ],
    ids=["renamed", "other arguments", "other numbers"],
)
def test_another_numpy_is_asked_the_long_way(
    numpys: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "numpy.fft._pocketfft_umath", numpys)
    windowed = noise(4 * 512).reshape(4, 512).astype(np.float32)
    expected = np.fft.rfft(windowed, norm="forward")
    np.testing.assert_array_equal(fourier(4, 512)(windowed), expected)
