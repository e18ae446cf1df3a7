"""The feature cache: every clip at every speed as log-mel hops, made by the code that runs live."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray
from rich.progress import track

from streamser.analysis.mfcc import Mfcc, dct_matrix
from streamser.analysis.voice import HOP, GateSettings, VoiceGate
from streamser.audio.recording import read_recording
from streamser.audio.source import SAMPLE_RATE
from streamser.model.manifest import Features as MfccFeatures
from train.corpora.clip import Clip

SPEEDS = (0.9, 1.0, 1.1)
"""Played at these speeds a voice changes pitch and tempo together (Ko et al., Interspeech 2015)."""


@dataclass(frozen=True, slots=True)
class Features:
    """One clip at one speed."""

    log_mel: NDArray[np.float16]
    """(hops, 8, n_mels) decibels."""

    voiced: NDArray[np.bool_]
    """(hops,) what the voice gate lets through; all True where it hears no voice."""

    speech: bool
    """Whether the gate heard a voice at all."""


class FeatureCache:
    """Reads and writes features, one file per corpus and speed, so that it can be resumed."""

    def __init__(self, folder: Path, *, mfcc: MfccFeatures, gate: GateSettings) -> None:
        self._mfcc, self._gate = mfcc, gate
        described = json.dumps([asdict(mfcc), asdict(gate)], sort_keys=True)
        self.folder = folder / hashlib.sha256(described.encode()).hexdigest()[:12]

    def load(self, clips: Sequence[Clip], speed: float = 1.0) -> list[Features]:
        """Return the features of `clips` in their order; those not cached yet are computed."""
        found: dict[tuple[str, str], Features] = {}
        for corpus in sorted({clip.corpus for clip in clips}):
            mine = [clip for clip in clips if clip.corpus == corpus]
            found |= self._load_corpus(corpus, mine, speed)
        return [found[clip.corpus, clip.name] for clip in clips]

    def _load_corpus(
        self, corpus: str, clips: Sequence[Clip], speed: float
    ) -> dict[tuple[str, str], Features]:
        path = self.folder / f"{corpus}-{speed:g}.npz"
        cached = dict(_read(path, corpus)) if path.exists() else {}
        missing = [clip for clip in clips if (corpus, clip.name) not in cached]
        if missing:
            extract = Extractor(mfcc=self._mfcc, gate=self._gate)
            for clip in track(missing, f"features of {corpus} at speed {speed:g}"):
                cached[corpus, clip.name] = extract(read_samples(clip.path, speed))
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, cached)
        return cached


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
        mfcc = self._mfcc.push(samples[: hops * HOP]).reshape(hops, 8, -1)
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


def read_samples(path: Path, speed: float = 1.0) -> NDArray[np.int16]:
    """Return a recording as (n,) int16 at 16 kHz, mono, played at `speed`. Raises SourceError."""
    samples = np.concatenate(list(read_recording(path)))
    if speed != 1.0:
        samples = soxr.resample(samples, SAMPLE_RATE * speed, SAMPLE_RATE, quality="HQ")
    return samples


def _write(path: Path, features: dict[tuple[str, str], Features]) -> None:
    partial = path.with_suffix(".partial.npz")
    np.savez(
        partial,
        names=np.array([name for _, name in features]),
        hops=np.array([f.voiced.size for f in features.values()]),
        speech=np.array([f.speech for f in features.values()]),
        voiced=np.concatenate([f.voiced for f in features.values()]),
        log_mel=np.concatenate([f.log_mel for f in features.values()]),
    )
    partial.rename(path)


def _read(path: Path, corpus: str) -> Iterator[tuple[tuple[str, str], Features]]:
    with np.load(path) as stored:
        names, hops, speech = stored["names"], stored["hops"], stored["speech"]
        voiced, log_mel = stored["voiced"], stored["log_mel"]
    ends = np.cumsum(hops)
    for name, start, end, spoken in zip(names, ends - hops, ends, speech, strict=True):
        yield (corpus, str(name)), Features(log_mel[start:end], voiced[start:end], bool(spoken))
