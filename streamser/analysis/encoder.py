"""The streaming network: its INT8 graph, one hop or some at once, with the state outside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamser.model.bundle import HOPS_AT_ONCE, Bundle

Floats = NDArray[np.float32]


class Encoder:
    """Normalised MFCC frames in; embeddings and their pooling weights out.

    The numbers are the same, however many hops come at once.
    """

    def __init__(self, bundle: Bundle) -> None:
        network = bundle.encoder
        self._frames = bundle.manifest.network.frames_per_hop
        at_once = HOPS_AT_ONCE * self._frames
        self._networks = {self._frames: network, at_once: bundle.encoder_at_once}
        self._fresh = bundle.fresh_state()
        self._features, self._before = network.inputs["features"], network.inputs["state"]
        self._embedding, self._weight = network.outputs["embedding"], network.outputs["weight"]
        self._after = network.outputs["state_out"]
        self.reset()

    def reset(self) -> None:
        """Start as if nothing had been heard."""
        self.state = self._fresh

    def push(self, frames: Floats) -> tuple[Floats, Floats]:
        """Take the (frames, n_mfcc) of whole hops; return (steps, dim) and weights, (steps, 1)."""
        network = self._networks.get(len(frames))
        if network is None:
            hops = range(0, len(frames), self._frames)
            parts = [self.push(frames[start : start + self._frames]) for start in hops]
            embeddings, weights = zip(*parts, strict=True)
            return np.concatenate(embeddings), np.concatenate(weights)
        network.set(self._features, frames[None, None])
        network.set(self._before, self.state)
        network.invoke()
        self.state = network.get(self._after)  # a fresh array: a reference is a snapshot
        return network.get(self._embedding)[0, 0], network.get(self._weight)[0, 0]
