"""Clips to learn from: their features in every rendition, and the targets they teach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from train.corpora.clip import Clip
from train.features import PLAIN, ROOM, SPEEDS, FeatureCache, Rendition
from train.recipe import Recipe

HINT_DELAY = 1
"""Hops: a teacher that hears what comes next is guessed when the network has heard it too."""


class Examples:
    """Clips with their features in several renditions, and the targets they teach."""

    def __init__(
        self,
        clips: Sequence[Clip],
        recipe: Recipe,
        *,
        cache: FeatureCache,
        renditions: Sequence[Rendition] = (PLAIN,),
        votes: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        self.clips = [clip for clip in clips if clip.emotion in recipe.labels]
        self._renditions = renditions
        self.features = [cache.load(self.clips, rendition) for rendition in renditions]
        self.targets = np.stack([_target(clip, recipe, votes or {}) for clip in self.clips])
        self.hints = [np.zeros((1, 0), np.float16) for _ in self.clips]
        """Of each clip, (hops, hints): what to guess at each hop besides; none at first."""

    def teach(self, heard: NDArray[np.float32], *, share: float) -> None:
        """Mix a `share` of (clips, labels) probabilities into the targets."""
        self.targets = (1 - share) * self.targets + np.float32(share) * heard

    def hints_at(self, clip: int, rendition: int, hops: NDArray[np.int_]) -> NDArray[np.float16]:
        """Return (hops, hints) at some hops of a rendition, taken from the clip as it is."""
        at = np.rint((hops - HINT_DELAY) * self._renditions[rendition].speed).astype(int)
        hints = self.hints[clip]
        return hints[np.clip(at, 0, len(hints) - 1)]

    def draw_shares(self, recipe: Recipe) -> NDArray[np.float64]:
        """Probability of each clip to be drawn, by corpus and then by emotion."""
        per_class = Counter((clip.corpus, clip.emotion) for clip in self.clips)
        balance = recipe.fit.class_balance
        shares = np.array([per_class[c.corpus, c.emotion] ** -balance for c in self.clips])
        corpora = np.array([clip.corpus for clip in self.clips])
        for corpus in np.unique(corpora):
            mine = corpora == corpus
            shares[mine] *= recipe.corpora.get(str(corpus), 0.0) / shares[mine].sum()
        return np.asarray(shares / shares.sum())

    def rendition_shares(self, recipe: Recipe) -> NDArray[np.float64]:
        """Probability of each rendition of a clip: one for all rooms, the rest for the speeds."""
        rooms = recipe.augment.rooms
        room = np.array([rendition.room for rendition in self._renditions])
        shares = np.where(room, rooms, (1.0 - rooms) / np.sum(~room))
        return np.asarray(shares / shares.sum())


def _target(
    clip: Clip, recipe: Recipe, votes: Mapping[str, Mapping[str, float]]
) -> NDArray[np.float32]:
    target = np.array([float(label == clip.emotion) for label in recipe.labels], dtype=np.float32)
    if clip.corpus == "crema_d" and clip.name in votes:
        heard = [votes[clip.name].get(label, 0.0) for label in recipe.labels]
        share = recipe.fit.listener_votes
        target = ((1 - share) * target + share * np.array(heard)).astype(np.float32)
    return target


def renditions(recipe: Recipe) -> tuple[Rendition, ...]:
    """What a recipe trains on: every clip at every speed, and in a room if it asks for rooms."""
    return (*SPEEDS, ROOM) if recipe.augment.rooms else SPEEDS
