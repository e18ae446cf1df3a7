"""Training: passes over the draws, averaged weights, a checkpoint after each pass."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from rich.progress import track
from scipy.special import softmax

from streamser.analysis.hops import HOP_SECONDS
from streamser.model.manifest import NormaliserStatistics
from train.batches import Batch, Front, TrainingBatches, whole_clips
from train.examples import Examples, renditions
from train.experiment import WEIGHTS
from train.features import FeatureCache, to_mfcc
from train.network import Network
from train.optimiser import optimiser
from train.recipe import Recipe
from train.scores import unweighted_recalls
from train.splits import Split

Floats = NDArray[np.float32]

HISTORY = "history.jsonl"


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained network and what it must be fed with."""

    network: Network
    model: keras.Model
    normaliser: NormaliserStatistics


def normaliser_statistics(examples: Examples, recipe: Recipe) -> NormaliserStatistics:
    """Mean and spread of the coefficients over training voices, each corpus weighing its share."""
    shares = examples.draw_shares(recipe)
    mean = np.zeros(recipe.mfcc.n_mfcc)
    variance = np.zeros_like(mean)
    voices = [i for i, c in enumerate(examples.clips) if c.emotion != "unknown"]
    for i in voices:
        features = examples.features[0][i]
        log_mel = features.log_mel[features.voiced]
        frames = to_mfcc(recipe.mfcc, log_mel).reshape(-1, mean.size)
        mean += shares[i] * frames.mean(axis=0)
        variance += shares[i] * frames.var(axis=0)
    total = shares[voices].sum()
    return NormaliserStatistics(
        mean=tuple((mean / total).tolist()),
        scale=tuple(np.sqrt(variance / total).tolist()),
        prior_seconds=recipe.fit.prior_seconds,
    )


