"""What each stage of the live path costs, hop by hop, over the bundled clip."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from streamser.analysis.encoder import Encoder
from streamser.analysis.evidence import fading
from streamser.analysis.head import Head
from streamser.analysis.hops import HOP, HOP_SECONDS
from streamser.analysis.mfcc import Mfcc
from streamser.analysis.normaliser import Normaliser
from streamser.analysis.pooling import RunningPool
from streamser.analysis.settings import Settings
from streamser.analysis.verdict import Judgement, Verdict
from streamser.analysis.voice import VoiceGate
from streamser.audio.resample import Resampler
from streamser.audio.ring import RingBuffer
from streamser.events import Emotion, Session, to_json
from streamser.model.bundle import HOPS_AT_ONCE, Bundle

P = ParamSpec("P")
T = TypeVar("T")

NATIVE_RATE = 48_000
"""Hertz; what most microphones deliver when they refuse 16 kHz."""


ONCE_IN_THREE = ("mfcc", "normaliser", "network", "pooling", "head", "verdict", "event")
"""Stages that wait for three hops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Microseconds of processor time per hop of 80 ms.

    For those `ONCE_IN_THREE` per answer, one in three hops.
    """

    name: str
    mean: float
    median: float
    p95: float
    p99: float
    share: float
    """Of the work per second of speech from a 16 kHz microphone, 0 to 1."""


class _Stopwatch:
    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    def __call__(self, name: str, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        begun = time.thread_time()  # what others run meanwhile is no cost of ours
        result = work(*args, **kwargs)
        self.seconds.setdefault(name, []).append(time.thread_time() - begun)
        return result


def hops_of(speech: NDArray[np.int16]) -> Iterator[NDArray[np.int16]]:
    """Yield the hops of int16 `speech` at 16 kHz at once upon each other."""
    for start in range(0, speech.size - HOP + 1, HOP):
        yield speech[start : start + HOP]


def measure_stages(bundle: Bundle, hops: Iterable[NDArray[np.int16]]) -> list[Stage]:
    """Send hops of speech, (1280,) int16, through each stage in turn.

    The stages of a hop follow one another as they do live, so each finds the caches as the others
    left them; but where hop follows hop at once, the caches are warmer than live.
    """
    settings, manifest = Settings(), bundle.manifest
    keep = fading(settings.half_life)
    ring, resampler = RingBuffer(32_000), Resampler(NATIVE_RATE)
    gate, mfcc = VoiceGate(settings.gate), Mfcc(manifest.features)
    normaliser = Normaliser(manifest.normaliser, manifest.features, keep=keep)
    encoder = Encoder(bundle)
    pool, head = RunningPool(manifest.network, keep=keep), Head(bundle)
    verdict = Verdict(manifest.labels, manifest.verdict, interval=settings.interval)
    session = Session()
    mfcc.push(np.zeros(mfcc.context, np.int16))
    watch = _Stopwatch()
    waiting: list[NDArray[np.int16]] = []
    for number, hop in enumerate(hops, start=1):
        native = np.repeat(hop, NATIVE_RATE // 16_000)
        watch("resample 48 kHz", resampler.push, native)
        watch("ring", _through, ring, hop)
        watch("voice gate", gate.push, hop)
        waiting.append(hop)
        if len(waiting) < HOPS_AT_ONCE:
            continue
        frames = watch("mfcc", mfcc.push, np.concatenate(waiting))
        waiting.clear()
        normal = watch("normaliser", normaliser.push, frames)
        embedding, weight = watch("network", encoder.push, normal)
        watch("pooling", pool.push, embedding, weight)
        pooled = watch("pooling", pool.pooled)
        logits = watch("head", head.logits, pooled)
        judgement = watch("verdict", verdict.push, logits, 2.0)
        watch("event", _written, session, judgement, number * HOP_SECONDS)
    return _summarise(watch.seconds)


def _through(ring: RingBuffer, hop: NDArray[np.int16]) -> None:
    ring.write(hop)
    ring.read()


def _written(session: Session, judgement: Judgement, t: float) -> str:
    event = Emotion(**session.next(t), utterance=0, start=0.0, end=t, **judgement._asdict())
    return to_json(event)


def _summarise(seconds: dict[str, list[float]]) -> list[Stage]:
    total = sum(sum(found) for name, found in seconds.items() if "resample" not in name)
    stages = []
    for name, found in seconds.items():
        mean = 1e6 * sum(found) / len(found)
        median, p95, p99 = np.percentile(np.array(found) * 1e6, [50, 95, 99]).tolist()
        share = 0.0 if "resample" in name else sum(found) / total
        stages.append(Stage(name=name, mean=mean, median=median, p95=p95, p99=p99, share=share))
    return stages
