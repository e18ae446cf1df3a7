"""Weights rounded to INT8 one after another, the later ones making up for the earlier ones' error.

GPTQ (Frantar et al., ICLR 2023): what counts is not how near a weight is to its float value, but
how near a convolution's output stays over the inputs that it really gets.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from train.fit import Fitted

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

LEVELS = 127
DAMPING = 0.01
"""Share of the inputs' mean power that is added to each, so that none can be left out."""


def round_convolutions(fitted: Fitted, calibration: Sequence[Floats]) -> None:
    """Put the encoder's kernels on the grids that the converter will choose, in place.

    `calibration` are normalised (hops, frames, n_mfcc) clips.
    """
    names = [convolution.name for convolution in fitted.network.encoder.convolutions]
    convolutions = [fitted.model.get_layer(name) for name in names]
    padded = [fitted.model.get_layer(f"{name}_past").output for name in names]
    heard = keras.Model(fitted.model.inputs[0], padded)
    products = [np.zeros(0)] * len(names)
    for clip in calibration:
        inputs = heard.predict_on_batch(clip.reshape(1, -1, clip.shape[-1]))
        for i, (convolution, steps) in enumerate(zip(convolutions, inputs, strict=True)):
            rows = _patches(convolution, steps[0, 0].astype(np.float64))
            products[i] = products[i] + rows.T @ rows if products[i].size else rows.T @ rows
    for convolution, product in zip(convolutions, products, strict=True):
        kernel = convolution.kernel.numpy()
        rounded = round_weights(kernel.reshape(-1, kernel.shape[-1]), product)
        convolution.kernel.assign(rounded.reshape(kernel.shape))


def round_weights(weights: Floats, product: Doubles) -> Floats:
    """Return (n, filters) weights on a grid for each filter, whose largest weight stays as it is.

    `product` (n, n) is the sum, over what was heard, of the inputs' products with each other.
    """
    left = weights.astype(np.float64)
    step = np.abs(left).max(axis=0) / LEVELS
    free = np.abs(left) < np.abs(left).max(axis=0)
    damped = product + DAMPING * np.mean(np.diag(product)) * np.eye(len(product))
    loudest_first = np.argsort(-np.diag(product))
    inverse = np.linalg.inv(damped[np.ix_(loudest_first, loudest_first)])
    made_up = np.linalg.cholesky(inverse).T
    for place, row in enumerate(loudest_first):
        rounded = np.clip(np.round(left[row] / step), -LEVELS, LEVELS) * step
        error = (left[row] - rounded) / made_up[place, place]
        left[row] = rounded
        later = loudest_first[place + 1 :]
        left[later] -= free[later] * np.outer(made_up[place, place + 1 :], error)
    return left.astype(np.float32)


def _patches(convolution: keras.layers.Conv2D, steps: Doubles) -> Doubles:
    """What each output over (steps, channels) is made of, (outputs, taps * channels)."""
    (_, taps), (_, stride) = convolution.kernel_size, convolution.strides
    starts = np.arange(taps) * convolution.dilation_rate[1]
    outputs = (len(steps) - starts[-1] - 1) // stride + 1
    return np.concatenate([steps[at:][::stride][:outputs] for at in starts], axis=1)