def fit(
    recipe: Recipe,
    split: Split,
    *,
    cache: FeatureCache,
    folder: Path,
    seed: int,
    votes: dict[str, dict[str, float]],
    begin: Path | None = None,
    teachers: Sequence[Path] = (),
) -> Fitted:
    """Train on `split.train`, watching `split.dev`; picks up where `folder` says it stopped.

    `begin` is the file of weights to begin with, random ones without it; `teachers` are the files
    of those that teach.

    The averaged weights of the last pass are the result: no pass is chosen, so none is chosen on
    test speakers. Writes `history.jsonl`, `normaliser.json`, checkpoints and `clip.weights.h5`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(seed)
    if recipe.fit.bfloat16:
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
    train = Examples(split.train, recipe, cache=cache, renditions=renditions(recipe), votes=votes)
    dev = Examples(split.dev, recipe, cache=cache)
    statistics = normaliser_statistics(train, recipe)
    (folder / "normaliser.json").write_text(json.dumps(asdict(statistics)))
    front = Front(recipe, statistics)
    batches = TrainingBatches(train, recipe, front, seed=seed)
    trainer = _Trainer(recipe, steps_per_pass=len(batches), begin=begin, teachers=teachers)
    done = trainer.restore(folder / "checkpoints")
    second = round(1.0 / HOP_SECONDS)
    dev_batches = list(whole_clips(dev, front, beginnings=[second]))
    for number in range(done, recipe.fit.passes):
        began = time.monotonic()
        loss = trainer.one_pass(_shown(batches, number, recipe.fit.passes))
        report = {"pass": number + 1, "loss": loss, "seconds": time.monotonic() - began}
        if dev_batches and (number % 4 == 3 or number + 1 == recipe.fit.passes):
            logits = predict(trainer.averaged, dev_batches)
            for name, view in (("dev_ua", 0), ("dev_ua_after_1s", 1)):
                recalls = unweighted_recalls(dev.clips, logits[:, view], recipe.labels)
                report[name] = {corpus: round(100 * ua, 2) for corpus, ua in recalls.items()}
        with (folder / HISTORY).open("a") as notes:
            notes.write(json.dumps(report) + "\n")
        print(json.dumps(report), flush=True)
        trainer.save(number + 1)
    if begin is not None:
        trainer.keep(begin, recipe.fit.kept)
    trainer.averaged.save_weights(folder / WEIGHTS)
    return load_fitted(recipe, folder)


def history(folder: Path, key: str) -> list[float]:
    """Return what `fit` noted of each pass under `key`, however often it was started."""
    notes = [json.loads(line) for line in (folder / HISTORY).read_text().splitlines()]
    of_pass = {note["pass"]: note for note in notes}
    return [of_pass[number][key] for number in sorted(of_pass)]


def load_fitted(recipe: Recipe, folder: Path) -> Fitted:
    """Read what `fit` left, in float32."""
    keras.mixed_precision.set_global_policy("float32")
    statistics = json.loads((folder / "normaliser.json").read_text())
    network = Network(recipe.network, n_labels=len(recipe.labels))
    model = network.clip_model()
    model.load_weights(folder / WEIGHTS)
    settings = NormaliserStatistics(
        mean=tuple(statistics["mean"]),
        scale=tuple(statistics["scale"]),
        prior_seconds=statistics["prior_seconds"],
    )
    return Fitted(network, model, settings)


def predict(model: keras.Model, batches: list[Batch]) -> Floats:
    """Logits of all clips, (clips, views, labels)."""
    logits = [model.predict_on_batch([b.features, b.mask]) for b in batches]
    return np.concatenate(logits)


class _Trainer:
    def __init__(
        self,
        recipe: Recipe,
        *,
        steps_per_pass: int,
        begin: Path | None,
        teachers: Sequence[Path],
    ) -> None:
        settings = recipe.fit
        warmup = int(settings.warmup * steps_per_pass)
        rate = keras.optimizers.schedules.CosineDecay(
            settings.learning_rate / 20,
            settings.passes * steps_per_pass - warmup,
            alpha=0.005,
            warmup_target=settings.learning_rate,
            warmup_steps=warmup,
        )
        self._ema = settings.ema
        self.model = Network(recipe.network, n_labels=len(recipe.labels)).clip_model()
        self.averaged = Network(recipe.network, n_labels=len(recipe.labels)).clip_model()
        if begin is not None:
            self.model.load_weights(begin)
        self.averaged.set_weights(self.model.get_weights())
        self._taught = settings.taught
        self._teachers = [self._load(recipe, path) for path in teachers]
        self.model.compile(
            optimiser(settings.optimiser, rate, decay=settings.weight_decay),
            keras.losses.CategoricalCrossentropy(
                from_logits=True, label_smoothing=settings.label_smoothing
            ),
        )
        self.model.optimizer.build(self.model.trainable_variables)

    def one_pass(self, batches: Iterator[Batch]) -> float:
        losses = []
        for batch in batches:
            views = batch.mask.shape[1]
            targets = np.repeat(self._targets(batch)[:, None], views, axis=1)
            weights = np.broadcast_to(_view_weights(views), targets.shape[:2])
            losses.append(self.model.train_on_batch([batch.features, batch.mask], targets, weights))
            self.model.reset_metrics()
            self._average()
        return float(np.mean(losses))

    def _targets(self, batch: Batch) -> Floats:
        """The labels, (clips, labels), and what the teachers make of the whole clips."""
        if not self._teachers:
            return batch.targets
        whole = [batch.features, batch.mask[:, :1]]
        logits = [teacher.predict_on_batch(whole)[:, 0] for teacher in self._teachers]
        heard = softmax(np.mean(logits, axis=0), axis=-1)
        return np.asarray((1.0 - self._taught) * batch.targets + self._taught * heard, np.float32)

    @staticmethod
    def _load(recipe: Recipe, weights: Path) -> keras.Model:
        model = Network(recipe.network, n_labels=len(recipe.labels)).clip_model()
        model.load_weights(weights)
        return model

    @tf.function
    def _average(self) -> None:
        step = tf.cast(self.model.optimizer.iterations.value, tf.float32)
        keep = tf.minimum(self._ema, (1.0 + step) / (10.0 + step))
        for slow, fast in zip(self.averaged.weights, self.model.weights, strict=True):
            if slow.dtype == "float32":
                slow.value.assign(keep * slow.value + (1.0 - keep) * fast.value)

    def keep(self, begin: Path, share: float) -> None:
        """Blend the averaged weights with those in a file, so that nothing they knew is lost."""
        learnt = self.averaged.get_weights()
        self.averaged.load_weights(begin)
        known = self.averaged.get_weights()
        blended = [
            share * old + (1.0 - share) * new for old, new in zip(known, learnt, strict=True)
        ]
        self.averaged.set_weights(blended)

    def restore(self, folder: Path) -> int:
        self._passes = tf.Variable(0, dtype=tf.int64)
        state = {
            "model": self.model.weights,
            "averaged": self.averaged.weights,
            "optimizer": self.model.optimizer.variables,
        }
        tracked = {
            f"{name}_{i}": v.value for name, found in state.items() for i, v in enumerate(found)
        }
        checkpoint = tf.train.Checkpoint(passes=self._passes, **tracked)
        self._manager = tf.train.CheckpointManager(checkpoint, str(folder), max_to_keep=2)
        if self._manager.latest_checkpoint:
            checkpoint.restore(self._manager.latest_checkpoint).assert_consumed()
        return int(self._passes.numpy())

    def save(self, passes: int) -> None:
        self._passes.assign(passes)
        self._manager.save(checkpoint_number=passes)


def _view_weights(views: int) -> Floats:
    """Half of the loss is the whole clip's, the other half its beginnings'; 1 on average."""
    if views == 1:
        return np.ones(1, np.float32)
    weights = np.full(views, views / 2 / (views - 1), np.float32)
    weights[0] = views / 2
    return weights


def _shown(batches: TrainingBatches, number: int, passes: int) -> Iterator[Batch]:
    title = f"pass {number + 1} of {passes}"
    quiet = not os.isatty(1)
    return iter(
        track(batches.one_pass(number), title, total=len(batches), transient=True, disable=quiet)
    )
