"""Statistics pooling over all that was heard, as running sums of constant cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

WEIGHT_FLOOR = 1e-6
VARIANCE_FLOOR = 1e-4


class RunningPool:
    """Weighted mean and standard deviation of the embeddings since `reset`.

    After Okabe et al., Interspeech 2018, with weights in 0..1 instead of a softmax, so that the
    sums need no maximum. The past fades by `keep` each hop.
    """

    def __init__(self, *, dim: int, keep: float) -> None:
        self._dim = dim
        self._keep = keep
        self.sums = np.zeros(1 + 2 * dim)
        """Total weight, weighted sum, weighted sum of squares; float64."""

    def reset(self) -> None:
        """Forget everything."""
        self.sums.fill(0.0)

    def push(self, embedding: Floats, weight: Floats) -> None:
        """Add the (steps, dim) embeddings of a hop with their (steps, 1) weights."""
        positive = np.maximum(weight, 0.0).astype(np.float64) + WEIGHT_FLOOR
        weighted = positive * embedding
        self.sums *= self._keep
        self.sums[0] += positive.sum()
        self.sums[1 : 1 + self._dim] += weighted.sum(axis=0)
        self.sums[1 + self._dim :] += (weighted * embedding).sum(axis=0)

    def pooled(self) -> Floats:
        """Return means and standard deviations, (2 * dim,) float32."""
        mean = self.sums[1 : 1 + self._dim] / self.sums[0]
        square = self.sums[1 + self._dim :] / self.sums[0]
        std = np.sqrt(np.maximum(square - mean**2, 0.0) + VARIANCE_FLOOR)
        return np.concatenate([mean, std]).astype(np.float32)
