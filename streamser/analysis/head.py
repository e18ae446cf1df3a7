"""The head of the network: pooled statistics in, logits out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamser.model.bundle import Bundle

Floats = NDArray[np.float32]


class Head:
    """Its INT8 graph; without a state, so it is asked only when somebody wants to know."""

    def __init__(self, bundle: Bundle) -> None:
        self._network = bundle.head
        self._pooled = bundle.head.inputs["pooled"]
        self._logits = bundle.head.outputs["logits"]

    def logits(self, pooled: Floats) -> Floats:
        """From (pooled_dim,) to (labels,) float32."""
        self._network.set(self._pooled, pooled[None])
        self._network.invoke()
        logits: Floats = self._network.get(self._logits)[0]
        return logits
