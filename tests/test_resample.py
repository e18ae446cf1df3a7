"""Streamed resampling: the same for any chunking, the right length, nothing folded back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamser.audio.resample import Resampler

RATES = [8000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000]


def tone(hertz: float, rate: int, seconds: float = 1.0) -> np.ndarray:
    at = np.arange(round(rate * seconds)) / rate
    return np.rint(10_000 * np.sin(2 * np.pi * hertz * at)).astype(np.int16)


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_keeps_its_length_its_time_and_its_level(rate: int) -> None:
    resampler = Resampler(rate)
    heard = np.concatenate([resampler.push(tone(440, rate)), resampler.flush()])
    assert heard.dtype == np.int16
    assert len(heard) == 16_000
    middle = slice(1600, -1600)
    wanted = tone(440, 16_000)[middle].astype(float)
    assert np.abs(heard[middle] - wanted).max() <= 2


@given(
    rate=st.sampled_from(RATES),
    cuts=st.lists(st.integers(0, 3000), max_size=12),
    size=st.integers(0, 3000),
)
@settings(deadline=None, max_examples=60)
def test_chunks_do_not_matter(rate: int, cuts: list[int], size: int) -> None:
    samples = np.random.default_rng(size).integers(-32768, 32768, size).astype(np.int16)
    whole = Resampler(rate)
    at_once = np.concatenate([whole.push(samples), whole.flush()])
    pieces = np.split(samples, sorted(min(cut, size) for cut in cuts))
    streamed = Resampler(rate)
    in_pieces = np.concatenate([*map(streamed.push, pieces), streamed.flush()])
    assert np.array_equal(at_once, in_pieces)
    assert abs(len(at_once) - size * 16_000 / rate) <= 0.5 + 1e-9


def test_what_16_khz_cannot_carry_is_gone_instead_of_folded_back() -> None:
    resampler = Resampler(48_000)
    heard = np.concatenate([resampler.push(tone(9000, 48_000)), resampler.flush()])
    assert np.abs(heard[1600:-1600]).max() <= 1


def test_silence_stays_digital_silence() -> None:
    resampler = Resampler(44_100)
    assert not resampler.push(np.zeros(44_100, dtype=np.int16)).any()
    assert not resampler.flush().any()


def test_16_khz_passes_through_at_once() -> None:
    samples = tone(1000, 16_000)
    resampler = Resampler(16_000)
    assert np.array_equal(resampler.push(samples), samples)
    assert len(resampler.flush()) == 0


def test_overshoot_is_clipped_and_does_not_wrap() -> None:
    high = tone(100, 48_000) >= 0
    square = np.where(high, 32767, -32768).astype(np.int16)
    resampler = Resampler(48_000)
    heard = np.concatenate([resampler.push(square), resampler.flush()])
    assert heard.max() == 32767
    away_from_edges = np.abs(tone(100, 16_000)) > 3000
    assert np.array_equal((heard > 0)[away_from_edges], high[::3][away_from_edges])
