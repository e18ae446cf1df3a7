"""What is measured of each: a step that takes a stretch of speech, over and over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from streamser.analysis.hops import HOP, SAMPLE_RATE
from streamser.audio.recording import read_recording
from streamser.clip import demo_clip

Samples = NDArray[np.int16]

ANSWER = 3 * HOP
"""Samples between two answers, 240 ms: the rate of everybody who answers."""

WINDOW = 37 * HOP
"""2.96 s, what the published systems look at."""

Kind = Literal["emotion", "features", "voice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One system."""

    name: str
    kind: Kind
    """What it yields: emotions, the features for them alone, or something else about a voice."""

    samples: int
    """That a step takes, as it would live."""

    step: Callable[[], object]
    """Work on the next samples; what the peer needs for it was made before."""

    @property
    def seconds(self) -> float:
        """Of audio in a step."""
        return self.samples / SAMPLE_RATE


def speech() -> Samples:
    """Return 30 s without a pause: two seconds of the bundled clip, again and again."""
    clip = np.concatenate(list(read_recording(demo_clip())))
    return np.tile(clip[SAMPLE_RATE : SAMPLE_RATE + 25 * HOP], 15)


class Player:
    """Gives the speech piece by piece, without end."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self._at = WINDOW

    def next(self, count: int) -> Samples:
        """Return the next `count` samples."""
        return self.window(count, count)

    def window(self, count: int, length: int) -> Samples:
        """Go on by `count` samples and return the last `length`."""
        self._at += count
        if self._at > self._samples.size:
            self._at = WINDOW + count
        return self._samples[self._at - length : self._at]
