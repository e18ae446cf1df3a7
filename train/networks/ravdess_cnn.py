"""Four 1D convolutions over a vector of means."""

from __future__ import annotations

import keras
from keras import layers


def build(shape: tuple[int, ...], classes: int, *, l1: float, l2: float) -> keras.Model:
    """352,136 parameters for 180 means and eight classes; l1 and l2 weigh the last kernel."""
    return keras.Sequential(
        [
            keras.Input(shape, name="features"),
            layers.Conv1D(256, 5, padding="same", activation="relu"),
            layers.Conv1D(128, 5, padding="same", activation="relu"),
            layers.Dropout(0.1),
            layers.MaxPooling1D(8),
            layers.Conv1D(128, 5, padding="same", activation="relu"),
            layers.Conv1D(128, 5, padding="same", activation="relu"),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(classes, kernel_regularizer=keras.regularizers.L1L2(l1, l2)),
        ]
    )
