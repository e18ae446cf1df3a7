"""The streaming network in Keras: one set of layers, read as a whole clip or hop by hop.

Causal convolutions over time and mel bands, whose weights all bands share, so that what is heard of
one voice is heard of a higher one too; then residual ones over time, with what the bands hold as
channels (2D to 1D as in BC-ResNet, Kim et al., Interspeech 2021; causal as TC-ResNet, Choi et al.,
Interspeech 2019). Gated statistics pooling (after Okabe et al., Interspeech 2018, with a sigmoid
instead of a softmax so that running sums stay bounded), and a small dense head.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import KerasTensor, layers, ops

from streamser.analysis.hops import HOP
from streamser.analysis.mfcc import dct_matrix
from streamser.analysis.pooling import VARIANCE_FLOOR, WEIGHT_FLOOR
from streamser.model.manifest import Features
from train.recipe import NetworkSettings, Recipe, RecipeError

BAND_STRIDE = 2
"""Every convolution over bands halves them."""

DECIBELS = 0.1
"""Of a band's level, for the first convolution: bels."""


class CausalConv:
    """A convolution over (batch, steps, bands, channels) that keeps past steps as explicit state.

    Batch norm and ReLU follow. Bands are not padded.

    The state holds the input steps that the next outputs still need; the newest output always
    covers the newest input (right-aligned strides, as in kws_streaming, Rybakov et al., 2020).
    """

    def __init__(
        self,
        name: str,
        filters: int,
        kernel: tuple[int, int],
        *,
        stride: tuple[int, int] = (1, 1),
        dilation: int = 1,
    ) -> None:
        """`kernel` and `stride` are in steps and bands, `dilation` in steps."""
        self.name = name
        self.state_steps = (kernel[0] - 1) * dilation - (stride[0] - 1)
        self._conv = layers.Conv2D(
            filters,
            kernel,
            strides=stride,
            dilation_rate=(dilation, 1),
            use_bias=False,
            name=name,
        )
        self._step = Shifted(self._conv, name=f"{name}_shifted") if dilation > 1 else self._conv
        self._norm = layers.BatchNormalization(momentum=0.98, name=f"{name}_norm")
        self._relu = layers.ReLU(name=f"{name}_relu")

    def whole(self, x: KerasTensor) -> KerasTensor:
        padded = layers.ZeroPadding2D(((self.state_steps, 0), (0, 0)), name=f"{self.name}_past")(x)
        return self._relu(self._norm(self._conv(padded)))

    def step(self, x: KerasTensor, state: KerasTensor) -> tuple[KerasTensor, KerasTensor]:
        joined = layers.Concatenate(axis=1, name=f"{self.name}_join")([state, x])
        return self._relu(self._norm(self._step(joined))), joined[:, -self.state_steps :]


class Shifted(layers.Layer):
    """A dilated convolution as a pointwise one over shifted copies of its input.

    The same numbers, but converted as it is the convolution would take a detour through
    space-to-batch, which costs time and fixes the number of steps.
    """

    def __init__(self, conv: layers.Conv2D, *, name: str) -> None:
        super().__init__(name=name)
        self._conv = conv

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if not self._conv.built:
            self._conv.build(input_shape)

    def call(self, x: KerasTensor) -> KerasTensor:
        taps, dilation = self._conv.kernel_size[0], self._conv.dilation_rate[0]
        reach = (taps - 1) * dilation
        shifted = [x[:, i * dilation : (i * dilation - reach) or None] for i in range(taps)]
        kernel = ops.reshape(self._conv.kernel, (1, 1, -1, self._conv.filters))
        return ops.conv(ops.concatenate(shifted, axis=-1), kernel)


