"""The streaming network: its INT8 graph, hop by hop, with the state outside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamser.model.bundle import Bundle

Floats = NDArray[np.float32]


class Encoder:
    """Normalised MFCC frames of a hop in; embeddings and their pooling weights out."""

    def __init__(self, bundle: Bundle) -> None:
        network = bundle.encoder
        self._network = network
        self._fresh = bundle.fresh_state()
        self._features, self._before = network.inputs["features"], network.inputs["state"]
        self._embedding, self._weight = network.outputs["embedding"], network.outputs["weight"]
        self._after = network.outputs["state_out"]
        self.reset()

    def reset(self) -> None:
        """Start as if nothing had been heard."""
        self.state = self._fresh

    def push(self, frames: Floats) -> tuple[Floats, Floats]:
        """Take (frames_per_hop, n_mfcc); return embeddings (steps, dim) and weights (steps, 1)."""
        network = self._network
        network.set(self._features, frames[None, None])
        network.set(self._before, self.state)
        network.invoke()
        self.state = network.get(self._after)  # a fresh array: a reference is a snapshot
        return network.get(self._embedding)[0, 0], network.get(self._weight)[0, 0]
