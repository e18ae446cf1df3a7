"""From Keras to TFLite; whatever is within, inputs and outputs are float32."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Samples = Callable[[], Iterator[dict[str, NDArray[np.float32]]]]


def in_float(model: keras.Model) -> bytes:
    """Return `model` as it is."""
    return _converted(model, lambda converter: None)


def in_int8(model: keras.Model, samples: Samples) -> bytes:
    """Return `model` in INT8 throughout, its ranges those that `samples` span."""

    def settings(converter: tf.lite.TFLiteConverter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = samples
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]

    return _converted(model, settings)


def in_int8_as_it_goes(model: keras.Model) -> bytes:
    """Return `model` with weights in INT8; what it is given is quantised by its own range."""

    def settings(converter: tf.lite.TFLiteConverter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]

    return _converted(model, settings)


def _converted(model: keras.Model, settings: Callable[[tf.lite.TFLiteConverter], None]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, format="tf_saved_model", verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        settings(converter)
        return bytes(converter.convert())
