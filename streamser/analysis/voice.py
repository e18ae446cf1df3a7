"""The voice gate: which hops belong to an utterance (WebRTC VAD, onset, hangover)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from streamser.analysis.hops import HOP, HOP_SECONDS, SAMPLE_RATE

_FRAME = 320
_FRAMES_PER_HOP = HOP // _FRAME
_FRAME_SECONDS = HOP_SECONDS / _FRAMES_PER_HOP

GateState = Literal["closed", "opened", "voiced", "unvoiced", "ended"]
"""What a hop meant: no utterance; one begins; it goes on, with or without voice; it is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """When an utterance begins and ends."""

    aggressiveness: int = 2
    """WebRTC VAD's own mode, 0 (lets much through) to 3 (strict)."""

    onset: float = 0.24
    """Seconds over which voice must prevail before an utterance begins."""

    onset_share: float = 0.75
    """Share of the onset's frames that must be voiced; a click or a knock is shorter."""

    hangover: float = 0.64
    """Seconds without voice after which the utterance is over; a word's pause is shorter."""

    preroll: float = 0.08
    """Seconds before the first voiced frame that belong to the utterance."""

    @property
    def lookback(self) -> int:
        """Hops before the current one that an onset can reach back to."""
        return int(np.ceil((self.onset + self.preroll) / HOP_SECONDS))


class VoiceGate:
    """Decides hop by hop; the samples of a hop are looked at once, as four frames of 20 ms."""

    def __init__(self, settings: GateSettings) -> None:
        import _webrtcvad  # webrtcvad around it looks up its own version: 4 MB of imports

        self._webrtc = _webrtcvad
        self.settings = settings
        self._onset_frames = max(1, round(settings.onset / _FRAME_SECONDS))
        self._onset_voiced = max(1, round(self._onset_frames * settings.onset_share))
        self._prospects = self._voiced_from_now_on()
        self._hangover_hops = max(1, round(settings.hangover / HOP_SECONDS))
        self.reset()

    def reset(self) -> None:
        """Forget everything, WebRTC's noise model included."""
        self._vad = self._webrtc.create()
        self._webrtc.init(self._vad)
        self._webrtc.set_mode(self._vad, self.settings.aggressiveness)
        self._recent = 0
        self._silent_hops = 0
        self.open = False
        self.onset_hops = 0
        """After `opened`: hops, before the current one, at which the utterance starts."""

    @property
    def hops_to_change(self) -> int:
        """With which further hop, at the earliest, an utterance can begin or end; at least 1."""
        if self.open:
            return self._hangover_hops - self._silent_hops
        if self._recent:
            for hops, (kept, lacking) in enumerate(self._prospects, start=1):
                if (self._recent & kept).bit_count() >= lacking:
                    return hops
        return len(self._prospects)

    def push(self, hop: NDArray[np.int16]) -> GateState:
        """Judge one hop, (1280,) int16."""
        raw = hop.tobytes()
        voiced = 0
        for start in range(0, 2 * HOP, 2 * _FRAME):
            frame = raw[start : start + 2 * _FRAME]
            spoken = self._webrtc.process(self._vad, SAMPLE_RATE, frame, _FRAME)
            self._recent = self._recent << 1 | spoken
            voiced += spoken
        self._recent &= (1 << self._onset_frames) - 1
        return self._continue(voiced) if self.open else self._await_onset()

    def _voiced_from_now_on(self) -> list[tuple[int, int]]:
        """Of the first, the second ... hop to come: a mask of the recent frames that an onset there
        could still reach back to, and how many of these must be voiced if all to come are."""
        prospects: list[tuple[int, int]] = []
        lacking = self._onset_voiced
        while lacking > 0:
            lacking -= _FRAMES_PER_HOP
            stay = self._onset_frames - (len(prospects) + 1) * _FRAMES_PER_HOP
            prospects.append(((1 << max(0, stay)) - 1, lacking))
        return prospects

    def _await_onset(self) -> GateState:
        if self._recent.bit_count() < self._onset_voiced:
            return "closed"
        self.open = True
        self._silent_hops = 0
        frames_ago = self._recent.bit_length() - 1 + round(self.settings.preroll / _FRAME_SECONDS)
        self.onset_hops = -(-(frames_ago - _FRAMES_PER_HOP + 1) // _FRAMES_PER_HOP)
        return "opened"

    def _continue(self, voiced: int) -> GateState:
        if 2 * voiced >= _FRAMES_PER_HOP:
            self._silent_hops = 0
            return "voiced"
        self._silent_hops += 1
        if self._silent_hops < self._hangover_hops:
            return "unvoiced"
        self.open = False
        self._recent = 0
        return "ended"
