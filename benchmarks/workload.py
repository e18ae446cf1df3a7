"""The program whose instructions are counted: the same work, in the same order, every time.

    python -m benchmarks.workload

It calls `os.getpgid` before its first part and after each, which nothing else here does: that is
what the counters cut at. It writes a JSON object of the parts, in order: what each is per.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from streamser.analysis.analyzer import Analyzer
from streamser.analysis.encoder import Encoder
from streamser.analysis.fourier import fourier
from streamser.analysis.head import Head
from streamser.analysis.hops import HOP, Hops
from streamser.analysis.mfcc import Mfcc
from streamser.analysis.normaliser import Normaliser
from streamser.analysis.pooling import RunningPool
from streamser.analysis.settings import Settings
from streamser.analysis.verdict import Verdict
from streamser.analysis.voice import VoiceGate
from streamser.audio.capture import BLOCK_SECONDS
from streamser.audio.recording import read_recording
from streamser.audio.ring import RingBuffer
from streamser.audio.source import SAMPLE_RATE, Samples
from streamser.clip import demo_clip
from streamser.events import Emotion, Session, to_json
from streamser.listener import Listener
from streamser.model.bundle import HOPS_AT_ONCE, Bundle, load
from streamser.outputs.lines import LineWriter

BLOCK = round(BLOCK_SECONDS * SAMPLE_RATE)
"""Samples, as the microphone delivers them."""

HOPS = 75
"""6 s, 25 answers: two seconds of speech, thrice, so that no pause ends the utterance."""

SECONDS = HOPS * HOP / SAMPLE_RATE


class Tape:
    """A source that passes samples through the ring, block by block, and is its own clock."""

    name, live, native_rate = "tape", True, SAMPLE_RATE
    dropped = overruns = waiting = 0

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self._ring = RingBuffer(2 * SAMPLE_RATE)
        self._at = 0

    def open(self) -> None:
        """Nothing to open."""

    def read(self, timeout: float, hops: int = 1) -> Samples | None:
        """Return the next block, over and over."""
        start = self._at % self._samples.size
        self._ring.write(self._samples[start : start + BLOCK])
        self._at += BLOCK
        self._ring.wait(BLOCK, timeout)
        return self._ring.read()

    def close(self) -> None:
        """Nothing to close."""

    def clock(self) -> float:
        """Return seconds of audio."""
        return self._at / SAMPLE_RATE


def main() -> None:
    """Do the work of every part twice, and have the second time counted."""
    clip = np.concatenate(list(read_recording(demo_clip())))
    speech = np.tile(clip[16_000 : 16_000 + 25 * HOP], 3)
    parts = dict(work(load(), speech))
    print(json.dumps(parts))


def work(bundle: Bundle, speech: Samples) -> Iterator[tuple[str, float]]:
    """Yield each part once it is done, and how many of its unit it was."""
    silence = np.zeros_like(speech)
    hops = [speech[start : start + HOP] for start in range(0, speech.size, HOP)]
    os.getpgid(0)
    for name, samples in (("speech", speech), ("silence", silence)):
        tape = Tape(samples)
        with Listener(tape, model=bundle, clock=tape.clock) as listener:
            live(listener)
            yield f"to the warm-up of {name}", cut()
            live(listener)
            yield f"second of the whole path, {name}", cut(SECONDS)
    for name, samples in (("speech", speech), ("silence", silence)):
        analyzer = Analyzer(model=bundle)
        push(analyzer, samples)
        yield f"to the warm-up of hops of {name}", cut()
        push(analyzer, samples)
        yield f"hop of {name}", cut(HOPS)
    yield from stages(bundle, hops)


def stages(bundle: Bundle, hops: list[Samples]) -> Iterator[tuple[str, float]]:
    """Yield each stage alone, one after the other, and parts of the two largest."""
    settings, manifest = Settings(), bundle.manifest
    ring, cutter = RingBuffer(2 * SAMPLE_RATE), Hops(lookback=settings.gate.lookback, context=0)
    gate, mfcc = VoiceGate(settings.gate), Mfcc(manifest.features)
    normaliser = Normaliser(manifest.normaliser, manifest.features, keep=1.0)
    encoder = Encoder(bundle)
    pool, head = RunningPool(manifest.network, keep=1.0), Head(bundle)
    verdict = Verdict(manifest.labels, manifest.verdict, interval=settings.interval)
    session = Session(started=datetime.now(UTC))
    mfcc.push(np.zeros(mfcc.context, np.int16))
    n_fft = manifest.features.n_fft
    windowed = np.zeros((HOPS_AT_ONCE * mfcc.block, n_fft), np.float32)
    transform = fourier(*windowed.shape)
    frames = mfcc.push(np.concatenate(hops[:HOPS_AT_ONCE]))
    embedded = encoder.push(frames)
    pool.push(*embedded)
    logits = head.logits(pool.pooled())
    judged = verdict.push(logits, 2.0)._asdict()

    def through(hop: Samples) -> None:
        ring.write(hop)
        ring.wait(HOP, 0.1)
        ring.read()

    def told(hop: Samples) -> str:
        return to_json(Emotion(**session.next(1.0), utterance=0, start=0.0, end=1.0, **judged))

    work: dict[str, Callable[[Samples], object]] = {
        "ring, block": through,
        "hops, hop": lambda hop: list(cutter.push(hop)),
        "voice gate, hop": gate.push,
        "MFCC, hop": at_once(mfcc.push),
        "- its Fourier transform": at_once(lambda hops: transform(windowed)),
        "normaliser, hop": at_once(lambda hops: normaliser.push(frames)),
        "network, hop": at_once(lambda hops: encoder.push(frames)),
        "- its computing alone": at_once(lambda hops: bundle.encoder_at_once.invoke()),
        "pooling, hop": at_once(lambda hops: pool.push(*embedded)),
        "statistics, answer": lambda hop: pool.pooled(),
        "head, answer": lambda hop: head.logits(pooled),
        "verdict, answer": lambda hop: verdict.push(logits, 2.0),
        "event as JSON, answer": told,
    }
    pooled = pool.pooled()
    for name, stage in work.items():
        stage(hops[-1])
        yield f"to {name}", cut()
        for hop in hops:
            stage(hop)
        yield name, cut(HOPS)


def at_once(stage: Callable[[Samples], object]) -> Callable[[Samples], None]:
    """Return what hands hops to a stage as the evidence does: some at once."""
    waiting: list[Samples] = []

    def wait(hop: Samples) -> None:
        waiting.append(hop)
        if len(waiting) == HOPS_AT_ONCE:
            stage(np.concatenate(waiting))
            waiting.clear()

    return wait


def cut(per: float = 0) -> float:
    """End a part that consists of `per` units; 0 for one that is not of interest."""
    os.getpgid(0)
    return per


def live(listener: Listener) -> None:
    """Poll for as long as the speech lasts, and write the events."""
    with Path(os.devnull).open("wb") as null:
        lines = LineWriter(null)
        for _ in range(HOPS * HOP // BLOCK):
            for event in listener.poll(0.1):
                lines.write(to_json(event))


def push(analyzer: Analyzer, samples: Samples) -> None:
    """Push hop by hop."""
    for start in range(0, samples.size, HOP):
        analyzer.push(samples[start : start + HOP])


if __name__ == "__main__":
    main()
