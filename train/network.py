"""The streaming network in Keras: one set of layers, read as a whole clip or hop by hop.

A front over MFCC frames, causal residual convolutions over time, gated statistics pooling (after
Okabe et al., Interspeech 2018, with a sigmoid instead of a softmax so that running sums stay
bounded), and a small dense head.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import KerasTensor, layers, ops
from numpy.typing import NDArray

from streamser.analysis.hops import HOP
from streamser.analysis.mfcc import dct_matrix
from streamser.analysis.pooling import VARIANCE_FLOOR, WEIGHT_FLOOR
from streamser.model.manifest import Features
from train.causal_conv import CausalConv
from train.recipe import NetworkSettings, Recipe, RecipeError

Run = Callable[[CausalConv, KerasTensor], KerasTensor]
"""How a convolution is read: over a whole clip, or over a hop with its state."""

BAND_STRIDE = 2
"""Every convolution over bands halves them."""

BELS = 0.1
"""In a decibel; the first convolution hears bels."""


class CoefficientFront:
    """Coefficients as channels from the first layer on (TC-ResNet, Choi et al., Interspeech 2019).

    It ends in the body's channels, as does a BandFront.
    """

    def __init__(self, settings: NetworkSettings, features: Features) -> None:
        """Raises RecipeError where there are not two strides."""
        s = settings
        if len(s.strides) != 2:
            raise RecipeError("network.strides: two, for stem and body")
        (first, second), self._dropout = s.strides, s.block_dropout
        self._stem = CausalConv(
            "stem", s.stem, (2 * first + 1, 1), given=(1, features.n_mfcc), stride=(first, 1)
        )
        self._blocks = [
            CausalConv(f"stem_{i}", s.stem, (s.kernel, 1), given=(1, s.stem), dilation=d)
            for i, d in enumerate(s.stem_dilations)
        ]
        self._down = CausalConv(
            "down", s.body, (2 * second, 1), given=(1, s.stem), stride=(second, 1)
        )
        self.convolutions = [self._stem, *self._blocks, self._down]

    def __call__(self, x: KerasTensor, run: Run) -> KerasTensor:
        """From (batch, 1, frames, n_mfcc) to (batch, steps, 1, body)."""
        x = run(self._stem, layers.Permute((2, 1, 3), name="unfold")(x))
        return run(self._down, residual(self._blocks, x, run, dropout=self._dropout))


class BandFront:
    """Convolutions over time and mel bands, whose weights all bands share.

    What is learnt of a formant in one band holds for the band beside it, where another voice has it
    (2D to 1D, as in BC-ResNet, Kim et al., Interspeech 2021).
    """

    def __init__(
        self, settings: NetworkSettings, features: Features, scale: Sequence[float] | None
    ) -> None:
        """`scale` is what the (n_mfcc,) coefficients were divided by; None is by nothing.

        Raises RecipeError where there is not a stride for each convolution.
        """
        s, kernel = settings, settings.kernel
        if len(s.strides) != len(s.bands):
            raise RecipeError("network.strides: one for each of network.bands")
        self._mel = layers.Conv2D(
            features.n_mels,
            1,
            use_bias=False,
            trainable=False,
            kernel_initializer=keras.initializers.Constant(_to_bands(features, scale)),
            name="mel",
        )
        self.convolutions: list[CausalConv] = []
        bands, channels = features.n_mels, 1
        for i, (filters, stride) in enumerate(zip(s.bands, s.strides, strict=True)):
            conv = CausalConv(
                f"bands_{i}",
                filters,
                (kernel, kernel),
                given=(bands, channels),
                stride=(stride, BAND_STRIDE),
            )
            self.convolutions.append(conv)
            bands, channels = (bands - kernel) // BAND_STRIDE + 1, filters
        join = CausalConv("join", s.body, (s.join, bands), given=(bands, channels))
        self.convolutions.append(join)

    def __call__(self, x: KerasTensor, run: Run) -> KerasTensor:
        """From (batch, 1, frames, n_mfcc) to (batch, steps, 1, body)."""
        x = layers.Permute((2, 3, 1), name="unfold")(self._mel(x))
        for conv in self.convolutions:
            x = run(conv, x)
        return x


class Encoder:
    """MFCC frames in; an embedding and a pooling weight for every step of the body out."""

    def __init__(
        self, settings: NetworkSettings, features: Features, scale: Sequence[float] | None
    ) -> None:
        """`scale` is what the (n_mfcc,) coefficients were divided by; None is by nothing."""
        self._front = (
            BandFront(settings, features, scale)
            if settings.bands
            else CoefficientFront(settings, features)
        )
        self._body = [
            CausalConv(
                f"body_{i}",
                settings.body,
                (settings.kernel, 1),
                given=(1, settings.body),
                dilation=d,
            )
            for i, d in enumerate(settings.body_dilations)
        ]
        self._dropout = settings.block_dropout
        self._weight = layers.Conv2D(1, 1, activation="sigmoid", name="weight")

    @property
    def convolutions(self) -> list[CausalConv]:
        """All convolutions with a state, in the order of the states."""
        return [*self._front.convolutions, *self._body]

    def state_shapes(self) -> list[tuple[int, int, int]]:
        """Shape of each state without the batch, (steps, bands, channels), in order."""
        return [conv.state_shape for conv in self.convolutions]

    def whole(self, x: KerasTensor) -> tuple[KerasTensor, KerasTensor]:
        """From (batch, 1, frames, n_mfcc) to (batch, 1, steps, body) and (batch, 1, steps, 1)."""
        return self._run(x, lambda conv, inputs: conv.whole(inputs))

    def step(
        self, x: KerasTensor, states: list[KerasTensor]
    ) -> tuple[KerasTensor, KerasTensor, list[KerasTensor]]:
        """The same for the frames of a hop, given the states; also returns the next states."""
        waiting, after = iter(states), []

        def run(conv: CausalConv, inputs: KerasTensor) -> KerasTensor:
            output, state = conv.step(inputs, next(waiting))
            after.append(state)
            return output

        embedding, weight = self._run(x, run)
        return embedding, weight, after

    def _run(self, x: KerasTensor, run: Run) -> tuple[KerasTensor, KerasTensor]:
        x = residual(self._body, self._front(x, run), run, dropout=self._dropout)
        x = layers.Permute((2, 1, 3), name="fold")(x)
        return x, self._weight(x)


def residual(
    blocks: Sequence[CausalConv], x: KerasTensor, run: Run, *, dropout: float
) -> KerasTensor:
    """Add to (batch, steps, bands, channels) what each block makes of it."""
    for conv in blocks:
        x = layers.Add()([x, layers.SpatialDropout2D(dropout)(run(conv, x))])
    return x


def _to_bands(features: Features, scale: Sequence[float] | None) -> NDArray[np.float64]:
    """From (n_mfcc,) normalised coefficients to the (n_mels,) bels that they were made of."""
    scales = np.ones(features.n_mfcc) if scale is None else np.array(scale)
    return BELS * scales[:, None] * dct_matrix(features.n_mfcc, features.n_mels)


class Network:
    """Encoder, pooling and head; builds the Keras models that share their weights."""

    def __init__(self, recipe: Recipe, *, scale: Sequence[float] | None = None) -> None:
        """`scale` is the normaliser's, (n_mfcc,). Raises RecipeError for a shape that cannot be."""
        self.settings = settings = recipe.network
        self.frames_per_hop = HOP // recipe.mfcc.hop
        self._n_mfcc = recipe.mfcc.n_mfcc
        stride = math.prod(settings.strides)
        if self.frames_per_hop % stride:
            raise RecipeError(
                "network.strides: their product has to divide the frames of a hop,"
                f" {self.frames_per_hop}, and is {stride}"
            )
        self.steps_per_hop = self.frames_per_hop // stride
        self.encoder = Encoder(settings, recipe.mfcc, scale)
        self._hidden = layers.Dense(settings.hidden, activation="relu", name="hidden")
        self._dropout = layers.Dropout(settings.head_dropout, name="head_dropout")
        self._logits = layers.Dense(len(recipe.labels), name="logits", dtype="float32")

    @property
    def pooled_dim(self) -> int:
        return 2 * self.settings.body

    def clip_model(self, *, hints: int = 0) -> keras.Model:
        """`features` (clips, frames, n_mfcc), `mask` (clips, views, hops) to `logits`, to train.

        A view is a stretch of the clip that is judged by itself: `logits` (clips, views, labels).
        With `hints` a second output guesses so many numbers at each hop, (clips, hops, hints).
        """
        features = keras.Input((None, self._n_mfcc), name="features")
        mask = keras.Input((None, None), name="mask")
        rows = layers.Reshape((1, -1, self._n_mfcc), name="rows")(features)
        embedding, weight = self.encoder.whole(rows)
        pool = Pool(steps_per_hop=self.steps_per_hop, name="pool")
        pooled = pool([embedding[:, 0], weight[:, 0], mask])
        logits = self._head(pooled)
        if hints:
            last = embedding[:, 0, self.steps_per_hop - 1 :: self.steps_per_hop]
            guess = layers.Dense(hints, name="hints")(last)
            guess = layers.Activation("linear", dtype="float32")(guess)
            return keras.Model([features, mask], [logits, guess], name="hinted")
        return keras.Model([features, mask], logits, name="clip")

    def step_model(self) -> keras.Model:
        """One hop, batch of 1: `features` and `state_N` to `embedding`, `weight`, `state_N_out`."""
        shape = (1, self.frames_per_hop, self._n_mfcc)
        features = keras.Input(shape, batch_size=1, name="features")
        states = [
            keras.Input(shape, batch_size=1, name=f"state_{i}")
            for i, shape in enumerate(self.encoder.state_shapes())
        ]
        embedding, weight, after = self.encoder.step(features, states)
        outputs = {"embedding": embedding, "weight": weight}
        outputs |= {f"state_{i}_out": state for i, state in enumerate(after)}
        return keras.Model([features, *states], outputs, name="step")

    def head_model(self) -> keras.Model:
        """`pooled` (1, pooled_dim) to `logits` (1, n_labels)."""
        pooled = keras.Input((self.pooled_dim,), batch_size=1, name="pooled")
        return keras.Model([pooled], {"logits": self._head(pooled)}, name="head")

    def _head(self, pooled: KerasTensor) -> KerasTensor:
        return self._logits(self._dropout(self._hidden(pooled)))


class Pool(layers.Layer):
    """Weighted mean and standard deviation over the steps of the hops that each view admits."""

    def __init__(self, *, steps_per_hop: int, name: str) -> None:
        super().__init__(name=name)
        self._steps_per_hop = steps_per_hop

    def call(self, inputs):  # type: ignore[no-untyped-def]
        embedding, weight, mask = (ops.cast(x, "float32") for x in inputs)
        mask = ops.repeat(mask, self._steps_per_hop, axis=-1)
        weight = (weight[:, None, :, 0] + WEIGHT_FLOOR) * mask
        weight = weight / ops.sum(weight, axis=-1, keepdims=True)
        mean = ops.matmul(weight, embedding)
        square = ops.matmul(weight, embedding**2)
        std = ops.sqrt(ops.maximum(square - mean**2, 0.0) + VARIANCE_FLOOR)
        return ops.concatenate([mean, std], axis=-1)
