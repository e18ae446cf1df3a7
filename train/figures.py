"""The figures of a bundle: agreement with the acted label, calibration, rejection."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.corpora.clip import EMOTIONS
from train.judge import Answers, Heard, emotional_seconds
from train.scores import emotion_answers, unweighted_recall

Floats = NDArray[np.float64]

FOUR = ("angry", "happy", "neutral", "sad")
"""The emotions that nearly every corpus has, for figures across corpora."""


def spoken(answers: Answers) -> Answers:
    """The clips that carry one of the trained emotions."""
    return answers.of(np.array([i for i, c in enumerate(answers.clips) if c.emotion in EMOTIONS]))


def corpus_figures(answers: Answers, labels: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Per corpus, and as `mean` over the corpora of speech: UA and WA in percent.

    `ua` answers among the corpus' own emotions, `ua_open` among all seven; `ua_four` is over the
    clips of FOUR and answers among these.
    """
    voices = spoken(answers)
    corpora = np.array([clip.corpus for clip in voices.clips])
    figures: dict[str, dict[str, float]] = {}
    for corpus in sorted(set(corpora)):
        own = voices.of(np.flatnonzero(corpora == corpus))
        true, found = emotion_answers(own.clips, own.logits, labels, closed=True)
        _, free = emotion_answers(own.clips, own.logits, labels, closed=False)
        four = own.of(np.flatnonzero([clip.emotion in FOUR for clip in own.clips]))
        rejected = [status in ("unknown", "no_speech", "warming_up") for status in own.status]
        figures[str(corpus)] = {
            "clips": len(own.clips),
            "ua": 100 * unweighted_recall(true, found),
            "ua_open": 100 * unweighted_recall(true, free),
            "ua_four": 100
            * unweighted_recall(*emotion_answers(four.clips, four.logits, labels, closed=True)),
            "wa": 100 * float(np.mean(true == found)),
            "rejected": 100 * float(np.mean(rejected)),
        }
    speech = [row for name, row in figures.items() if not name.endswith("_song")]
    figures["mean"] = {
        key: float(np.mean([row[key] for row in speech]))
        for key in speech[0]
        if key.startswith(("ua", "wa"))
    }
    return figures


def emotions(labels: tuple[str, ...]) -> list[str]:
    """The labels that are emotions."""
    return [label for label in labels if label in EMOTIONS]


def confusion(answers: Answers, labels: tuple[str, ...]) -> NDArray[np.int_]:
    """Counts of true (rows) and found (columns) emotions over all clips, as `emotions` orders."""
    voices = spoken(answers)
    true, found = emotion_answers(voices.clips, voices.logits, labels, closed=False)
    order = [labels.index(emotion) for emotion in emotions(labels)]
    return np.array([[int(np.sum((true == t) & (found == f))) for f in order] for t in order])


def calibration(answers: Answers, labels: tuple[str, ...], *, bins: int = 15) -> dict[str, Any]:
    """ECE over equal-width bins of confidence (Guo et al., 2017), and accuracy over coverage.

    `reliability` has a row for each bin: mean confidence, accuracy, share of the clips; all shares
    are 0 to 1. `accuracy_over_coverage` is of the surest tenth, two tenths and so on, in percent.
    """
    voices = spoken(answers)
    true = np.array([labels.index(str(clip.emotion)) for clip in voices.clips])
    confidence, right = voices.scores.max(axis=1), voices.scores.argmax(axis=1) == true
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    reliability = [
        (confidence[place == b].mean(), right[place == b].mean(), np.mean(place == b))
        for b in np.unique(place)
    ]
    surest = right[np.argsort(-confidence, kind="stable")]
    over_coverage = [100 * surest[: len(surest) * n // 10].mean() for n in range(1, 11)]
    return {
        "ece": float(sum(share * abs(hit - sure) for sure, hit, share in reliability)),
        "accuracy": 100 * float(right.mean()),
        "accuracy_surest_half": 100 * float(surest[: len(surest) // 2].mean()),
        "reliability": reliability,
        "accuracy_over_coverage": over_coverage,
    }


def fit_temperature(answers: Answers, labels: tuple[str, ...]) -> float:
    """The temperature that makes the answers to clips of speech likeliest (Guo et al., 2017).

    Every clip weighs the same, as in the error of calibration.
    """
    voices = spoken(answers)
    heard = np.flatnonzero(np.array(voices.status) != "no_speech")
    known = voices.of(heard)
    true = np.array([labels.index(str(clip.emotion)) for clip in known.clips])
    rows = np.arange(len(true))

    def loss(temperature: float) -> float:
        scaled = known.logits / temperature
        scaled -= scaled.max(axis=1, keepdims=True)
        log_p = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
        return float(-log_p[rows, true].mean())

    candidates = np.geomspace(0.25, 4.0, 241)
    return float(round(min(candidates, key=loss), 4))


def fit_threshold(answers: Answers, *, rejected: float) -> float:
    """The confidence that all but a share of `rejected` of the emotional clips reach."""
    return float(np.floor(100 * np.quantile(spoken(answers).scores.max(axis=1), rejected)) / 100)


def fit_unknown_above(
    sounds: Sequence[Heard], labels: tuple[str, ...], *, threshold: float, emotional: float
) -> float:
    """The highest limit for `unknown` at which sounds rarely get an emotion.

    At most a share of `emotional` of their seconds does.
    """
    unknown = labels.index("unknown")
    for limit in np.geomspace(0.5, 0.01, 80):
        named = [
            dataclasses.replace(
                h,
                named=(h.scores[:, unknown] <= limit)
                & (np.delete(h.scores, unknown, axis=1).max(axis=1, initial=0.0) >= threshold),
            )
            for h in sounds
        ]
        if emotional_seconds(named) <= emotional:
            return float(round(limit, 3))
    return 0.01
