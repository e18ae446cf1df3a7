"""Two 2D convolutions and a dense layer over a whole spectrogram."""

from __future__ import annotations

import keras
from keras import layers


def build(shape: tuple[int, ...], classes: int) -> keras.Model:
    """Nearly all of its parameters are in the dense layer: 199.7 million for (1553, 257, 1)."""
    return keras.Sequential(
        [
            keras.Input(shape, name="features"),
            layers.Conv2D(16, 3, activation="relu"),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(128, activation="relu", kernel_regularizer="l2"),
            layers.Dense(classes),
        ]
    )
