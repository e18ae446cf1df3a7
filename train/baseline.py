"""What `streamser calibrate` gains: a speaker's ordinary voice against ordinary voices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamser.analysis.head import Head
from streamser.analysis.hops import HOP_SECONDS
from streamser.model.bundle import Bundle
from streamser.model.manifest import Baseline
from train.corpora.clip import EMOTIONS, Clip
from train.features import FeatureCache
from train.hearing import pooled_statistics
from train.scores import unweighted_recalls

Floats = NDArray[np.float32]

SHARES = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)
"""Never none: who asks for a profile is to be heard by it."""

ORDINARY_SECONDS = 10.0
"""Of neutral speech that make a speaker's baseline."""

DRAWS = 5
"""Over which of a speaker's neutral clips make the baseline."""


def neutral_statistics(bundle: Bundle, clips: Sequence[Clip], cache: FeatureCache) -> Floats:
    """Return the (pooled_dim,) mean over the speakers of their mean over their neutral clips."""
    neutral = [clip for clip in clips if clip.emotion == "neutral"]
    pooled = pooled_statistics(bundle, neutral, cache)[-1]
    speakers = np.array([_speaker(clip) for clip in neutral])
    means = [pooled[speakers == speaker].mean(axis=0) for speaker in np.unique(speakers)]
    return np.asarray(np.mean(means, axis=0), dtype=np.float32)


def fit_baseline(bundle: Bundle, dev: Sequence[Clip], cache: FeatureCache) -> Baseline | None:
    """Return the baseline of a bundle; the share is the one that helps the dev speakers most.

    None where no dev speaker has neutral clips to make one of.

    Ordinary voices are the dev speakers', too: the network knows those of training by heart, and
    takes them for more neutral than those of strangers.
    """
    if not two_neutral(dev):
        return None
    neutral = neutral_statistics(bundle, dev, cache)
    gains = gain(bundle, dev, cache, neutral=neutral, shares=SHARES)
    best = max(SHARES, key=lambda share: gains[share]["mean"])
    return Baseline(neutral=tuple(float(f"{x:.6g}") for x in neutral), share=best)


def two_neutral(clips: Sequence[Clip]) -> set[str]:
    """Return the speakers with two neutral clips or more: one for the baseline, one to score."""
    counted = Counter(_speaker(clip) for clip in clips if clip.emotion == "neutral")
    return {speaker for speaker, count in counted.items() if count > 1}


def gain(
    bundle: Bundle,
    clips: Sequence[Clip],
    cache: FeatureCache,
    *,
    neutral: Floats,
    shares: Sequence[float],
) -> dict[float, dict[str, float]]:
    """For each share the UA of each corpus in percent, `mean`, and `neutral`, the recall of it.

    Each speaker's baseline is made of neutral clips of that speaker alone, ten seconds of them,
    and these clips are left out of the score, also of share 0, which is no calibration. The mean
    of five draws of the clips.
    """
    heard = _Heard.of(bundle, clips, cache)
    head, labels = Head(bundle), bundle.manifest.labels
    found: dict[float, list[dict[str, float]]] = {share: [] for share in shares}
    for draw in range(DRAWS):
        offsets, scored = heard.offsets(neutral, np.random.default_rng(draw))
        rest = [heard.clips[i] for i in scored]
        is_neutral = np.array([clip.emotion == "neutral" for clip in rest])
        for share in shares:
            shifted = heard.pooled[scored] - np.float32(share) * offsets[scored]
            logits = np.array([head.logits(row) for row in shifted])
            recalls = unweighted_recalls(rest, logits, labels)
            said = logits[is_neutral].argmax(axis=1) == labels.index("neutral")
            found[share].append(recalls | {"neutral": float(said.mean())})
    return {
        share: {name: 100 * float(np.mean([draw[name] for draw in draws])) for name in draws[0]}
        for share, draws in found.items()
    }


@dataclass(frozen=True, slots=True)
class _Heard:
    clips: list[Clip]
    pooled: Floats
    speakers: NDArray[np.str_]
    seconds: NDArray[np.float64]

    @classmethod
    def of(cls, bundle: Bundle, clips: Sequence[Clip], cache: FeatureCache) -> _Heard:
        voices = [clip for clip in clips if clip.emotion in EMOTIONS]
        return cls(
            voices,
            pooled_statistics(bundle, voices, cache)[-1],
            np.array([_speaker(clip) for clip in voices]),
            np.array([f.voiced.sum() * HOP_SECONDS for f in cache.load(voices)]),
        )

    def offsets(self, neutral: Floats, rng: np.random.Generator) -> tuple[Floats, NDArray[np.int_]]:
        """Return how far each clip's speaker lies from `neutral`, and the clips left to score.

        Speakers with fewer than two neutral clips are left out altogether.
        """
        offsets = np.zeros_like(self.pooled)
        scored: list[int] = []
        for speaker in sorted(two_neutral(self.clips)):
            mine = np.flatnonzero(self.speakers == speaker)
            ordinary = [i for i in mine if self.clips[i].emotion == "neutral"]
            rng.shuffle(ordinary)
            chosen = list(self._enough(ordinary[:-1]))
            own = np.average(self.pooled[chosen], axis=0, weights=self.seconds[chosen])
            offsets[mine] = own - neutral
            scored += [i for i in mine if i not in chosen]
        return offsets, np.array(scored)

    def _enough(self, ordinary: Sequence[int]) -> Iterator[int]:
        total = 0.0
        for i in ordinary:
            if total >= ORDINARY_SECONDS:
                return
            total += self.seconds[i]
            yield i


def _speaker(clip: Clip) -> str:
    return f"{clip.corpus}/{clip.speaker}"
