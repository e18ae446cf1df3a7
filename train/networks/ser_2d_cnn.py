"""Two 2D convolutions over an image of stacked features."""

from __future__ import annotations

import keras
from keras import layers


def build(shape: tuple[int, ...], classes: int) -> keras.Model:
    """3,525,672 parameters for an image of 106 x 160 and eight classes."""
    return keras.Sequential(
        [
            keras.Input(shape, name="features"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(32, activation="relu"),
            layers.Dense(classes),
        ]
    )
