"""Gathers a user's ordinary voice into a profile."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from streamser.analysis.analyzer import Analyzer
from streamser.analysis.head import Head
from streamser.analysis.hops import HOP
from streamser.analysis.profile import Profile, ProfileError, shift
from streamser.analysis.settings import Settings
from streamser.analysis.verdict import Verdict
from streamser.events import Event, Utterance
from streamser.model.bundle import Bundle

SHORTEST = 10.0
"""Seconds of speech that make a profile."""


class Calibration:
    """Listens as `Analyzer` does and keeps the pooled statistics of each utterance, no sound."""

    def __init__(self, *, model: Bundle, settings: Settings | None = None) -> None:
        """Raises ProfileError when the model takes no profiles."""
        if model.manifest.baseline is None:
            raise ProfileError(f"model {model.info.name} takes no profiles")
        self._model = model
        self._analyzer = Analyzer(model=model, settings=settings)
        self._pooled: list[NDArray[np.float32]] = []
        self._seconds: list[float] = []

    @property
    def speech_seconds(self) -> float:
        """Seconds of speech so far."""
        now = self._analyzer.speech_seconds if self._analyzer.speaking else 0.0
        return sum(self._seconds) + now

    @property
    def speaking(self) -> bool:
        """Whether a voice is heard just now."""
        return self._analyzer.speaking

    def push(self, samples: NDArray[np.int16]) -> None:
        """Hear int16 mono samples at 16 kHz, any number."""
        for start in range(0, samples.size, HOP):
            self._keep(self._analyzer.push(samples[start : start + HOP]))

    def finish(self, name: str) -> Profile:
        """Return the profile. Raises ProfileError when there was too little speech."""
        self._keep(self._analyzer.finish())
        if self.speech_seconds < SHORTEST:
            raise ProfileError(
                f"heard {self.speech_seconds:.0f} s of speech, a profile takes {SHORTEST:.0f} s"
            )
        return Profile(
            name=name,
            created=datetime.now(UTC).date().isoformat(),
            model=self._model.info.name,
            model_sha256=self._model.info.sha256,
            speech_seconds=round(self.speech_seconds, 2),
            pooled=tuple(np.average(self._pooled, axis=0, weights=self._seconds).tolist()),
        )

    def scores(self, profile: Profile | None) -> dict[str, float]:
        """Return how what was heard is judged with `profile`, the mean over the utterances."""
        manifest = self._model.manifest
        head, off = Head(self._model), shift(self._model, profile)
        verdict = Verdict(manifest.labels, manifest.verdict, interval=1.0)
        judged = [verdict.probabilities(head.logits(pooled - off)) for pooled in self._pooled]
        means = np.average(judged, axis=0, weights=self._seconds)
        return dict(zip(manifest.labels, means.tolist(), strict=True))

    def _keep(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Utterance):
                self._pooled.append(self._analyzer.pooled)
                self._seconds.append(event.speech_seconds)