class Encoder:
    """MFCC frames in; an embedding and a pooling weight for every step of the body out."""

    def __init__(
        self, settings: NetworkSettings, features: Features, scale: Sequence[float] | None
    ) -> None:
        """`scale` is what the (n_mfcc,) coefficients were divided by; None is by nothing."""
        s, kernel = settings, settings.kernel
        self._settings, self._bands_in = settings, features.n_mels
        self._mel = layers.Conv2D(
            features.n_mels,
            1,
            use_bias=False,
            trainable=False,
            kernel_initializer=keras.initializers.Constant(_to_bands(features, scale)),
            name="mel",
        )
        self._band_convs = [
            CausalConv(f"bands_{i}", filters, (kernel, kernel), stride=(stride, BAND_STRIDE))
            for i, (filters, stride) in enumerate(zip(s.bands, s.strides, strict=True))
        ]
        self._join = CausalConv("join", s.body, (s.join, self._band_counts()[-1]))
        self._body_blocks = [
            CausalConv(f"body_{i}", s.body, (kernel, 1), dilation=d)
            for i, d in enumerate(s.body_dilations)
        ]
        self._weight = layers.Conv2D(1, 1, activation="sigmoid", name="weight")

    @property
    def convolutions(self) -> list[CausalConv]:
        """All convolutions with a state, in the order of the states."""
        return [*self._band_convs, self._join, *self._body_blocks]

    def state_shapes(self) -> list[tuple[int, int, int]]:
        """Shape of each state without the batch, (steps, bands, channels), in order."""
        blocks = len(self._body_blocks)
        bands = [*self._band_counts(), *[1] * blocks]
        channels = [1, *self._settings.bands, *[self._settings.body] * blocks]
        convolutions = zip(self.convolutions, bands, channels, strict=True)
        return [(conv.state_steps, width, n) for conv, width, n in convolutions]

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

    def _run(
        self, x: KerasTensor, run: Callable[[CausalConv, KerasTensor], KerasTensor]
    ) -> tuple[KerasTensor, KerasTensor]:
        x = layers.Permute((2, 3, 1), name="unfold")(self._mel(x))
        for conv in (*self._band_convs, self._join):
            x = run(conv, x)
        for conv in self._body_blocks:
            dropout = layers.SpatialDropout2D(self._settings.block_dropout)
            x = layers.Add()([x, dropout(run(conv, x))])
        x = layers.Permute((2, 1, 3), name="fold")(x)
        return x, self._weight(x)

    def _band_counts(self) -> list[int]:
        """Bands that each convolution over them is given, and what the last one leaves."""
        counts = [self._bands_in]
        for _ in self._settings.bands:
            counts.append((counts[-1] - self._settings.kernel) // BAND_STRIDE + 1)
        return counts


def _to_bands(features: Features, scale: Sequence[float] | None) -> list[list[float]]:
    """From (n_mfcc,) normalised coefficients to the (n_mels,) bels that they were made of."""
    scales = np.ones(features.n_mfcc) if scale is None else np.array(scale)
    bands = DECIBELS * scales[:, None] * dct_matrix(features.n_mfcc, features.n_mels)
    return bands[None, None]


class Network:
    """Encoder, pooling and head; builds the Keras models that share their weights."""

    def __init__(self, recipe: Recipe, *, scale: Sequence[float] | None = None) -> None:
        """`scale` is the normaliser's, (n_mfcc,). Raises RecipeError for a shape that cannot be."""
        self.settings = settings = recipe.network
        self.frames_per_hop = HOP // recipe.mfcc.hop
        self._n_mfcc = recipe.mfcc.n_mfcc
        stride = math.prod(settings.strides)
        if len(settings.strides) != len(settings.bands):
            raise RecipeError("network.strides: one for each of network.bands")
        if self.frames_per_hop % stride:
            raise RecipeError(
                "network.strides: their product has to divide the frames of a hop,"
                f" {self.frames_per_hop}, and is {stride}"
            )
        self.steps_per_hop = self.frames_per_hop // stride
        self.encoder = Encoder(settings, recipe.mfcc, scale)
        self._hidden = layers.Dense(settings.hidden, activation="relu", name="hidden")
        self._dropout = layers.Dropout(settings.head_dropout, name="head_dropout")
        self._logits = layers.Dense(len(recipe.labels), name="logits")

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
        embedding, weight, mask = inputs
        mask = ops.repeat(mask, self._steps_per_hop, axis=-1)
        weight = (weight[:, None, :, 0] + WEIGHT_FLOOR) * mask
        weight = weight / ops.sum(weight, axis=-1, keepdims=True)
        mean = ops.matmul(weight, embedding)
        square = ops.matmul(weight, embedding**2)
        std = ops.sqrt(ops.maximum(square - mean**2, 0.0) + VARIANCE_FLOOR)
        return ops.concatenate([mean, std], axis=-1)
