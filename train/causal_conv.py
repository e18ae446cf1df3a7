"""A causal convolution in Keras, read as a whole clip or a few steps at a time."""

from __future__ import annotations

from keras import KerasTensor, layers, ops


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
        given: tuple[int, int],
        stride: tuple[int, int] = (1, 1),
        dilation: int = 1,
    ) -> None:
        """`kernel` and `stride` are in steps and bands, `dilation` in steps.

        `given` is how many bands and channels it is given.
        """
        self.name = name
        self._past = (kernel[0] - 1) * dilation - (stride[0] - 1)
        self.state_shape = (self._past, *given)
        """Steps, bands, channels."""

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
        padded = layers.ZeroPadding2D(((self._past, 0), (0, 0)), name=f"{self.name}_past")(x)
        return self._relu(self._norm(self._conv(padded)))

    def step(self, x: KerasTensor, state: KerasTensor) -> tuple[KerasTensor, KerasTensor]:
        joined = layers.Concatenate(axis=1, name=f"{self.name}_join")([state, x])
        return self._relu(self._norm(self._step(joined))), joined[:, -self._past :]


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
