"""The published systems: their features over a window, then their whole network, at each answer.

Features and networks are those of `train/recipes`; the weights are random, which costs the same.
Each is run as it was published, by Keras' `predict`, and with its network converted to TFLite, on
one thread, which is the most that can be had of that way. Each sees 3 s, or of it what its recipe
takes. `deepemo-transfer` is left out: it needs the weights of another network.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import soxr
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from benchmarks.peers.peer import ANSWER, WINDOW, Peer, Player, Samples, speech
from train import networks
from train.recipe import RECIPES
from train.systems.fronts import FRONTS

Floats = NDArray[np.float32]

SYSTEMS = (
    "speech-emotion-analyzer",
    "ser-2d-cnn",
    "deep-emotion-1d",
    "ravdess-cnn",
)

LARGE = "deepemo-shallow"
"""200 million parameters; converted only, since Keras beside it takes 8 GB."""

LIGHT = "light-sernet"
"""The one that was published in INT8."""

CLASSES = 7

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)


def peers(samples: Samples) -> list[Peer]:
    """Return the systems as published, then as TFLite."""
    return [
        *(as_published(name, samples) for name in SYSTEMS),
        *(as_tflite(name, samples, int8=False) for name in SYSTEMS),
        as_tflite(LARGE, samples, int8=False),
        as_tflite(LIGHT, samples, int8=True),
    ]


def as_published(name: str, samples: Samples) -> Peer:
    """Return a system whose network Keras runs."""
    front, player = front_end(name), Player(samples)
    network = build(name, front(player.window(ANSWER, WINDOW)).shape)

    def step() -> None:
        network.predict(front(player.window(ANSWER, WINDOW))[None], verbose=0)

    return Peer(name=f"{name}, Keras", kind="emotion", samples=ANSWER, step=step)


def as_tflite(name: str, samples: Samples, *, int8: bool) -> Peer:
    """Return a system whose network was converted."""
    front, player = front_end(name), Player(samples)
    network = Interpreter(model_content=convert(name, int8=int8), num_threads=1)
    network.allocate_tensors()
    given = network.get_input_details()[0]
    scale, zero_point = given["quantization"]

    def step() -> None:
        features = front(player.window(ANSWER, WINDOW))[None]
        if int8:
            features = np.clip(np.rint(features / scale) + zero_point, -128, 127)
        network.set_tensor(given["index"], features.astype(given["dtype"]))
        network.invoke()

    runtime = "TFLite INT8" if int8 else "TFLite"
    return Peer(name=f"{name}, {runtime}", kind="emotion", samples=ANSWER, step=step)


def recipe(name: str) -> dict[str, Any]:
    """Return the recipe's tables."""
    return tomllib.loads((RECIPES / f"{name}.toml").read_text())


def front_end(name: str) -> Callable[[Samples], Floats]:
    """Return what makes the recipe's features of int16 samples at 16 kHz."""
    settings = recipe(name)["features"]
    front, rate = FRONTS[settings.pop("name")], settings.pop("rate")
    start = round(settings.pop("offset", 0.0) * rate)
    length = round(settings.pop("seconds", 3.0) * rate)
    settings.pop("dtype", None)

    def features(samples: Samples) -> Floats:
        floats = samples.astype(np.float32) / 32768.0
        if rate != 16_000:
            floats = soxr.resample(floats, 16_000, rate)
        return front(floats[start : start + length], rate, **settings)

    return features


def build(name: str, shape: tuple[int, ...]) -> keras.Model:
    """Return the recipe's network with random weights."""
    return networks.build(recipe(name)["network"], shape, CLASSES)


def convert(name: str, *, int8: bool) -> bytes:
    """Return the recipe's network as TFLite; INT8 is given the ranges of real features."""
    player, front = Player(speech()), front_end(name)
    windows = [front(player.window(ANSWER, WINDOW))[None] for _ in range(20)]
    converter = tf.lite.TFLiteConverter.from_keras_model(build(name, windows[0].shape[1:]))
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([window] for window in windows)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    content: bytes = converter.convert()
    return content
