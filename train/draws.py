"""Which clips a pass draws, and which stretch of each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.corpora.clip import EMOTIONS
from train.examples import Examples
from train.features import Features
from train.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some hops of a voice."""

    log_mel: NDArray[np.float16]
    """(hops, frames, n_mels) decibels."""

    hints: NDArray[np.float16]
    """(hops, hints)."""

    def __len__(self) -> int:
        return len(self.log_mel)

    def __getitem__(self, hops: slice) -> Stretch:
        return Stretch(self.log_mel[hops], self.hints[hops])

    def before(self, other: Stretch) -> Stretch:
        """Join two stretches."""
        log_mel = np.concatenate((self.log_mel, other.log_mel))
        return Stretch(log_mel, np.concatenate((self.hints, other.hints)))


@dataclass(frozen=True, slots=True)
class Draw:
    """What is drawn of one clip."""

    clip: int
    """Index into the examples."""

    heard: Stretch


class Draws:
    """The draws of a pass, in batches; they depend on the random numbers alone."""

    def __init__(self, examples: Examples, recipe: Recipe) -> None:
        self._examples = examples
        self._settings, self._paste = recipe.fit, recipe.augment.paste
        self._shares = examples.draw_shares(recipe)
        self._rendition_shares = examples.rendition_shares(recipe)
        self._of_voice: dict[tuple[str, str], list[int]] = defaultdict(list)
        for i, clip in enumerate(examples.clips):
            self._of_voice[clip.speaker_key, str(clip.emotion)].append(i)

    def __len__(self) -> int:
        """Batches in a pass."""
        return self._settings.draws // self._settings.batch

    def __call__(self, rng: np.random.Generator) -> list[list[Draw]]:
        """Draw a pass; clips of like length share a batch, so that little is padding."""
        size = self._settings.batch
        chosen = rng.choice(len(self._shares), len(self) * size, p=self._shares)
        draws = [Draw(int(clip), self._cut(int(clip), rng)) for clip in chosen]
        batches = []
        for start in range(0, len(draws), 8 * size):
            pool = sorted(draws[start : start + 8 * size], key=lambda draw: len(draw.heard))
            batches += [pool[i : i + size] for i in range(0, len(pool), size)]
        return [batches[i] for i in rng.permutation(len(batches))]

    def _cut(self, clip: int, rng: np.random.Generator) -> Stretch:
        rendition = int(rng.choice(len(self._examples.features), p=self._rendition_shares))
        hops = self._speech(clip, rendition, rng)
        if self._paste and rng.random() < self._paste:
            hops = self._pasted(clip, hops, rendition, rng)
        limit = self._settings.max_hops
        if rng.random() < self._settings.short_crops:
            limit = int(rng.integers(8, limit))
        start = int(rng.integers(0, max(0, len(hops) - limit) + 1))
        return hops[start : start + limit]

    def _pasted(
        self, clip: int, hops: Stretch, rendition: int, rng: np.random.Generator
    ) -> Stretch:
        """Join more of the same voice, as emotional or neutral (Pappagari et al., ICASSP 2021)."""
        whose = self._examples.clips[clip]
        if whose.emotion not in EMOTIONS:
            return hops
        tone = str(whose.emotion) if rng.random() < 0.5 else "neutral"
        others = self._of_voice.get((whose.speaker_key, tone))
        if not others:
            return hops
        more = self._speech(others[int(rng.integers(len(others)))], rendition, rng)
        more = more[: int(rng.integers(4, 20))]
        return hops.before(more) if rng.random() < 0.5 else more.before(hops)

    def _speech(self, clip: int, rendition: int, rng: np.random.Generator) -> Stretch:
        features = self._examples.features[rendition][clip]
        kept = np.flatnonzero(_widen(features, rng))
        return Stretch(features.log_mel[kept], self._examples.hints_at(clip, rendition, kept))


def _widen(features: Features, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Move the ends of the speech a little, as other gates and rooms would."""
    if not features.speech:
        return features.voiced
    kept = features.voiced.copy()
    first, last = kept.argmax(), kept.size - kept[::-1].argmax()
    kept[max(0, first - int(rng.integers(0, 3))) : first] = True
    kept[last : last + int(rng.integers(0, 4))] = True
    return kept
