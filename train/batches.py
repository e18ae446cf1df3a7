"""What a network sees: drawn clips, augmented and normalised, batch by batch."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from streamser.analysis.evidence import fading
from streamser.analysis.mfcc import mel_filters
from streamser.model.manifest import NormaliserStatistics
from train.augment import Augment
from train.corpora.clip import UNKNOWN
from train.draws import Draw, Draws
from train.examples import Examples
from train.features import to_mfcc
from train.recipe import Recipe

Floats = NDArray[np.float32]

SHORTEST_PREFIX = 6
"""Hops, about half a second."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Clips padded to the longest."""

    features: Floats
    """(clips, frames, n_mfcc), normalised."""

    mask: Floats
    """(clips, views, hops), 1 where a clip still lasts; the first view is all of it."""

    targets: Floats
    """(clips, labels)."""

    hints: Floats
    """(clips, hops, hints), what to guess besides; none at times."""

    def with_beginnings(self, ends: NDArray[np.int_]) -> Batch:
        """Add views of the first so many hops, (clips, views), or of all where that is less."""
        beginnings = self.mask[:, :1] * (np.arange(self.mask.shape[-1]) < ends[..., None])
        views = np.concatenate([self.mask, beginnings.astype(np.float32)], axis=1)
        return Batch(self.features, views, self.targets, self.hints)


