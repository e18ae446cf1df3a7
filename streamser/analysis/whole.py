"""One verdict over all the speech of a recording."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamser.analysis.evidence import Evidence
from streamser.analysis.hops import HOP, HOP_SECONDS, SAMPLE_RATE, Hops
from streamser.analysis.profile import Profile
from streamser.analysis.settings import Settings
from streamser.analysis.verdict import Verdict
from streamser.analysis.voice import VoiceGate
from streamser.events import Utterance
from streamser.model.bundle import Bundle, load


class WholeAnalyzer:
    """Hears all utterances of a recording as one; what lies between them is left out."""

    def __init__(
        self,
        *,
        model: Bundle | Path | str | None = None,
        settings: Settings | None = None,
        profile: Profile | None = None,
    ) -> None:
        """Raises BundleError when the model cannot be loaded, ProfileError as `Analyzer` does."""
        settings = settings or Settings()
        self.model = model if isinstance(model, Bundle) else load(model)
        self._gate = VoiceGate(settings.gate)
        self._evidence = Evidence(self.model, half_life=settings.half_life, profile=profile)
        self._hops = Hops(lookback=settings.gate.lookback, context=self._evidence.context)
        manifest = self.model.manifest
        self._verdict = Verdict(manifest.labels, manifest.verdict, interval=settings.interval)

    def analyze(self, blocks: Iterable[NDArray[np.int16]]) -> Utterance | None:
        """Take a recording as int16 mono blocks at 16 kHz; None where the gate hears no voice."""
        self._gate.reset()
        self._hops.reset()
        self._evidence.reset()
        clock = start = end = voiced = 0
        for block in blocks:
            for hop in self._hops.push(block):
                clock += HOP
                match self._gate.push(hop):
                    case "opened":
                        context, heard = self._hops.back(self._gate.onset_hops)
                        self._evidence.begin(context, heard)
                        start = start if voiced else clock - heard.size
                        voiced, end = voiced + heard.size // HOP, clock
                    case "voiced":
                        self._evidence.push(hop, voiced=True)
                        voiced, end = voiced + 1, clock
                    case "unvoiced":
                        self._evidence.push(hop, voiced=False)
                    case "ended":
                        self._evidence.rewind()
        if not voiced:
            return None
        self._evidence.rewind()
        return self._judged(start / SAMPLE_RATE, end / SAMPLE_RATE, voiced * HOP_SECONDS)

    def _judged(self, start: float, end: float, speech_seconds: float) -> Utterance:
        judgement = self._verdict.finish(self._evidence.logits(), speech_seconds)
        return Utterance(
            t=end,
            utterance=0,
            start=start,
            end=end,
            speech_seconds=speech_seconds,
            **judgement._asdict(),
        )


def analyze_whole(
    blocks: Iterable[NDArray[np.int16]],
    *,
    model: Bundle | Path | str | None = None,
    settings: Settings | None = None,
    profile: Profile | None = None,
) -> Utterance | None:
    """Analyse one recording; for many, keep a `WholeAnalyzer`. Raises what it raises."""
    return WholeAnalyzer(model=model, settings=settings, profile=profile).analyze(blocks)
