"""How well posteriors agree with the acted labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from train.corpora.clip import EMOTIONS, UNKNOWN, Clip

Floats = NDArray[np.floating]


def unweighted_recall(true: NDArray[np.int_], found: NDArray[np.int_]) -> float:
    """Mean over the classes in `true` of the share found (UA, macro recall)."""
    return float(np.mean([np.mean(found[true == label] == label) for label in np.unique(true)]))


def emotion_answers(
    clips: Sequence[Clip], logits: Floats, labels: Sequence[str], *, closed: bool
) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """True and likeliest emotion of each clip as indices into `labels`, `unknown` left aside.

    With `closed` only the emotions that occur among `clips` may be answered.
    """
    index = {label: i for i, label in enumerate(labels)}
    true = np.array([index[str(clip.emotion)] for clip in clips])
    allowed = {str(clip.emotion) for clip in clips} if closed else set(EMOTIONS)
    barred = np.array([label not in allowed or label == UNKNOWN for label in labels])
    found = np.where(barred, -np.inf, logits).argmax(axis=1)
    return true, found


def unweighted_recalls(
    clips: Sequence[Clip], logits: Floats, labels: Sequence[str], *, closed: bool = True
) -> dict[str, float]:
    """UA of each corpus of emotional speech, and their mean under `mean`."""
    spoken = np.array([clip.emotion in EMOTIONS for clip in clips])
    corpora = np.array([clip.corpus for clip in clips])
    recalls = {}
    for corpus in sorted(set(corpora[spoken])):
        mine = np.flatnonzero(spoken & (corpora == corpus))
        chosen = [clips[i] for i in mine]
        recalls[str(corpus)] = unweighted_recall(
            *emotion_answers(chosen, logits[mine], labels, closed=closed)
        )
    recalls["mean"] = float(np.mean([ua for name, ua in recalls.items() if "song" not in name]))
    return recalls
