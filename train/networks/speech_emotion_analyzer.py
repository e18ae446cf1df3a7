"""Four 1D convolutions, the first pair wide, over a profile of one number per frame."""

from __future__ import annotations

import keras
from keras import layers


def build(shape: tuple[int, ...], classes: int) -> keras.Model:
    """364,170 parameters for a profile of 216 frames and ten classes."""
    return keras.Sequential(
        [
            keras.Input(shape, name="features"),
            layers.Conv1D(256, 5, padding="same", activation="relu"),
            layers.Conv1D(128, 5, padding="same", activation="relu"),
            layers.Dropout(0.1),
            layers.MaxPooling1D(8),
            layers.Conv1D(128, 5, padding="same", activation="relu"),
            layers.Conv1D(128, 5, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(classes),
        ]
    )
