"""Weights rounded to INT8 one after another, the later ones making up for the earlier ones' error.

GPTQ (Frantar et al., ICLR 2023): what counts is not how near a weight is to its float value, but
how near a convolution's output stays over the inputs that it really gets.
"""

from __future__ import annotations

import math
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
    grams = [np.zeros((math.prod(c.kernel.shape[:-1]),) * 2) for c in convolutions]
    for clip in calibration:
        inputs = heard.predict_on_batch(clip.reshape(1, -1, clip.shape[-1]))
        for convolution, steps, gram in zip(convolutions, inputs, grams, strict=True):
            rows = _patches(convolution, steps[0].astype(np.float64))
            gram += rows.T @ rows
    for convolution, gram in zip(convolutions, grams, strict=True):
        kernel = convolution.kernel.numpy()
        rounded = round_weights(kernel.reshape(-1, kernel.shape[-1]), gram)
        convolution.kernel.assign(rounded.reshape(kernel.shape))


def round_weights(weights: Floats, gram: Doubles) -> Floats:
    """Return (n, filters) weights on a grid for each filter, whose largest weight stays as it is.

    `gram` (n, n) is the sum, over what was heard, of the inputs' products with each other.
    """
    left = weights.astype(np.float64)
    largest = np.abs(left).max(axis=0)
    step = np.maximum(largest, np.finfo(np.float32).tiny) / LEVELS
    free = np.abs(left) < largest
    damped = gram + DAMPING * np.mean(np.diag(gram)) * np.eye(len(gram))
    loudest_first = np.argsort(-np.diag(gram))
    inverse = np.linalg.inv(damped[np.ix_(loudest_first, loudest_first)])
    factor = np.linalg.cholesky(inverse).T
    for place, row in enumerate(loudest_first):
        rounded = np.clip(np.round(left[row] / step), -LEVELS, LEVELS) * step
        error = (left[row] - rounded) / factor[place, place]
        left[row] = rounded
        later = loudest_first[place + 1 :]
        left[later] -= free[later] * np.outer(factor[place, place + 1 :], error)
    return left.astype(np.float32)


def _patches(convolution: keras.layers.Conv2D, heard: Doubles) -> Doubles:
    """What each output over (steps, bands, channels) is made of, (outputs, taps * channels)."""
    (taps, width), dilation = convolution.kernel_size, convolution.dilation_rate[0]
    reach = (taps - 1) * dilation + 1
    windows = np.lib.stride_tricks.sliding_window_view(heard, (reach, width), axis=(0, 1))
    stride, band_stride = convolution.strides
    taken = windows[::stride, ::band_stride, :, ::dilation]
    return np.moveaxis(taken, 2, -1).reshape(-1, taps * width * heard.shape[-1])
