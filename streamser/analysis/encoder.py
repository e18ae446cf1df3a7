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
        self._fresh = bundle.fresh_states()
        self._pairs = bundle.states
        self._features = network.inputs["features"]
        self._embedding = network.outputs["embedding"]
        self._weight = network.outputs["weight"]
        self.reset()

    def reset(self) -> None:
        """Start as if nothing had been heard."""
        self.states = self._fresh

    def push(self, frames: Floats) -> tuple[Floats, Floats]:
        """Take (frames_per_hop, n_mfcc); return embeddings (steps, dim) and weights (steps, 1)."""
        network = self._network
        network.set(self._features, self._features.quantise(frames))
        for (before, _), state in zip(self._pairs, self.states, strict=True):
            network.set(before, state)
        network.invoke()
        # Fresh arrays each time, so that a reference to `states` is a snapshot.
        self.states = [network.get(after) for _, after in self._pairs]
        embedding = self._embedding.dequantise(network.get(self._embedding))
        weight = self._weight.dequantise(network.get(self._weight))
        return embedding[0, 0], weight[0, 0]
