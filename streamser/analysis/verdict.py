"""From logits to what is said about them: calibrated, smoothed, steady, or `unknown`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamser.analysis.affect import project
from streamser.events import Status
from streamser.model.manifest import VerdictSettings

UNKNOWN = "unknown"

WARM_UP = 0.5
"""Seconds of speech before anything is said."""

STEADY = 1.5
"""Seconds of speech after which a verdict is steady: accuracy gains flatten there."""

SMOOTHING = 0.4
"""Seconds over which interval scores are averaged; the last one of an utterance is not."""

MARGIN = 0.08
"""By how much another label must be likelier before the label changes within an utterance."""


class Judgement(NamedTuple):
    """A verdict without its place in time; its fields are an event's."""

    status: Status
    label: str | None
    confidence: float
    scores: Mapping[str, float]
    valence: float
    arousal: float


class Verdict:
    """Judges one utterance after another."""

    def __init__(self, labels: tuple[str, ...], settings: VerdictSettings, *, interval: float):
        """`interval` is the time in seconds between two calls of `push`."""
        self._labels = labels
        self._unknown = labels.index(UNKNOWN) if UNKNOWN in labels else None
        self._settings = settings
        self._fresh = 1.0 - math.exp(-interval / SMOOTHING)
        self.reset()

    def reset(self) -> None:
        """Begin a new utterance."""
        self._smoothed: list[float] | None = None
        self._current: int | None = None

    def push(self, logits: NDArray[np.float32], speech_seconds: float) -> Judgement:
        """Judge an utterance that goes on."""
        scores = self._softmax(logits)
        if self._smoothed is not None:
            pairs = zip(scores, self._smoothed, strict=True)
            scores = [before + self._fresh * (now - before) for now, before in pairs]
        self._smoothed = scores
        best = scores.index(max(scores))
        if self._current is None or scores[best] >= scores[self._current] + MARGIN:
            self._current = best
        return self._judge(scores, self._current, speech_seconds)

    def finish(self, logits: NDArray[np.float32], speech_seconds: float) -> Judgement:
        """Judge a whole utterance by its own evidence alone."""
        scores = self._softmax(logits)
        return self._judge(scores, scores.index(max(scores)), speech_seconds)

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the calibrated probabilities, (labels,) float64 (Guo et al., ICML 2017)."""
        return np.array(self._softmax(logits))

    def _softmax(self, logits: NDArray[np.float32]) -> list[float]:
        # A handful of labels is less work for Python than for numpy.
        scaled = [logit / self._settings.temperature for logit in logits.tolist()]
        most = max(scaled)
        exponents = [math.exp(each - most) for each in scaled]
        total = sum(exponents)
        return [each / total for each in exponents]

    def _rejects(self, scores: list[float], index: int) -> bool:
        settings, unknown = self._settings, self._unknown
        if unknown is not None and (index == unknown or scores[unknown] > settings.unknown_above):
            return True
        return scores[index] < settings.threshold

    def _judge(self, scores: list[float], index: int, speech_seconds: float) -> Judgement:
        label: str | None = self._labels[index]
        status: Status
        if speech_seconds < WARM_UP:
            status = "warming_up"
        elif self._rejects(scores, index):
            status = "unknown"
        else:
            status = "steady" if speech_seconds >= STEADY else "provisional"
        if status in ("warming_up", "unknown"):
            label = None
        named = dict(zip(self._labels, scores, strict=True))
        return Judgement(status, label, scores[index], named, *project(named))
