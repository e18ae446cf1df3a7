"""Statistics pooling over all that was heard, as running sums of constant cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamser.model.bundle import HOPS_AT_ONCE
from streamser.model.manifest import NetworkShape

Floats = NDArray[np.float32]

WEIGHT_FLOOR = 1e-6
VARIANCE_FLOOR = 1e-4

_ZERO, _FLOOR = np.array(0.0), np.array(VARIANCE_FLOOR)
"""Arrays, as what fades is: numpy would make one of a Python number at every call."""


@dataclass(frozen=True, slots=True)
class _Memory:
    """Working memory for the embeddings of some hops."""

    weights: NDArray[np.float64]
    values: NDArray[np.float64]
    squares: NDArray[np.float64]
    hops: tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...]
    """Of each hop its weights and its moments: ones, values, squares."""


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

        steps = shape.steps_per_hop
        weights = np.empty(HOPS_AT_ONCE * steps)
        moments = np.ones((HOPS_AT_ONCE * steps, self.sums.size))
        hops = [slice(start, start + steps) for start in range(0, len(weights), steps)]
        self._memory = {
            hop.stop: _Memory(
                weights=weights,
                values=moments[: hop.stop, 1 : 1 + dim],
                squares=moments[: hop.stop, 1 + dim :],
                hops=tuple((weights[each], moments[each]) for each in hops[: number + 1]),
            )
            for number, hop in enumerate(hops)
        }

    def reset(self) -> None:
        """Forget everything."""
        self.sums.fill(0.0)

    def push(self, embedding: Floats, weight: Floats) -> None:
        """Add the (steps, dim) embeddings of up to `HOPS_AT_ONCE` hops, with weights (steps, 1)."""
        memory = self._memory[len(embedding)]
        for step, each in enumerate(weight.ravel().tolist()):
            memory.weights[step] = max(each, 0.0) + WEIGHT_FLOOR
        memory.values[:] = embedding
        np.multiply(memory.values, memory.values, out=memory.squares)
        for weights, moments in memory.hops:
            self.sums *= self._keep
            self.sums += weights.dot(moments)

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
