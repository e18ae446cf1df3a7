"""The feature cache: clips in every rendition as log-mel hops, made by the code that runs live."""

from __future__ import annotations

import functools
import hashlib
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from streamser.analysis.mfcc import Mfcc, dct_matrix
from streamser.analysis.voice import HOP, GateSettings, VoiceGate
from streamser.audio.recording import read_recording
from streamser.audio.source import SAMPLE_RATE
from streamser.model.manifest import Features as MfccFeatures
from train.clip_cache import Arrays, ClipCache
from train.corpora.clip import Clip
from train.rooms import in_room, room_of


@dataclass(frozen=True, slots=True)
class Rendition:
    """How a clip is played to the network."""

    name: str
    """What its file in the cache is called."""

    speed: float = 1.0
    room: bool = False
    """In one of the rooms to train in (train.rooms)."""

    def __call__(self, clip: Clip) -> NDArray[np.int16]:
        """Return (n,) int16 at 16 kHz. Raises SourceError."""
        samples = read_samples(clip.path)
        if self.speed != 1.0:
            samples = soxr.resample(samples, SAMPLE_RATE * self.speed, SAMPLE_RATE, quality="HQ")
        if self.room:
            samples = in_room(samples, room_of("train", zlib.crc32(clip.name.encode())))
        return samples


PLAIN = Rendition("1")

SPEEDS = (Rendition("0.9", speed=0.9), PLAIN, Rendition("1.1", speed=1.1))
"""At another speed a voice changes pitch and tempo together (Ko et al., Interspeech 2015)."""

ROOM = Rendition("room", room=True)


@dataclass(frozen=True, slots=True)
class Features:
    """One clip in one rendition."""

    log_mel: NDArray[np.float16]
    """(hops, frames, n_mels) decibels."""

    voiced: NDArray[np.bool_]
    """(hops,) what the voice gate lets through; all True where it hears no voice."""

    speech: bool
    """Whether the gate heard a voice at all."""


class FeatureCache:
    """The features of clips, one file per corpus and rendition."""

    def __init__(self, folder: Path, *, mfcc: MfccFeatures, gate: GateSettings) -> None:
        self._mfcc, self._gate = mfcc, gate
        described = json.dumps([asdict(mfcc), asdict(gate)], sort_keys=True)
        self.folder = folder / hashlib.sha256(described.encode()).hexdigest()[:12]
        self._cache = ClipCache(self.folder, pack=_pack, unpack=_unpack)

    def load(self, clips: Sequence[Clip], rendition: Rendition = PLAIN) -> list[Features]:
        """Return the features of `clips` in their order; those not cached yet are computed."""

        def prepare() -> Callable[[Clip], Features]:
            extract = Extractor(mfcc=self._mfcc, gate=self._gate)
            return lambda clip: extract(rendition(clip))

        title = f"features of {{}} ({rendition.name})"
        return self._cache.load(clips, prepare, title=title, suffix=f"-{rendition.name}")


class Extractor:
    """Samples of a clip to its features, hop by hop as in the live path."""

    def __init__(self, *, mfcc: MfccFeatures, gate: GateSettings) -> None:
        self._mfcc = Mfcc(mfcc)
        self._gate = VoiceGate(gate)
        self._to_mel = dct_matrix(mfcc.n_mfcc, mfcc.n_mels).astype(np.float32)

    def __call__(self, samples: NDArray[np.int16]) -> Features:
        """Take (n,) int16 at 16 kHz; a clip shorter than a hop is padded to one."""
        samples = np.pad(samples, (0, max(0, HOP - samples.size)))
        hops = samples.size // HOP
        self._mfcc.reset()
        self._mfcc.push(np.zeros(self._mfcc.context, np.int16))
        mfcc = self._mfcc.push(samples[: hops * HOP]).reshape(hops, -1, self._to_mel.shape[0])
        voiced = voiced_hops(self._gate, samples)
        speech = bool(voiced.any())
        log_mel = (mfcc @ self._to_mel).astype(np.float16)
        return Features(log_mel, voiced if speech else ~voiced, speech)


def to_mfcc(settings: MfccFeatures, log_mel: NDArray[np.floating]) -> NDArray[np.float32]:
    """From (..., n_mels) decibels to (..., n_mfcc), the last step of the MFCC."""
    return np.asarray(log_mel.astype(np.float32) @ _dct(settings.n_mfcc, settings.n_mels))


@functools.cache
def _dct(n_mfcc: int, n_mels: int) -> NDArray[np.float32]:
    return dct_matrix(n_mfcc, n_mels).T.astype(np.float32)


def voiced_hops(gate: VoiceGate, samples: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Return which whole hops belong to an utterance, from its start to its last voice."""
    gate.reset()
    hops = samples.size // HOP
    voiced = np.zeros(hops, dtype=bool)
    start = 0
    for i in range(hops):
        match gate.push(samples[i * HOP : (i + 1) * HOP]):
            case "opened":
                start = max(0, i - gate.onset_hops)
                voiced[start : i + 1] = True
            case "voiced":
                voiced[start : i + 1] = True
            case "ended":
                start = hops
    return voiced


def read_samples(path: Path) -> NDArray[np.int16]:
    """Return a recording as (n,) int16 at 16 kHz, mono. Raises SourceError."""
    return np.concatenate(list(read_recording(path)))


def _pack(features: list[Features]) -> Arrays:
    return {
        "hops": np.array([f.voiced.size for f in features]),
        "speech": np.array([f.speech for f in features]),
        "voiced": np.concatenate([f.voiced for f in features]),
        "log_mel": np.concatenate([f.log_mel for f in features]),
    }


def _unpack(arrays: Arrays) -> list[Features]:
    log_mel, voiced = arrays["log_mel"], arrays["voiced"]
    ends = np.cumsum(arrays["hops"])
    return [
        Features(log_mel[end - hops : end], voiced[end - hops : end], bool(spoken))
        for end, hops, spoken in zip(ends, arrays["hops"], arrays["speech"], strict=True)
    ]
