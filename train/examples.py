"""Clips to learn from: their features in every rendition, and the targets they teach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from train.corpora.clip import Clip
from train.features import PLAIN, ROOM, SPEEDS, FeatureCache, Rendition
from train.recipe import Recipe


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
        self.hints = np.zeros((len(self.clips), 0), np.float32)

    def teach(self, heard: NDArray[np.float32], *, share: float) -> None:
        """Mix a `share` of (clips, labels) probabilities into the targets."""
        self.targets = (1 - share) * self.targets + np.float32(share) * heard

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
