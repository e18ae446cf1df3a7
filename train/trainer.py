"""One pass after another over batches, with averaged weights and a checkpoint after each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from train.batches import Batch
from train.network import Network
from train.optimiser import optimiser
from train.recipe import Recipe

Floats = NDArray[np.float32]


class Trainer:
    """A network, its slowly moving average, and their checkpoints."""

    def __init__(
        self, recipe: Recipe, *, scale: Sequence[float], hints: int, steps_per_pass: int
    ) -> None:
        """`scale` is the normaliser's, (n_mfcc,).

        `hints` is how many numbers of a teacher's the network guesses at each hop besides.
        """
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
        network = Network(recipe, scale=scale)
        self.model = network.clip_model()
        self._taught = network.clip_model(hints=hints) if hints else self.model
        self.averaged = Network(recipe, scale=scale).clip_model()
        self.averaged.set_weights(self.model.get_weights())
        agreement = keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=settings.label_smoothing
        )
        self._taught.compile(
            optimiser(settings.optimiser, rate, decay=settings.weight_decay),
            [agreement, "mse"] if hints else agreement,
            loss_weights=[1.0, settings.hinted] if hints else None,
        )
        self._taught.optimizer.build(self._taught.trainable_variables)

    def one_pass(self, batches: Iterator[Batch]) -> float:
        losses = []
        for batch in batches:
            views = batch.mask.shape[1]
            targets = np.repeat(batch.targets[:, None], views, axis=1)
            weights = np.broadcast_to(_view_weights(views), targets.shape[:2])
            losses.append(self._learn(batch, targets, weights))
            self._taught.reset_metrics()
            self._average()
        return float(np.mean(losses))

    def _learn(self, batch: Batch, targets: Floats, weights: Floats) -> float:
        inputs = [batch.features, batch.mask]
        if not batch.hints.size:
            return float(self._taught.train_on_batch(inputs, targets, weights))
        lasts = batch.mask[:, 0]
        wanted, weights = [targets, batch.hints], [weights, lasts / lasts.mean()]
        _, loss, *_ = self._taught.train_on_batch(inputs, wanted, weights)
        return float(loss)

    @tf.function
    def _average(self) -> None:
        step = tf.cast(self._taught.optimizer.iterations.value, tf.float32)
        keep = tf.minimum(self._ema, (1.0 + step) / (10.0 + step))
        for slow, fast in zip(self.averaged.weights, self.model.weights, strict=True):
            if slow.dtype == "float32":
                slow.value.assign(keep * slow.value + (1.0 - keep) * fast.value)

    def restore(self, folder: Path) -> int:
        """Take up the last checkpoint in `folder`; return how many passes it has behind it."""
        self._passes = tf.Variable(0, dtype=tf.int64)
        weights = {id(weight) for weight in self._taught.weights}
        tracked = _numbered("model", self._taught.weights)
        tracked |= _numbered("averaged", self.averaged.weights)
        tracked |= _numbered("optimizer", self._taught.optimizer.variables)
        dropout = _numbered("dropout", [v for v in self._taught.variables if id(v) not in weights])
        whole = tf.train.Checkpoint(passes=self._passes, **tracked, **dropout)
        self._manager = tf.train.CheckpointManager(whole, str(folder), max_to_keep=2)
        latest = self._manager.latest_checkpoint
        if latest:
            # Earlier versions did not keep where dropout's random numbers stood.
            known = any(name.startswith("dropout") for name, _ in tf.train.list_variables(latest))
            plain = tf.train.Checkpoint(passes=self._passes, **tracked)
            (whole if known else plain).restore(latest).assert_consumed()
        return int(self._passes.numpy())

    def save(self, passes: int) -> None:
        self._passes.assign(passes)
        self._manager.save(checkpoint_number=passes)


def _numbered(name: str, variables: Sequence[keras.Variable]) -> dict[str, tf.Variable]:
    return {f"{name}_{i}": variable.value for i, variable in enumerate(variables)}


def _view_weights(views: int) -> Floats:
    """Half of the loss is the whole clip's, the other half its beginnings'; 1 on average."""
    if views == 1:
        return np.ones(1, np.float32)
    weights = np.full(views, views / 2 / (views - 1), np.float32)
    weights[0] = views / 2
    return weights
