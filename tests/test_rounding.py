"""Weights on the converter's grid, as near as can be in what they make of their inputs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("tensorflow")
pytest.importorskip("sklearn")

from train.rounding import LEVELS, round_weights


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), rank=st.integers(2, 40))
def test_rounding_heeds_the_inputs_and_stays_on_the_grid(seed: int, rank: int) -> None:
    rng = np.random.default_rng(seed)
    mixed = rng.standard_normal((400, rank)) @ rng.standard_normal((rank, 48))
    inputs = np.maximum(mixed + 0.1 * rng.standard_normal(mixed.shape), 0.0)
    weights = rng.standard_normal((48, 8)).astype(np.float32)
    rounded = round_weights(weights, inputs.T @ inputs)

    step = np.abs(weights).max(axis=0) / LEVELS
    levels = rounded / step
    np.testing.assert_allclose(levels, np.round(levels), atol=1e-3)
    np.testing.assert_allclose(np.abs(rounded).max(axis=0), np.abs(weights).max(axis=0), rtol=1e-6)

    nearest = np.round(weights / step) * step
    missed = [np.mean((inputs @ (made - weights)) ** 2) for made in (rounded, nearest)]
    assert missed[0] < 0.8 * missed[1]
