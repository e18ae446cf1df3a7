"""The whole analysis: int16 samples in, events out; no I/O, no clock, no thread."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamser.analysis.evidence import Evidence
from streamser.analysis.hops import HOP, HOP_SECONDS, SAMPLE_RATE, Hops
from streamser.analysis.profile import Profile, load_profile
from streamser.analysis.settings import Settings
from streamser.analysis.verdict import WARM_UP, Verdict
from streamser.analysis.voice import VoiceGate
from streamser.events import Emotion, Event, Session, SpeechStarted, Stamp, Utterance
from streamser.model.bundle import Bundle, load


class Analyzer:
    """Feed it samples, get events: the same ones, bit for bit, whatever the chunking.

    Raises BundleError when the model cannot be loaded.
    """

    def __init__(
        self,
        *,
        model: Bundle | Path | str | None = None,
        settings: Settings | None = None,
        profile: Profile | str | None = None,
        session: Session | None = None,
    ) -> None:
        """`model` is a loaded bundle, its name or folder; None is the default model.

        `profile` is of the one who speaks, or its name. Raises ProfileError when it is of another
        model, or there is none of this name.
        """
        self.model = model if isinstance(model, Bundle) else load(model)
        self.settings = settings or Settings()
        self._session = session or Session()
        gate = self.settings.gate
        self._gate = VoiceGate(gate)
        self.profile = load_profile(profile) if isinstance(profile, str) else profile
        self._evidence = Evidence(
            self.model, half_life=self.settings.half_life, profile=self.profile
        )
        self._hops = Hops(lookback=gate.lookback, context=self._evidence.context)
        manifest = self.model.manifest
        self._interval = max(1, round(self.settings.interval / HOP_SECONDS))
        self._verdict = Verdict(
            manifest.labels, manifest.verdict, interval=self._interval * HOP_SECONDS
        )
        self.reset()

    def reset(self) -> None:
        """Start over: no samples, no utterance, time zero. The session's numbering goes on."""
        self._clock = self._start = self._end = 0
        self._utterance = -1
        self._voiced = self._due = 0
        self._forget()

    @property
    def t(self) -> float:
        """Seconds of audio so far, skipped ones included."""
        return (self._clock + self._hops.filled) / SAMPLE_RATE

    @property
    def speaking(self) -> bool:
        """Whether the voice gate is open."""
        return self._gate.open

    @property
    def hops_to_event(self) -> int:
        """With which further hop, at the earliest, an event can come; at least 1."""
        change = self._gate.hops_to_change
        return min(change, self._due - self._voiced) if self._gate.open else change

    @property
    def speech_seconds(self) -> float:
        """Seconds of voiced evidence in the utterance that is open, or else in the last one."""
        return self._voiced * HOP / SAMPLE_RATE

    @property
    def pooled(self) -> NDArray[np.float32]:
        """The (pooled_dim,) statistics of that utterance; what a profile is made of."""
        return self._evidence.pooled()

    @property
    def level_dbfs(self) -> float | None:
        """Level of the last hop (a full-scale square wave is 0); None for digital silence."""
        hop = self._hops.current.astype(np.float32)
        power = float(hop @ hop) / HOP
        return 10.0 * math.log10(power / 32768.0**2) if power else None

    def push(self, samples: NDArray[np.int16]) -> list[Event]:
        """Analyse int16 mono samples at 16 kHz, any number.

        Raises TypeError for another dtype, or no array, and ValueError for another shape.
        """
        kind = getattr(samples, "dtype", type(samples))
        if kind != np.int16:
            raise TypeError(f"samples have to be an int16 array, not {kind}")
        if samples.ndim != 1:
            raise ValueError(f"samples have to be mono, (n,), not {samples.shape}")
        events: list[Event] = []
        for hop in self._hops.push(samples):
            self._clock += HOP
            self._step(hop, events)
        return events

    def skip(self, samples: int) -> list[Event]:
        """Note that `samples` samples were lost here: end the utterance and move the clock.

        Raises ValueError for fewer than none.
        """
        if samples < 0:
            raise ValueError(f"{samples} samples cannot be lost")
        events = self.finish()
        self._clock += self._hops.filled + samples
        self._forget()
        return events

    def finish(self) -> list[Event]:
        """End the utterance that is still open."""
        if not self._gate.open:
            return []
        self._gate.reset()
        return [self._ended()]

    def _forget(self) -> None:
        self._hops.reset()
        self._gate.reset()

    def _step(self, hop: NDArray[np.int16], events: list[Event]) -> None:
        state = self._gate.push(hop)
        if state == "closed":
            return
        if state == "opened":
            events.append(self._started())
        elif state == "ended":
            events.append(self._ended())
            return
        else:
            self._evidence.push(hop, voiced=state == "voiced")
        if state == "unvoiced":
            return
        if state == "voiced":
            self._voiced += 1
            self._end = self._clock
        if self._voiced >= self._due:
            self._due = self._voiced + self._interval
            judgement = self._verdict.push(self._evidence.logits(), self.speech_seconds)
            events.append(Emotion(**self._place(), **judgement._asdict()))

    def _started(self) -> Event:
        context, heard = self._hops.back(self._gate.onset_hops)
        self._evidence.reset()
        self._verdict.reset()
        self._evidence.begin(context, heard)
        self._utterance += 1
        self._voiced = heard.size // HOP
        self._due = math.ceil(WARM_UP / HOP_SECONDS)
        self._start, self._end = self._clock - heard.size, self._clock
        return SpeechStarted(
            **self._session.next(self._clock / SAMPLE_RATE),
            utterance=self._utterance,
            start=self._start / SAMPLE_RATE,
        )

    def _ended(self) -> Event:
        self._evidence.rewind()
        judgement = self._verdict.finish(self._evidence.logits(), self.speech_seconds)
        return Utterance(**self._place(), **judgement._asdict(), speech_seconds=self.speech_seconds)

    def _place(self) -> _Place:
        return {
            **self._session.next(self._clock / SAMPLE_RATE),
            "utterance": self._utterance,
            "start": self._start / SAMPLE_RATE,
            "end": self._end / SAMPLE_RATE,
        }


class _Place(Stamp):
    utterance: int
    start: float
    end: float
