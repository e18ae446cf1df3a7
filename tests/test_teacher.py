"""What the teacher's pretrained encoder makes of a clip, and how its weights are had."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from streamser.audio.recording import read_recording
from streamser.clip import demo_clip
from train.moonshine import WEIGHTS, Moonshine
from train.recipe import RecipeError


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which they lie."""
    folder = tmp_path_factory.mktemp("weights")
    try:
        Moonshine(folder)
    except RecipeError as error:
        pytest.skip(str(error))
    return folder


def test_the_encoder_hears_how_and_not_how_loud(weights: Path) -> None:
    speech = np.concatenate(list(read_recording(demo_clip())))[: 4 * 16_000]
    hear = Moonshine(weights)
    loud, soft = hear(speech), hear((speech // 4).astype(np.int16))
    assert loud.whole.shape == (2304,)
    assert loud.hops.shape == (50, 576)
    assert np.corrcoef(loud.whole, soft.whole)[0, 1] > 0.999
    assert np.isfinite(hear(np.zeros(100, np.int16)).hops).all()
    assert hear(np.tile(speech, 4)).hops.shape == (200, 576)


def test_a_hop_of_the_encoder_is_that_hop_of_the_clip(weights: Path) -> None:
    samples = np.zeros(40 * 1280, np.int16)
    samples[24 * 1280 : 25 * 1280] = np.random.default_rng(0).normal(0, 3000, 1280)
    hops = Moonshine(weights)(samples).hops.astype(np.float32)
    assert np.abs(hops - np.median(hops, axis=0)).sum(axis=1).argmax() == 24


def test_weights_that_cannot_be_had_are_named(tmp_path: Path) -> None:
    nowhere = dataclasses.replace(WEIGHTS, version="0.0.0")
    with pytest.raises(RecipeError, match=r"cannot be had: pip download moonshine-voice==0\.0\.0"):
        nowhere.path(tmp_path)


def test_other_weights_than_those_meant_are_refused(weights: Path, tmp_path: Path) -> None:
    """Weights are pinned by their sum; nothing else is kept."""
    other = dataclasses.replace(WEIGHTS, sha256="0" * 64)
    with pytest.raises(RecipeError, match="has another encoder_model"):
        other.path(tmp_path)
    assert not list(tmp_path.iterdir())
