"""What of a pretrained encoder's layers tells emotions: a bottleneck between them and an answer.

An encoder that was trained to write speech down holds words above all. A network that answers
through a few numbers a hop keeps what tells emotions (bottleneck features, Grézl et al., ICASSP
2007), and these are what a small network can guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray
from rich.progress import track

from train.batches import Batch, pad
from train.corpora.clip import EMOTIONS
from train.examples import Examples
from train.network import Pool
from train.recipe import Recipe
from train.teacher import standardised

Floats = NDArray[np.float32]
Hops = Sequence[NDArray[np.float16]]
"""Of each clip, (hops, n)."""

WIDTH = 96
STEPS, BATCH, LONGEST_HOPS = 3000, 64, 40
LEARNING_RATE, WEIGHT_DECAY, LABEL_SMOOTHING = 2e-3, 0.02, 0.1


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """A network from an encoder's hops to logits, narrow in its middle."""

    model: keras.Model
    """`features` (clips, hops, n), `mask` (clips, 1, hops) to (clips, 1, labels)."""

    @classmethod
    def of(cls, hops: Hops, examples: Examples, recipe: Recipe, *, seed: int) -> Self:
        """Teach it the voices among `examples`, whose (hops, n) are `hops`, drawn as for ours."""
        keras.utils.set_random_seed(seed)
        model = _network(hops[0].shape[1], len(recipe.labels))
        rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, STEPS)
        model.compile(
            keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY),
            keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=LABEL_SMOOTHING),
        )
        voices = np.flatnonzero([clip.emotion in EMOTIONS for clip in examples.clips])
        shares = examples.draw_shares(recipe)[voices]
        rng = np.random.default_rng(seed)
        for _ in track(range(STEPS), "what tells emotions is sought"):
            drawn = rng.choice(voices, BATCH, p=shares / shares.sum())
            batch = _batch([_stretch(hops[i], rng) for i in drawn], examples.targets[drawn])
            model.train_on_batch([batch.features, batch.mask], batch.targets[:, None])
        return cls(model)

    def __call__(self, hops: Hops, *, size: int = 64) -> Floats:
        """Return the logits of clips, (clips, labels)."""
        answers = []
        for start in range(0, len(hops), size):
            batch = _batch(hops[start : start + size])
            answers.append(self.model.predict_on_batch([batch.features, batch.mask])[:, 0])
        return np.concatenate(answers)

    @property
    def narrow(self) -> Floats:
        """What its middle makes of a hop, (n + 1, WIDTH); the last row is added."""
        kernel, bias = self.model.get_layer("narrow").get_weights()
        return np.vstack([kernel, bias])


def through(narrow: Floats, hops: Hops) -> list[NDArray[np.float16]]:
    """Return (hops, WIDTH) of each clip, `standardised`."""
    return standardised([clip.astype(np.float32) @ narrow[:-1] + narrow[-1] for clip in hops])


def _network(width: int, labels: int) -> keras.Model:
    features = keras.Input((None, width), name="features")
    mask = keras.Input((1, None), name="mask")
    x = layers.SpatialDropout1D(0.2)(features)
    x = layers.Dense(WIDTH, name="narrow")(x)
    x = layers.Dropout(0.2)(layers.ReLU()(x))
    weight = layers.Dense(1, activation="sigmoid", name="weight")(x)
    x = Pool(steps_per_hop=1, name="pool")([x, weight, mask])
    x = layers.Dropout(0.4)(layers.BatchNormalization(momentum=0.95)(x))
    x = layers.Dropout(0.4)(layers.Dense(128, activation="relu")(x))
    return keras.Model([features, mask], layers.Dense(labels)(x), name="bottleneck")


def _batch(clips: Hops, targets: Floats | None = None) -> Batch:
    """Hops as frames of their own."""
    if targets is None:
        targets = np.zeros((len(clips), 0), np.float32)
    return pad([clip[:, None] for clip in clips], targets)


def _stretch(hops: NDArray[np.float16], rng: np.random.Generator) -> NDArray[np.float16]:
    start = int(rng.integers(0, max(0, len(hops) - LONGEST_HOPS) + 1))
    return hops[start : start + LONGEST_HOPS]
