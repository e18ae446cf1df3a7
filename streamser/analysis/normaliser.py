"""Causal normalisation, so that a microphone's gain and colour do not decide the emotion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamser.analysis.hops import HOP
from streamser.model.bundle import HOPS_AT_ONCE
from streamser.model.manifest import Features, NormaliserStatistics

Floats = NDArray[np.float32]


class Normaliser:
    """Subtracts the running mean of the utterance, hop by hop, and divides by a fixed scale.

    The mean of a hop's frames counts already for that hop. With a half-life the past fades, so
    that a long monologue follows a change of distance or room.
    """

    def __init__(
        self, statistics: NormaliserStatistics, features: Features, *, keep: float
    ) -> None:
        """`statistics` are of the frames that `features` describes.

        `keep` is the share of the past that survives one hop, 0 to 1.
        """
        self._prior = np.array(statistics.mean, dtype=np.float64)
        self._prior_frames = statistics.prior_seconds * features.frames_per_second
        inverse_scale = (1.0 / np.array(statistics.scale)).astype(np.float32)
        self._keep = keep
        self._fading = np.array(keep)  # numpy would make one of a float at every hop
        self._block = HOP // features.hop
        self._ones = np.ones(self._block, np.float32)
        most = HOPS_AT_ONCE * self._block
        self._inverse_scales = np.tile(inverse_scale, (most, 1))  # numpy buffers what it repeats
        self._means = np.empty_like(self._inverse_scales)
        self._sum = np.empty_like(self._prior)
        self.reset()

    def reset(self) -> None:
        """Start a new utterance from the corpus statistics."""
        np.multiply(self._prior, self._prior_frames, out=self._sum)
        self._frames = self._prior_frames

    def push(self, frames: Floats) -> Floats:
        """Take (frames, n_mfcc) of up to `HOPS_AT_ONCE` hops; return them normalised, in place."""
        count = len(frames)
        for start in range(0, count, self._block):
            hop = slice(start, start + self._block)
            self._sum *= self._fading
            self._sum += self._ones.dot(frames[hop])
            self._frames = self._frames * self._keep + self._block
            self._means[hop] = self._sum / self._frames
        frames -= self._means[:count]
        frames *= self._inverse_scales[:count]
        return frames

    def snapshot(self) -> tuple[NDArray[np.float64], float]:
        """Return what `restore` takes."""
        return self._sum.copy(), self._frames

    def restore(self, snapshot: tuple[NDArray[np.float64], float]) -> None:
        """Return to an earlier state."""
        np.copyto(self._sum, snapshot[0])
        self._frames = snapshot[1]
