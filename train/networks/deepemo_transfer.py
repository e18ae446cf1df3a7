"""InceptionV3 (Szegedy et al., 2016), learnt on photographs, over a spectrogram."""

from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from train.recipe import SCRATCH, RecipeError


def build(shape: tuple[int, ...], classes: int, *, weights: str = "") -> keras.Model:
    """`weights`: path of Keras' ImageNet weights without the top, which stay frozen; or `none`.

    Raises:
        RecipeError: no weights are named, or there are none at that path.
    """
    if weights != SCRATCH and not Path(weights).is_file():
        raise RecipeError(
            f"InceptionV3 needs its ImageNet weights{f', not at {weights}' if weights else ''}: "
            f"give --weights inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5, which Keras "
            f"publishes, or --weights {SCRATCH} to train from scratch"
        )
    features = keras.Input(shape, name="features")
    stem = layers.Conv2D(3, 3, padding="same", name="stem")(features)
    base = keras.applications.InceptionV3(
        include_top=False,
        weights=None if weights == SCRATCH else weights,
        input_shape=(*shape[:2], 3),
    )
    base.trainable = weights == SCRATCH
    pooled = layers.GlobalAveragePooling2D()(
        base(stem, training=False if weights != SCRATCH else None)
    )
    return keras.Model(features, layers.Dense(classes, name="logits")(pooled))
