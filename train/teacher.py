"""A teacher that has heard far more speech: a pretrained encoder under a linear layer.

The encoder was trained to write speech down; its middle layers tell emotions of speakers they never
heard far better than a network that knows acted corpora alone. It stays as it is; only the linear
layer learns, from training clips.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

from train.clip_cache import Arrays, ClipCache
from train.corpora.clip import EMOTIONS, Clip
from train.examples import Examples
from train.features import read_samples
from train.moonshine import Encoding, Moonshine
from train.recipe import Recipe

Floats = NDArray[np.float32]

FOLDS = 5
INVERSE_DECAY = 5e-4


class EncodingCache:
    """What the encoder makes of clips, one file per corpus, beside its weights."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "encodings-moonshine-tiny"
        self._cache = ClipCache[Encoding](self._folder, pack=_pack, unpack=_unpack)

    def load(self, clips: Sequence[Clip]) -> list[Encoding]:
        """Return the encodings of `clips`, in their order; those not cached yet are computed.

        Raises RecipeError where the encoder cannot be had.
        """

        def prepare() -> Callable[[Clip], Encoding]:
            encoder = Moonshine(self._folder)
            return lambda clip: encoder(read_samples(clip.path))

        return self._cache.load(clips, prepare, title="the teacher hears {}")


def _pack(encodings: list[Encoding]) -> Arrays:
    return {
        "whole": np.array([encoding.whole for encoding in encodings]),
        "hops": np.concatenate([encoding.hops for encoding in encodings]),
        "counts": np.array([len(encoding.hops) for encoding in encodings]),
    }


def _unpack(arrays: Arrays) -> list[Encoding]:
    hops = np.split(arrays["hops"], np.cumsum(arrays["counts"])[:-1])
    return [Encoding(*both) for both in zip(arrays["whole"], hops, strict=True)]


def wholes(encodings: Sequence[Encoding]) -> Floats:
    """Return (clips, 2304)."""
    return np.array([encoding.whole for encoding in encodings], np.float32)


def layers(encodings: Sequence[Encoding]) -> list[NDArray[np.float16]]:
    """Return (hops, 576) of each clip, `standardised`."""
    return standardised([encoding.hops for encoding in encodings])


def standardised(clips: Sequence[NDArray[np.floating]]) -> list[NDArray[np.float16]]:
    """Return (hops, n) of each clip: how far each hop is from the mean, in deviations."""
    hops = np.concatenate(clips)
    mean = hops.mean(axis=0, dtype=np.float32)
    inverse = 1.0 / hops.std(axis=0, dtype=np.float32)
    return [((clip - mean) * inverse).astype(np.float16) for clip in clips]


@dataclass(frozen=True, slots=True)
class Teacher:
    """A linear layer over encodings, taught by some clips."""

    layer: LogisticRegression
    scaler: StandardScaler
    labels: tuple[str, ...]

    @classmethod
    def of(cls, encodings: Floats, clips: Sequence[Clip], shares: Floats, recipe: Recipe) -> Self:
        """Teach (clips, 2304) encodings, each clip weighing its share of the draws, (clips,)."""
        scaler = StandardScaler().fit(encodings)
        layer = LogisticRegression(C=INVERSE_DECAY, max_iter=300)
        emotions = [str(clip.emotion) for clip in clips]
        layer.fit(scaler.transform(encodings), emotions, shares / shares.mean())
        return cls(layer, scaler, recipe.labels)

    def __call__(self, encodings: Floats) -> Floats:
        """Return (clips, labels) probabilities."""
        heard = np.zeros((len(encodings), len(self.labels)), np.float32)
        columns = [self.labels.index(emotion) for emotion in self.layer.classes_]
        heard[:, columns] = self.layer.predict_proba(self.scaler.transform(encodings))
        return heard


def soft_labels(encodings: Floats, examples: Examples, recipe: Recipe, *, seed: int) -> Floats:
    """Return (clips, labels): what the teacher hears in each clip, among its corpus' emotions.

    A clip's own label taught the teacher nothing: each fifth of the clips is judged by a linear
    layer that learnt from the others. What is no voice keeps its label.
    """
    clips, soft = examples.clips, examples.targets.copy()
    voices = np.flatnonzero([clip.emotion in EMOTIONS for clip in clips])
    shares = examples.draw_shares(recipe)
    own = _own_emotions(examples, recipe)
    folds = KFold(FOLDS, shuffle=True, random_state=seed).split(voices)
    for rest, fifth in track(list(folds), "the teacher answers"):
        learnt, judged = voices[rest], voices[fifth]
        teacher = Teacher.of(encodings[learnt], [clips[i] for i in learnt], shares[learnt], recipe)
        answers = teacher(encodings[judged]) * own[judged]
        soft[judged] = answers / answers.sum(axis=1, keepdims=True)
    return soft


def _own_emotions(examples: Examples, recipe: Recipe) -> NDArray[np.bool_]:
    """(clips, labels), whether a clip's corpus has the emotion."""
    corpora = np.array([clip.corpus for clip in examples.clips])
    own = np.zeros((len(corpora), len(recipe.labels)), bool)
    for corpus in np.unique(corpora):
        mine = corpora == corpus
        own[mine] = (examples.targets[mine] > 0).any(axis=0)
    return own
