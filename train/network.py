"""The streaming network in Keras: one set of layers, read as a whole clip or hop by hop.

Causal residual convolutions over MFCC frames with the coefficients as channels (TC-ResNet, Choi et
al., Interspeech 2019), gated statistics pooling (after Okabe et al., Interspeech 2018, with a
sigmoid instead of a softmax so that running sums stay bounded), and a small dense head.
"""

from __future__ import annotations

import math

import keras
from keras import KerasTensor, layers, ops

from streamser.analysis.hops import HOP
from streamser.analysis.pooling import VARIANCE_FLOOR, WEIGHT_FLOOR
from train.recipe import NetworkSettings, Recipe, RecipeError


class CausalConv:
    """A convolution over (batch, 1, steps, channels) that keeps its past as an explicit state.

    Batch norm and ReLU follow. Four dimensions spare the converted graph a reshape per layer.

    The state holds the input steps that the next outputs still need; the newest output always
    covers the newest input (right-aligned strides, as in kws_streaming, Rybakov et al., 2020).
    """

    def __init__(
        self, name: str, filters: int, kernel: int, *, dilation: int = 1, stride: int = 1
    ) -> None:
        self.name = name
        self.state_steps = (kernel - 1) * dilation - (stride - 1)
        self._conv = layers.Conv2D(
            filters,
            (1, kernel),
            strides=(1, stride),
            dilation_rate=(1, dilation),
            use_bias=False,
            name=name,
        )
        self._step = Shifted(self._conv, name=f"{name}_shifted") if dilation > 1 else self._conv
        self._norm = layers.BatchNormalization(momentum=0.98, name=f"{name}_norm")
        self._relu = layers.ReLU(name=f"{name}_relu")

    def whole(self, x: KerasTensor) -> KerasTensor:
        padded = layers.ZeroPadding2D(((0, 0), (self.state_steps, 0)), name=f"{self.name}_past")(x)
        return self._relu(self._norm(self._conv(padded)))

    def step(self, x: KerasTensor, state: KerasTensor) -> tuple[KerasTensor, KerasTensor]:
        joined = layers.Concatenate(axis=2, name=f"{self.name}_join")([state, x])
        return self._relu(self._norm(self._step(joined))), joined[:, :, -self.state_steps :]


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
        taps, dilation = self._conv.kernel_size[1], self._conv.dilation_rate[1]
        reach = (taps - 1) * dilation
        shifted = [x[:, :, i * dilation : (i * dilation - reach) or None] for i in range(taps)]
        kernel = ops.reshape(self._conv.kernel, (1, 1, -1, self._conv.filters))
        return ops.conv(ops.concatenate(shifted, axis=-1), kernel)


class Encoder:
    """MFCC frames in; an embedding and a pooling weight for every step of the body out."""

    def __init__(self, settings: NetworkSettings) -> None:
        self.settings = settings
        s = settings
        first, second = s.strides
        self._stem = CausalConv("stem", s.stem, 2 * first + 1, stride=first)
        self._stem_blocks = [
            CausalConv(f"stem_{i}", s.stem, s.kernel, dilation=d)
            for i, d in enumerate(s.stem_dilations)
        ]
        self._down = CausalConv("down", s.body, 2 * second, stride=second)
        self._body_blocks = [
            CausalConv(f"body_{i}", s.body, s.kernel, dilation=d)
            for i, d in enumerate(s.body_dilations)
        ]
        self._weight = layers.Conv2D(1, 1, activation="sigmoid", name="weight")

    @property
    def convolutions(self) -> list[CausalConv]:
        """All convolutions with a state, in the order of the states."""
        return [self._stem, *self._stem_blocks, self._down, *self._body_blocks]

    def state_shapes(self) -> list[tuple[int, int, int]]:
        """Shape of each state without the batch, (1, steps, channels), in order."""
        s = self.settings
        channels = [s.n_mfcc, *[s.stem] * (len(self._stem_blocks) + 1)]
        channels += [s.body] * len(self._body_blocks)
        return [(1, c.state_steps, n) for c, n in zip(self.convolutions, channels, strict=True)]

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

    def _run(self, x, run) -> tuple[KerasTensor, KerasTensor]:  # type: ignore[no-untyped-def]
        dropout = self.settings.block_dropout
        x = run(self._stem, x)
        for conv in self._stem_blocks:
            x = layers.Add()([x, layers.SpatialDropout2D(dropout)(run(conv, x))])
        x = run(self._down, x)
        for conv in self._body_blocks:
            x = layers.Add()([x, layers.SpatialDropout2D(dropout)(run(conv, x))])
        return x, self._weight(x)


class Network:
    """Encoder, pooling and head; builds the Keras models that share their weights."""

    def __init__(self, recipe: Recipe) -> None:
        """Raises RecipeError where a hop is no whole number of steps."""
        self.settings = settings = recipe.network
        self.frames_per_hop = HOP // recipe.mfcc.hop
        stride = math.prod(settings.strides)
        if self.frames_per_hop % stride:
            raise RecipeError(
                "network.strides: their product has to divide the frames of a hop,"
                f" {self.frames_per_hop}, and is {stride}"
            )
        self.steps_per_hop = self.frames_per_hop // stride
        self.encoder = Encoder(settings)
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
        features = keras.Input((None, self.settings.n_mfcc), name="features")
        mask = keras.Input((None, None), name="mask")
        rows = layers.Reshape((1, -1, self.settings.n_mfcc), name="rows")(features)
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
        shape = (1, self.frames_per_hop, self.settings.n_mfcc)
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
