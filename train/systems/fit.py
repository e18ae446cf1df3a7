"""The one training loop of all systems: epochs in one graph, checkpoints, the epoch kept."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from rich.progress import Progress

from train.recipe import RecipeError
from train.scores import unweighted_recall
from train.systems.recipe import Fit
from train.whole_file import whole_file, write_text

Floats = NDArray[np.floating[Any]]
Classes = NDArray[np.int_]
History = list[dict[str, float]]
Weights = list[NDArray[Any]]

SAVE_AFTER = 20.0
"""Seconds of training between two checkpoints, so that small networks do not wait for the disk."""


@dataclass(frozen=True, slots=True)
class Data:
    """Features (rows, *shape) and classes (rows,) of one side."""

    features: Floats
    classes: Classes


def rate_at(fit: Fit, history: Sequence[dict[str, float]], *, batches: int) -> float:
    """The learning rate of the epoch after `history`, of `batches` an epoch."""
    epoch = len(history)
    rate = fit.learning_rate / (1.0 + fit.decay * epoch * batches)
    if fit.step_every and epoch >= fit.step_from:
        rate *= fit.step_factor ** ((epoch - fit.step_from) // fit.step_every + 1)
    if fit.plateau_patience:
        lowest, waited = np.inf, 0
        for loss in (line["watch_loss"] for line in history if "watch_loss" in line):
            waited = 0 if loss < lowest else waited + 1
            lowest = min(lowest, loss)
            if waited == fit.plateau_patience:
                rate, waited = rate * fit.plateau_factor, 0
    return float(rate)


def chosen_epoch(history: Sequence[dict[str, float]], choose: str) -> int:
    """The epoch that is judged, counted from 1; the first of equals, 0 before there is one."""
    watched = [line.get(f"watch_{choose}", np.nan) for line in history]
    if not history or choose == "last" or np.isnan(watched).any():
        return len(history)
    return int(np.argmin(watched) if choose == "loss" else np.argmax(watched)) + 1


def ended(fit: Fit, history: Sequence[dict[str, float]]) -> bool:
    """Whether training is over, by its epochs or because the watched loss falls no more."""
    if len(history) >= fit.epochs:
        return True
    patience = fit.stop_patience
    return bool(patience) and len(history) - chosen_epoch(history, "loss") >= patience


def fit_network(
    model: keras.Model,
    fit: Fit,
    train: Data,
    watch: Data,
    *,
    choose: str,
    folder: Path,
    seed: int,
) -> History:
    """Train `model` until it `ended`; leave the chosen epoch's weights in it.

    Picks up where `folder` says that it stopped. Returns a line per epoch: loss, accuracy, rate,
    seconds, and of the watched side, if there is one, loss, accuracy and UA.
    """
    loop = _Loop(model, fit, train, seed=seed)
    judge = Judge(model)
    history = loop.restore(folder)
    saved = time.monotonic()
    with Progress(disable=not os.isatty(1)) as progress:
        task = progress.add_task(folder.name, total=fit.epochs, completed=len(history))
        while not ended(fit, history):
            began = time.monotonic()
            line = loop.epoch(len(history), rate_at(fit, history, batches=loop.batches))
            if watch.classes.size:
                line |= _watched(judge, watch)
            history.append(line | {"seconds": round(time.monotonic() - began, 3)})
            if chosen_epoch(history, choose) == len(history):
                loop.keep()
            over = ended(fit, history)
            if over or time.monotonic() - saved > SAVE_AFTER:
                loop.save(history)
                saved = time.monotonic()
            progress.update(task, advance=1, description=f"{folder.name} {line['loss']:.3f}")
    model.set_weights(loop.kept)
    return history


def load_kept(folder: Path) -> tuple[History, Weights]:
    """The epochs up to the last checkpoint in `folder`, and the weights of the chosen one of them.

    Both are empty before there is a checkpoint.
    """
    latest = tf.train.latest_checkpoint(str(folder / "checkpoints"))
    if latest is None:
        return [], []
    epochs = int(latest.rpartition("-")[2])
    with np.load(folder / f"kept-{epochs}.npz") as kept:
        weights = [kept[f"arr_{i}"] for i in range(len(kept.files))]
    history: History = json.loads((folder / "history.json").read_text())
    return history[:epochs], weights


class Judge:
    """A network without its dropout, as one graph."""

    def __init__(self, model: keras.Model, *, size: int = 64) -> None:
        self._model, self._size = model, size
        shape = tf.TensorSpec([None, *model.input_shape[1:]], tf.float32)
        self._run = tf.function(lambda x: model(x, training=False), input_signature=[shape])

    def logits(self, features: Floats) -> NDArray[np.float32]:
        """(rows, classes) of (rows, *shape)."""
        starts = range(0, len(features), self._size)
        parts = [self._run(features[i : i + self._size].astype(np.float32)) for i in starts]
        return np.concatenate([part.numpy() for part in parts])


def _watched(judge: Judge, watch: Data) -> dict[str, float]:
    found = judge.logits(watch.features)
    log_p = found - np.logaddexp.reduce(found, axis=1, keepdims=True)
    named = found.argmax(axis=1)
    return {
        "watch_loss": float(-log_p[np.arange(len(named)), watch.classes].mean()),
        "watch_accuracy": 100 * float(np.mean(named == watch.classes)),
        "watch_ua": 100 * unweighted_recall(watch.classes, named),
    }


class _Loop:
    def __init__(self, model: keras.Model, fit: Fit, train: Data, *, seed: int) -> None:
        self.model, self._fit, self._seed = model, fit, seed
        self._features = tf.constant(train.features)
        self._classes = tf.constant(train.classes.astype(np.int32))
        self.batches = -(-len(train.classes) // fit.batch)
        kinds = {"adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop}
        if fit.optimiser not in kinds:
            raise RecipeError(f"[fit]: no optimiser {fit.optimiser}: there are {', '.join(kinds)}")
        self._optimiser = kinds[fit.optimiser](fit.learning_rate)
        self._optimiser.build(model.trainable_variables)
        self.keep()

    def keep(self) -> None:
        """Remember the weights as those of the chosen epoch."""
        self.kept = self.model.get_weights()

    def epoch(self, number: int, rate: float) -> dict[str, float]:
        order = np.random.default_rng([self._seed, number]).permutation(len(self._classes))
        self._optimiser.learning_rate = rate
        loss, right = self._run(tf.constant(order.astype(np.int32)))
        return {
            "epoch": number + 1,
            "loss": float(loss),
            "accuracy": 100 * float(right),
            "rate": rate,
        }

    @tf.function
    def _run(self, order: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        total, right = tf.constant(0.0), tf.constant(0)
        size, model = self._fit.batch, self.model
        for i in tf.range(self.batches):
            chosen = order[i * size : (i + 1) * size]
            x = tf.cast(tf.gather(self._features, chosen), tf.float32)
            y = tf.gather(self._classes, chosen)
            with tf.GradientTape() as tape:
                found = model(x, training=True)
                each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=found)
                loss = tf.reduce_mean(each)
                penalty = tf.add_n(model.losses) if model.losses else tf.constant(0.0)
                minimised = loss + penalty
            gradients = tape.gradient(minimised, [v.value for v in model.trainable_variables])
            self._optimiser.apply(gradients, model.trainable_variables)
            total += tf.reduce_sum(each)
            named = tf.argmax(found, axis=1, output_type=tf.int32)
            right += tf.reduce_sum(tf.cast(named == y, tf.int32))
        count = tf.cast(tf.size(order), tf.float32)
        return total / count, tf.cast(right, tf.float32) / count

    def restore(self, folder: Path) -> History:
        """Take up the last checkpoint in `folder`; return its history."""
        folder.mkdir(parents=True, exist_ok=True)
        variables = [*self.model.variables, *self._optimiser.variables]
        tracked = {f"v{i}": variable.value for i, variable in enumerate(variables)}
        self._checkpoint = tf.train.Checkpoint(**tracked)
        self._manager = tf.train.CheckpointManager(
            self._checkpoint, str(folder / "checkpoints"), max_to_keep=1
        )
        history, kept = load_kept(folder)
        if history:
            self._checkpoint.restore(self._manager.latest_checkpoint).assert_consumed()
            self.kept = kept
        return history

    def save(self, history: History) -> None:
        folder = Path(self._manager.directory).parent
        lines = ",\n".join(json.dumps(line) for line in history)
        write_text(folder / "history.json", f"[\n{lines}\n]\n")
        with whole_file(folder / f"kept-{len(history)}.npz") as file:
            np.savez(file, *self.kept)
        self._manager.save(checkpoint_number=len(history))
        for path in folder.glob("kept-*.npz"):
            if path.name != f"kept-{len(history)}.npz":
                path.unlink()
