"""How the network's weights move."""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import KerasTensor, ops

from train.recipe import RecipeError

ANSWERS = ("logits", "weight")
"""Layers whose outputs are numbers of their own, no space to be turned."""


class Muon(keras.optimizers.Muon):
    """Momentum made orthogonal (Jordan et al., 2024), as large as AdamW's steps (Liu et al., 2025).

    Keras leaves convolutions to AdamW; here a kernel is the matrix from all its taps to its
    filters, as Jordan et al. take it. Biases, batch norm and ANSWERS stay AdamW's.
    """

    def _should_use_adamw(self, variable: keras.Variable) -> bool:
        return len(variable.shape) < 2 or variable.path.split("/")[0] in ANSWERS

    def zeropower_via_newtonschulz5(self, x: KerasTensor, steps: int) -> KerasTensor:
        orthogonal = super().zeropower_via_newtonschulz5(_matrix(x), steps)
        return ops.reshape(orthogonal, x.shape)

    def lr_adjust(self, x: KerasTensor) -> KerasTensor:
        return ops.reshape(super().lr_adjust(_matrix(x)), x.shape)


def _matrix(kernel: KerasTensor) -> KerasTensor:
    return ops.reshape(kernel, (-1, kernel.shape[-1]))


def optimiser(
    name: str, rate: float | Callable[[], float], *, decay: float
) -> keras.optimizers.Optimizer:
    """Return the optimiser that a recipe names; biases and batch norm do not decay.

    Raises RecipeError for a name that is none.
    """
    match name:
        case "muon":
            chosen = Muon(rate, weight_decay=decay, adam_weight_decay=decay)
        case "adamw":
            chosen = keras.optimizers.AdamW(rate, weight_decay=decay, clipnorm=2.0)
        case _:
            raise RecipeError(f"no optimiser {name}: there are muon and adamw")
    chosen.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return chosen
