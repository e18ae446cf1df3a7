"""Keras, float TFLite, INT8 TFLite and the stream say the same, as far as each promises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

pytest.importorskip("tensorflow")

import keras
from ai_edge_litert.interpreter import Interpreter

from streamser.analysis.encoder import Encoder
from streamser.analysis.head import Head
from streamser.analysis.hops import HOP
from streamser.analysis.mfcc import dct_matrix
from streamser.analysis.normaliser import Normaliser
from streamser.analysis.pooling import RunningPool
from streamser.model.bundle import HOPS_AT_ONCE, load
from streamser.model.manifest import ENCODER, NormaliserStatistics
from train.convert import in_float, in_int8
from train.export import OPEN, FloatStream, export
from train.fit import Fitted
from train.multiply_adds import multiply_adds
from train.network import Network
from train.one_state import with_one_state
from train.optimiser import Muon
from train.recipe import Recipe, RecipeError, load_recipe

Floats = NDArray[np.float32]
HOPS = 23


RECIPES = ("streamser-research", "streamser-quick", "streamser-bands")


@pytest.fixture(scope="module", params=RECIPES)
def recipe(request: pytest.FixtureRequest) -> Recipe:
    """Frames of 20 and of 10 ms, one and two steps a hop; coefficients or bands first."""
    return load_recipe(request.param)


@pytest.fixture(scope="module")
def fitted(recipe: Recipe) -> Fitted:
    """A network with random weights and random batch statistics, so that nothing cancels."""
    keras.utils.set_random_seed(0)
    network = Network(recipe)
    model = network.clip_model()
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if "moving_variance" in weight.path:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        elif "moving_mean" in weight.path or "beta" in weight.path:
            weight.assign(rng.normal(0, 0.2, weight.shape))
    n = recipe.mfcc.n_mfcc
    statistics = NormaliserStatistics(mean=(0.0,) * n, scale=(1.0,) * n, prior_seconds=1.0)
    return Fitted(network, model, statistics)


@pytest.fixture(scope="module")
def hops(recipe: Recipe) -> Floats:
    return noise(HOP // recipe.mfcc.hop, recipe.mfcc.n_mfcc)


def noise(frames: int, n_mfcc: int) -> Floats:
    """(HOPS, frames, n_mfcc)."""
    return np.random.default_rng(1).standard_normal((HOPS, frames, n_mfcc)).astype(np.float32)


def whole_clip(fitted: Fitted, hops: Floats) -> Floats:
    features = hops.reshape(1, -1, hops.shape[-1])
    mask = np.ones((1, 1, len(hops)), np.float32)
    return np.asarray(fitted.model.predict([features, mask], verbose=0)[0, 0])


def test_keras_streamed_equals_keras_at_once(fitted: Fitted, hops: Floats) -> None:
    np.testing.assert_allclose(
        FloatStream(fitted).logits(hops), whole_clip(fitted, hops), atol=1e-4
    )


def test_padding_changes_nothing(fitted: Fitted, hops: Floats) -> None:
    _, frames, n_mfcc = hops.shape
    features = np.zeros((1, (HOPS + 9) * frames, n_mfcc), np.float32)
    features[0, : HOPS * frames] = hops.reshape(-1, n_mfcc)
    mask = np.zeros((1, 1, HOPS + 9), np.float32)
    mask[0, 0, :HOPS] = 1
    padded = fitted.model.predict([features, mask], verbose=0)[0, 0]
    np.testing.assert_allclose(padded, whole_clip(fitted, hops), atol=1e-4)


def test_float_tflite_equals_keras(fitted: Fitted, hops: Floats) -> None:
    encoder = Interpreter(model_content=in_float(fitted.network.step_model()), num_threads=1)
    run = encoder.get_signature_runner()
    step = fitted.network.step_model()
    shapes = fitted.network.encoder.state_shapes()
    states = {f"state_{i}": np.zeros((1, *shape), np.float32) for i, shape in enumerate(shapes)}
    for hop in hops[:6]:
        inputs = {"features": hop[None, None], **states}
        ours, theirs = run(**inputs), step(list(inputs.values()))
        for name, value in theirs.items():
            np.testing.assert_allclose(ours[name], value.numpy(), atol=1e-4)
        states = {name: ours[f"{name}_out"] for name in states}


@pytest.fixture(scope="module")
def exported(
    recipe: Recipe, fitted: Fitted, hops: Floats, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("models") / "bundle"
    export(
        recipe,
        fitted,
        [hops],
        folder=folder,
        version="0",
        licence="none",
        verdict=OPEN,
        provenance={},
    )
    return folder


def test_int8_is_near_to_float(exported: Path, fitted: Fitted, hops: Floats) -> None:
    bundle = load(exported)
    encoder, head = Encoder(bundle), Head(bundle)
    pool = RunningPool(bundle.manifest.network, keep=1.0)
    for hop in hops:
        pool.push(*encoder.push(hop))
    expected = FloatStream(fitted).pooled(hops)
    # Random weights quantise worse than trained ones, whose cost in UA is told in the card.
    assert relative_error(pool.pooled(), expected) < 0.12
    assert relative_error(head.logits(pool.pooled()), whole_clip(fitted, hops)) < 0.15


def relative_error(ours: Floats, theirs: Floats) -> float:
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))


def encoded_whole(folder: Path, hops: Floats) -> Iterator[Floats]:
    """The same INT8 file, but given the whole clip in one call."""
    bundle = load(folder)
    inputs, outputs = bundle.encoder.inputs, bundle.encoder.outputs
    network = Interpreter(model_path=str(folder / ENCODER), num_threads=1)
    frames = hops.reshape(1, 1, -1, hops.shape[-1])
    network.resize_tensor_input(inputs["features"].index, frames.shape)
    network.allocate_tensors()
    network.set_tensor(inputs["features"].index, frames)
    network.set_tensor(inputs["state"].index, bundle.fresh_state())
    network.invoke()
    for name in ("embedding", "weight"):
        yield network.get_tensor(outputs[name].index)[0, 0]


def test_one_tensor_for_all_states_changes_no_number(fitted: Fitted, hops: Floats) -> None:
    stream = FloatStream(fitted)
    apart = in_int8(fitted.network.step_model(), lambda: (x for x, _ in stream.hear(hops[:8])))
    joined, parts = with_one_state(apart, stream.states)
    one, many = Interpreter(model_content=joined), Interpreter(model_content=apart)
    state = np.concatenate([np.full(part.size, part.zero_point, np.int8) for part in parts])[None]
    states = {part.name: np.zeros(part.shape, np.float32) for part in parts}
    for hop in hops:
        expected = many.get_signature_runner()(features=hop[None, None], **states)
        found = one.get_signature_runner()(features=hop[None, None], state=state)
        state, states = found["state_out"], {name: expected[f"{name}_out"] for name in states}
        for name in ("embedding", "weight"):
            np.testing.assert_array_equal(found[name], expected[name])


def test_a_state_that_changes_its_scale_is_refused() -> None:
    given = [keras.Input((1, 4, 2), batch_size=1, name=name) for name in ("features", "state_0")]
    features, state = given
    grown = {"embedding": features, "state_0_out": 3.0 * state + features}
    samples = [{"features": noise(4, 2)[i][None, None], "state_0": noise(4, 2)[-i][None, None]}
               for i in range(8)]  # fmt: skip
    with pytest.raises(ValueError, match="state_0 changes its scale"):
        with_one_state(in_int8(keras.Model(given, grown), lambda: iter(samples)), ["state_0"])


def test_int8_streamed_equals_int8_at_once_exactly(exported: Path, hops: Floats) -> None:
    assert_streamed_equals_at_once(exported, hops)


@pytest.mark.parametrize("model", ["streamser-research", "streamser-open"])
def test_the_shipped_bundles_do_so_too(model: str) -> None:
    bundle = load(model)
    shape = bundle.manifest.network
    hops = noise(shape.frames_per_hop, bundle.manifest.features.n_mfcc)
    assert_streamed_equals_at_once(bundle.path, hops)


def assert_streamed_equals_at_once(folder: Path, hops: Floats) -> None:
    embedding, weight = encoded_whole(folder, hops)
    encoder = Encoder(load(folder))
    steps = [encoder.push(hop) for hop in hops]
    np.testing.assert_array_equal(np.concatenate([e for e, _ in steps]), embedding)
    np.testing.assert_array_equal(np.concatenate([w for _, w in steps]), weight)


@given(st.lists(st.integers(1, HOPS_AT_ONCE), min_size=1, max_size=4))
def test_hops_that_come_together_are_heard_as_one_after_another(sizes: list[int]) -> None:
    bundle = load()
    shape, features = bundle.manifest.network, bundle.manifest.features
    hops = noise(shape.frames_per_hop, features.n_mfcc)[: sum(sizes)]
    sums = []
    for groups in ([1] * len(hops), sizes):
        normaliser = Normaliser(bundle.manifest.normaliser, features, keep=0.9)
        encoder, pool, start = Encoder(bundle), RunningPool(shape, keep=0.9), 0
        for size in groups:
            together = hops[start : start + size].reshape(-1, features.n_mfcc).copy()
            pool.push(*encoder.push(normaliser.push(together)))
            start += size
        sums.append(pool.sums)
    np.testing.assert_array_equal(*sums)


def test_silence_in_the_states_is_silence(exported: Path, hops: Floats) -> None:
    """A fresh encoder is in the state of one that was never fed, however often it was used."""
    encoder = Encoder(load(exported))
    first = encoder.push(hops[0])
    encoder.push(hops[0])
    encoder.reset()
    again = encoder.push(hops[0])
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_convolution_moves_as_far_in_every_direction() -> None:
    """Muon's step has singular values alike, whatever the gradient's are."""
    conv = keras.layers.Conv2D(24, (1, 3), use_bias=False)
    conv.build((None, 1, 10, 16))
    before = conv.kernel.numpy().reshape(-1, 24)
    optimiser = Muon(1e-2, weight_decay=0.0, adam_weight_decay=0.0)
    rng = np.random.default_rng(0)
    gradient = rng.standard_normal((48, 24)) * np.geomspace(1, 1e-2, 24)
    optimiser.apply([gradient.reshape(conv.kernel.shape).astype(np.float32)], [conv.kernel])
    moved = np.linalg.svd(conv.kernel.numpy().reshape(-1, 24) - before, compute_uv=False)
    assert moved.max() < 2 * moved.min()
    given = np.linalg.svd(gradient, compute_uv=False)
    assert given.max() > 50 * given.min()


@pytest.mark.parametrize(
    ("name", "strides", "why"),
    [
        ("streamser-research", (1, 8), "has to divide the frames of a hop, 4"),
        ("streamser-research", (3, 1), "has to divide the frames of a hop, 4"),
        ("streamser-research", (1, 2, 2), "two, for stem and body"),
        ("streamser-bands", (2, 2), "one for each of network.bands"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(name: str, strides: tuple[int, ...], why: str) -> None:
    recipe = load_recipe(name)
    wrong = replace(recipe, network=replace(recipe.network, strides=strides))
    with pytest.raises(RecipeError, match=why):
        Network(wrong)


def test_the_network_hears_the_bands_that_the_coefficients_were_made_of() -> None:
    recipe = load_recipe("streamser-bands")
    n = recipe.mfcc.n_mfcc
    rng = np.random.default_rng(2)
    bands, scale = rng.normal(0, 20, (5, recipe.mfcc.n_mels)), rng.uniform(1, 30, n)
    coefficients = bands @ dct_matrix(n, recipe.mfcc.n_mels).T / scale
    model = Network(recipe, scale=scale.tolist()).step_model()
    mel = keras.Model(model.inputs[0], model.get_layer("mel").output)
    found = mel.predict(coefficients[None, None, :4], verbose=0)[0, 0]
    np.testing.assert_allclose(10 * found, bands[:4], atol=1e-3)


def test_the_multiply_adds_of_a_hop_are_those_of_its_kernels() -> None:
    network = load_recipe("streamser-research").network
    stem = network.stem * (3 * 64 + len(network.stem_dilations) * 3 * network.stem)
    body = network.body * (8 * network.stem + len(network.body_dilations) * 3 * network.body + 1)
    assert of_a_hop("streamser-research") == 4 * stem + body

    network = load_recipe("streamser-bands").network
    first, second, third = network.bands
    over_bands = 2 * (31 * 9 * first + 15 * 9 * first * second) + 7 * 9 * second * third
    body = network.body * (2 * 7 * third + len(network.body_dilations) * 3 * network.body + 1)
    assert of_a_hop("streamser-bands") == 4 * 64 * 64 + over_bands + body


def of_a_hop(name: str) -> int:
    recipe = load_recipe(name)
    network, s = Network(recipe), recipe.network
    assert multiply_adds(network.head_model()) == 2 * s.body * s.hidden + 8 * s.hidden
    return multiply_adds(network.step_model())
