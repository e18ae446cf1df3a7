"""How many multiply-adds a network needs for one input."""

from __future__ import annotations

import math

import keras


def multiply_adds(model: keras.Model) -> int:
    """Of all convolutions and dense layers; pooling, sums and activations are left aside.

    No other model may share its layers: how large a layer's output is, its first model tells.
    """
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            total += multiply_adds(layer)
            continue
        kernels = [weight for weight in layer.weights if len(weight.shape) > 1]
        if kernels:
            positions = math.prod(size or 1 for size in layer.output.shape[1:-1])
            total += positions * sum(math.prod(kernel.shape) for kernel in kernels)
    return total