class Front:
    """Log-mel hops to the network's input: the last stages of the live path over a whole clip."""

    def __init__(self, recipe: Recipe, statistics: NormaliserStatistics) -> None:
        self._mfcc = recipe.mfcc
        self._keep = fading(recipe.fit.half_life)
        self._prior = np.array(statistics.mean)
        self._prior_frames = statistics.prior_seconds * recipe.mfcc.frames_per_second
        self._inverse_scale = (1.0 / np.array(statistics.scale)).astype(np.float32)

    def __call__(self, log_mel: NDArray[np.floating]) -> Floats:
        """From (hops, frames, n_mels) decibels to (hops, frames, n_mfcc), as `Normaliser` does."""
        mfcc = to_mfcc(self._mfcc, log_mel)
        hops, frames, _ = mfcc.shape
        sums = self._fading(mfcc.sum(axis=1, dtype=np.float64), self._prior * self._prior_frames)
        counts = self._fading(np.full((hops, 1), float(frames)), np.array([self._prior_frames]))
        mfcc -= (sums / counts).astype(np.float32)[:, None]
        mfcc *= self._inverse_scale
        return mfcc

    def _fading(
        self, added: NDArray[np.float64], before: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Running totals of (hops, n) of which a share fades at each hop, after `before`, (n,)."""
        carried, _ = lfilter([1.0], [1.0, -self._keep], added, axis=0, zi=self._keep * before[None])
        return np.asarray(carried)


class TrainingBatches:
    """Endless passes over random, augmented draws; a pass depends on the seed and its number."""

    def __init__(self, examples: Examples, recipe: Recipe, front: Front, *, seed: int) -> None:
        self._examples, self._recipe, self._front, self._seed = examples, recipe, front, seed
        self._draws = Draws(examples, recipe)
        settings = recipe.mfcc
        peaks = mel_filters(settings).argmax(axis=1) * settings.sample_rate / settings.n_fft
        self._floor = 10.0 * np.log10(settings.log_floor)
        self._augment = Augment(
            recipe.augment,
            floor_db=self._floor,
            bands_hz=peaks.astype(np.float32),
            frame_seconds=1.0 / settings.frames_per_second,
        )
        self._noises = [
            i for i, clip in enumerate(examples.clips)
            if clip.emotion == UNKNOWN
        ]  # fmt: skip

    def __len__(self) -> int:
        """Batches in a pass."""
        return len(self._draws)

    def one_pass(self, number: int) -> Iterator[Batch]:
        """The batches of pass `number`, made on a thread beside the training."""
        ready: queue.Queue[Batch | Exception | None] = queue.Queue(maxsize=6)

        def produce() -> None:
            try:
                rng = np.random.default_rng([self._seed, number])
                for drawn in self._draws(rng):
                    ready.put(self._batch(drawn, rng))
                ready.put(None)
            except Exception as error:
                ready.put(error)

        threading.Thread(target=produce, daemon=True).start()
        while (batch := ready.get()) is not None:
            if isinstance(batch, Exception):
                raise batch
            yield batch

    def _batch(self, drawn: Sequence[Draw], rng: np.random.Generator) -> Batch:
        clips = []
        for draw in drawn:
            log_mel = draw.heard.log_mel
            frames = log_mel.reshape(-1, log_mel.shape[-1])
            changed = self._augment(frames, self._noise, rng)
            clips.append(self._front(changed.reshape(log_mel.shape)))
        targets = self._examples.targets[[draw.clip for draw in drawn]]
        batch = self._mix(pad(clips, targets, [draw.heard.hints for draw in drawn]), rng)
        return self._begin(batch, [len(clip) for clip in clips], rng)

    def _mix(self, batch: Batch, rng: np.random.Generator) -> Batch:
        # Mixup (Zhang et al., ICLR 2018); voices only, a noise behind a voice is no second label.
        alpha = self._recipe.fit.mixup
        if not alpha:
            return batch
        size = len(batch.targets)
        others = rng.permutation(size)
        share = rng.beta(alpha, alpha, size).astype(np.float32)
        share = np.minimum(share, 1.0 - share)
        sounds = batch.targets[:, self._recipe.labels.index(UNKNOWN)] > 0
        share[sounds | sounds[others]] = 0.0
        own, second = (1.0 - share)[:, None], share[:, None]
        return Batch(
            batch.features * own[..., None] + batch.features[others] * second[..., None],
            batch.mask,
            batch.targets * own + batch.targets[others] * second,
            batch.hints * own[..., None] + batch.hints[others] * second[..., None],
        )

    def _begin(self, batch: Batch, hops: Sequence[int], rng: np.random.Generator) -> Batch:
        count = self._recipe.fit.prefixes
        if not count:
            return batch
        ends = [rng.integers(min(n, SHORTEST_PREFIX), n + 1, count) for n in hops]
        return batch.with_beginnings(np.array(ends))

    def _noise(self, frames: int, rng: np.random.Generator) -> Floats | None:
        """A stretch of a training sound, (frames, n_mels), begun again at its end."""
        if not self._noises:
            return None
        features = self._examples.features[0][int(rng.choice(self._noises))]
        sound = features.log_mel.reshape(-1, features.log_mel.shape[-1])
        at = int(rng.integers(len(sound)))
        return np.take(sound, range(at, at + frames), axis=0, mode="wrap").astype(np.float32)


def pad(
    clips: Sequence[Floats], targets: Floats, hints: Sequence[NDArray[np.float16]] = ()
) -> Batch:
    """Stack (hops, frames, n_mfcc) clips of different lengths, and their (hops, hints) if any."""
    hops = max(len(clip) for clip in clips)
    _, frames, width = clips[0].shape
    features = np.zeros((len(clips), hops, frames, width), dtype=np.float32)
    mask = np.zeros((len(clips), 1, hops), dtype=np.float32)
    for row, clip in enumerate(clips):
        features[row, : len(clip)] = clip
        mask[row, 0, : len(clip)] = 1.0
    guesses = np.zeros((len(clips), hops, hints[0].shape[1] if hints else 0), dtype=np.float32)
    for row, told in enumerate(hints):
        guesses[row, : len(told)] = told
    return Batch(features.reshape(len(clips), hops * frames, width), mask, targets, guesses)


def whole_clips(
    examples: Examples, front: Front, *, size: int = 64, beginnings: Sequence[int] = ()
) -> Iterator[Batch]:
    """The clips as the live path hears them, unaugmented, in order; for evaluation.

    Besides all of it, a view for each of `beginnings`, in hops.
    """
    for start in range(0, len(examples.clips), size):
        chosen = examples.features[0][start : start + size]
        clips = [front(features.log_mel[features.voiced]) for features in chosen]
        rows = slice(start, start + size)
        batch = pad(clips, examples.targets[rows])
        ends = np.broadcast_to(np.array([beginnings], dtype=int), (len(clips), len(beginnings)))
        yield batch.with_beginnings(ends)
