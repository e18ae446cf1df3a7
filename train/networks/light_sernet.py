"""Light-SERNet (Aftab et al., ICASSP 2022): three views of the MFCC, then convolutions."""

from __future__ import annotations

import keras
from keras import layers

_BODY = ((64, 3, (2, 2)), (96, 3, (2, 2)), (128, 3, (2, 1)), (160, 3, (2, 1)), (320, 1, None))
"""Filters, kernel, pool."""


def build(shape: tuple[int, ...], classes: int, *, dropout: float, l2: float) -> keras.Model:
    """The views look along time (11 x 1), along the coefficients (1 x 9) and at both (3 x 3)."""
    features = keras.Input(shape, name="features")
    views = []
    for kernel in ((11, 1), (1, 9), (3, 3)):
        x = layers.Conv2D(32, kernel, padding="same")(features)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        views.append(layers.AveragePooling2D(2, padding="same")(x))
    x = layers.Concatenate()(views)
    for filters, kernel, pool in _BODY:
        x = layers.Conv2D(
            filters,
            kernel,
            padding="same",
            use_bias=False,
            kernel_regularizer=keras.regularizers.L2(l2),
        )(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.AveragePooling2D(pool, padding="same")(x) if pool else x
    x = layers.Dropout(dropout)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(features, layers.Dense(classes, name="logits")(x))
