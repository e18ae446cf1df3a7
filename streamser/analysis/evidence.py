"""What was heard of an utterance: features, network and pooling, one hop after another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamser.analysis.encoder import Encoder
from streamser.analysis.head import Head
from streamser.analysis.hops import HOP, HOP_SECONDS
from streamser.analysis.mfcc import Mfcc
from streamser.analysis.normaliser import Normaliser
from streamser.analysis.pooling import RunningPool
from streamser.analysis.profile import Profile, shift
from streamser.model.bundle import HOPS_AT_ONCE, Bundle

Samples = NDArray[np.int16]


@dataclass(slots=True)
class Held:
    """Everything as it was after the last voiced hop."""

    state: NDArray[np.int8]
    sums: NDArray[np.float64]
    normaliser: tuple[NDArray[np.float64], float]


class Evidence:
    """Gathers hops. What follows the last voice is heard, but counts only if the voice returns.

    Hops wait for one another: three at once cost less than one after another, and are the same.
    """

    def __init__(self, bundle: Bundle, *, half_life: float, profile: Profile | None) -> None:
        """`half_life` in seconds: how fast the past fades in a long monologue.

        Raises ProfileError when the profile is another network's.
        """
        keep = fading(half_life)
        manifest = bundle.manifest
        self._mfcc = Mfcc(manifest.features)
        self._normaliser = Normaliser(manifest.normaliser, manifest.features, keep=keep)
        self._encoder = Encoder(bundle)
        self._pool = RunningPool(manifest.network, keep=keep)
        self._head = Head(bundle)
        self._shift = shift(bundle, profile)
        self.context = self._mfcc.context
        """Samples before an utterance that its first frame covers."""

        self.reset()

    def reset(self) -> None:
        """Begin a new utterance."""
        self._normaliser.reset()
        self._encoder.reset()
        self._pool.reset()
        self._mfcc.reset()
        self._held: Held | None = None
        self._waiting = 0

    def begin(self, context: Samples, hops: Samples) -> None:
        """Hear `hops`, (n * 1280,), as voiced, after the `context` samples before them."""
        self._hear()
        self._mfcc.reset()
        self._mfcc.push(context)
        for start in range(0, hops.size, HOP):
            self.push(hops[start : start + HOP], voiced=True)

    def push(self, hop: Samples, *, voiced: bool) -> None:
        """Hear a hop, (1280,) int16; a voiced one makes all up to here count."""
        if voiced:
            self._held = None
        elif self._held is None:
            self._hear()
            sums, normaliser = self._pool.sums.copy(), self._normaliser.snapshot()
            self._held = Held(self._encoder.state, sums, normaliser)
        self._mfcc.add(hop)
        self._waiting += 1
        if self._waiting == HOPS_AT_ONCE:
            self._hear()

    def rewind(self) -> None:
        """Forget what was heard after the last voiced hop; `begin` comes next."""
        held, self._held = self._held, None
        if held is not None:
            self._mfcc.reset()
            self._waiting = 0
            self._encoder.state = held.state
            self._normaliser.restore(held.normaliser)
            np.copyto(self._pool.sums, held.sums)

    def logits(self) -> NDArray[np.float32]:
        """Return the head's (labels,) float32 for all that was heard."""
        return self._head.logits(self.pooled() - self._shift)

    def pooled(self) -> NDArray[np.float32]:
        """Return the (pooled_dim,) statistics of all that was heard, whoever speaks."""
        self._hear()
        return self._pool.pooled()

    def _hear(self) -> None:
        """Hear the hops that wait."""
        if not self._waiting:
            return
        self._waiting = 0
        frames = self._normaliser.push(self._mfcc.frames())
        self._pool.push(*self._encoder.push(frames))


def fading(half_life: float) -> float:
    """Return the share of the past that survives one hop."""
    return float(0.5 ** (HOP_SECONDS / half_life))
