"""A finished bundle over real recordings, by the code that runs live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from streamser.analysis.analyzer import Analyzer
from streamser.analysis.whole import WholeAnalyzer
from streamser.audio.recording import read_recording
from streamser.events import Emotion, Utterance
from streamser.model.bundle import Bundle
from train.conditions import Condition
from train.corpora.clip import UNKNOWN, Clip

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Answers:
    """What a bundle said of clips, row by row."""

    clips: list[Clip]
    scores: Floats
    """(clips, labels); a clip in which the gate heard no voice counts as all `unknown`."""

    status: list[str]
    """As in the event, or `no_speech`."""

    def of(self, rows: NDArray[np.int_]) -> Answers:
        """Return a part."""
        return Answers(
            [self.clips[i] for i in rows], self.scores[rows], [self.status[i] for i in rows]
        )

    @property
    def logits(self) -> Floats:
        """The scores as logits, up to a constant per row."""
        return np.asarray(np.log(np.maximum(self.scores, 1e-12)))


def answers(bundle: Bundle, clips: Sequence[Clip], *, through: Condition | None = None) -> Answers:
    """Let the bundle judge each clip as a whole, as `streamser analyze --whole` does.

    `through` is what happens to it on its way.
    """
    analyzer = WholeAnalyzer(model=bundle)
    labels = bundle.manifest.labels
    silent = np.array([float(label == "unknown") for label in labels])
    scores, status = [], []
    for clip in track(clips, "judging", transient=True):
        heard = read_recording(clip.path)
        if through is not None:
            heard = iter([through(np.concatenate(list(heard)))])
        verdict: Utterance | None = analyzer.analyze(heard)
        scores.append(silent if verdict is None else [verdict.scores[x] for x in labels])
        status.append("no_speech" if verdict is None else verdict.status)
    return Answers(list(clips), np.array(scores), status)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a clip led to, second by second, when it was heard live."""

    clip: Clip
    seconds: float
    times: Floats
    """(events,) of the `emotion` events, in seconds."""

    scores: Floats
    """(events, labels)."""

    named: NDArray[np.bool_]
    """(events,) whether the event named an emotion."""


def hear(bundle: Bundle, clips: Sequence[Clip]) -> list[Heard]:
    """Let the bundle hear each clip as the live path does."""
    heard = []
    for clip in track(clips, "listening", transient=True):
        analyzer = Analyzer(model=bundle)
        events = [e for block in read_recording(clip.path) for e in analyzer.push(block)]
        said = [e for e in events if type(e) is Emotion]
        scores = [[e.scores[label] for label in bundle.manifest.labels] for e in said]
        heard.append(
            Heard(
                clip,
                analyzer.t,
                np.array([e.t for e in said]),
                np.array(scores).reshape(len(said), len(bundle.manifest.labels)),
                np.array([e.label is not None for e in said], dtype=bool),
            )
        )
    return heard


def recorded_sounds(clips: Sequence[Clip]) -> list[Clip]:
    """Return what is no voice and was recorded; what is synthetic where nothing else is there."""
    sounds = [clip for clip in clips if clip.emotion == UNKNOWN]
    return [clip for clip in sounds if clip.corpus != "synthetic"] or sounds


def emotional_seconds(heard: Sequence[Heard]) -> float:
    """Return the share of the seconds of audio in which an event named an emotion."""
    named = sum(np.unique(h.times[h.named].astype(int)).size for h in heard)
    return float(named / sum(h.seconds for h in heard))
