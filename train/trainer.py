"""One pass after another over batches, with averaged weights and a checkpoint after each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.special import softmax

from train.batches import Batch
from train.network import Network
from train.optimiser import optimiser
from train.recipe import Recipe

Floats = NDArray[np.float32]


class Trainer:
    """A network, its slowly moving average, those that teach it, and their checkpoints."""

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
            targets = np.repeat(self.targets(batch)[:, None], views, axis=1)
            weights = np.broadcast_to(_view_weights(views), targets.shape[:2])
            losses.append(self.model.train_on_batch([batch.features, batch.mask], targets, weights))
            self.model.reset_metrics()
            self._average()
        return float(np.mean(losses))

    def targets(self, batch: Batch) -> Floats:
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
