"""Statistics pooling over all that was heard, as running sums of constant cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamser.model.manifest import NetworkShape

Floats = NDArray[np.float32]

WEIGHT_FLOOR = 1e-6
VARIANCE_FLOOR = 1e-4

_ZERO, _FLOOR = np.array(0.0), np.array(VARIANCE_FLOOR)
"""Arrays, as what fades is: numpy would make one of a Python number at every call."""


class RunningPool:
    """Weighted mean and standard deviation of the embeddings since `reset`.

    After Okabe et al., Interspeech 2018, with weights in 0..1 instead of a softmax, so that the
    sums need no maximum. The past fades by `keep` each hop.
    """

    def __init__(self, shape: NetworkShape, *, keep: float) -> None:
        """`shape` tells how many embeddings a hop has, and how long they are."""
        self._dim = dim = shape.embedding_dim
        self._keep = np.array(keep)
        self.sums = np.zeros(1 + 2 * dim)
        """Total weight, weighted sum, weighted sum of squares; float64."""

        self._weights = np.empty(shape.steps_per_hop)
        self._moments = np.ones((shape.steps_per_hop, self.sums.size))
        self._values = self._moments[:, 1 : 1 + dim]
        self._squares = self._moments[:, 1 + dim :]

    def reset(self) -> None:
        """Forget everything."""
        self.sums.fill(0.0)

    def push(self, embedding: Floats, weight: Floats) -> None:
        """Add the (steps, dim) embeddings of a hop with their (steps, 1) weights."""
        for step, each in enumerate(weight.ravel().tolist()):
            self._weights[step] = max(each, 0.0) + WEIGHT_FLOOR
        self._values[:] = embedding
        np.multiply(self._values, self._values, out=self._squares)
        self.sums *= self._keep
        self.sums += self._weights.dot(self._moments)

    def pooled(self) -> Floats:
        """Return means and standard deviations, (2 * dim,) float32."""
        moments = self.sums[1:] / self.sums[0]
        mean, std = moments[: self._dim], moments[self._dim :]
        std -= mean * mean  # from the mean of squares on, in place
        np.maximum(std, _ZERO, out=std)
        std += _FLOOR
        np.sqrt(std, out=std)
        pooled: Floats = moments.astype(np.float32)
        return pooled
