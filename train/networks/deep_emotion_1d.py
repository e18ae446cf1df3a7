"""Three small 1D convolutions over mean MFCC."""

from __future__ import annotations

import keras
from keras import layers


def build(shape: tuple[int, ...], classes: int, *, dropout: float) -> keras.Model:
    """53,479 parameters for 50 coefficients and seven classes."""
    return keras.Sequential(
        [
            keras.Input(shape, name="features"),
            layers.Conv1D(8, 5, padding="same", activation="relu"),
            layers.Conv1D(16, 5, padding="same", activation="relu"),
            layers.MaxPooling1D(2),
            layers.Conv1D(32, 5, padding="same", activation="relu"),
            layers.MaxPooling1D(2),
            layers.Dropout(dropout),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(classes),
        ]
    )
