"""Training: from clips to the weights and statistics of a network."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from streamser.analysis.hops import HOP_SECONDS
from streamser.model.manifest import NormaliserStatistics
from train.batches import Batch, Front, TrainingBatches, whole_clips
from train.begun import begin
from train.examples import Examples, renditions
from train.experiment import WEIGHTS
from train.features import FeatureCache, to_mfcc
from train.lessons import teach
from train.network import Network
from train.recipe import Recipe
from train.scores import unweighted_recalls
from train.splits import Split
from train.trainer import Trainer
from train.whole_file import write_text

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
) -> Fitted:
    """Train on `split.train`, watching `split.dev`; picks up where `folder` says it stopped.

    The averaged weights of the last pass are the result: no pass is chosen, so none is chosen on
    test speakers. Writes `history.jsonl`, `normaliser.json`, checkpoints and `clip.weights.h5`,
    and what a teacher told (train.lessons).

    Raises RecipeError where `folder` was begun with other clips or settings; the number of passes
    may change.
    """
    begin(folder, split=split.hash, settings=_deciding(recipe))
    train = Examples(split.train, recipe, cache=cache, renditions=renditions(recipe), votes=votes)
    dev = Examples(split.dev, recipe, cache=cache)
    if recipe.fit.taught:
        teach(train, recipe, cache=cache, folder=folder, seed=seed)
    keras.utils.set_random_seed(seed)
    if recipe.fit.bfloat16:
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
    statistics = normaliser_statistics(train, recipe)
    write_text(folder / "normaliser.json", json.dumps(asdict(statistics)))
    front = Front(recipe, statistics)
    batches = TrainingBatches(train, recipe, front, seed=seed)
    trainer = Trainer(
        recipe,
        scale=statistics.scale,
        hints=train.hints[0].shape[1],
        steps_per_pass=len(batches),
    )
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
        noted = (folder / HISTORY).read_text() if (folder / HISTORY).exists() else ""
        write_text(folder / HISTORY, f"{noted}{json.dumps(report)}\n")
        print(json.dumps(report), flush=True)
        trainer.save(number + 1)
    trainer.averaged.save_weights(folder / WEIGHTS)
    return load_fitted(recipe, folder)


def _deciding(recipe: Recipe) -> dict[str, Any]:
    """What of a recipe decides what a pass learns, the length of the schedule aside."""
    settings = asdict(recipe)
    for key in ("name", "description", "shipped"):
        del settings[key]
    del settings["fit"]["passes"]
    return settings


def history(folder: Path, key: str) -> list[float]:
    """Return what `fit` noted of each pass under `key`, however often it was started."""
    notes = [json.loads(line) for line in (folder / HISTORY).read_text().splitlines()]
    of_pass = {note["pass"]: note for note in notes}
    return [of_pass[number][key] for number in sorted(of_pass)]


def load_fitted(recipe: Recipe, folder: Path) -> Fitted:
    """Read what `fit` left, in float32."""
    keras.mixed_precision.set_global_policy("float32")
    statistics = json.loads((folder / "normaliser.json").read_text())
    settings = NormaliserStatistics(
        mean=tuple(statistics["mean"]),
        scale=tuple(statistics["scale"]),
        prior_seconds=statistics["prior_seconds"],
    )
    network = Network(recipe, scale=settings.scale)
    model = network.clip_model()
    model.load_weights(folder / WEIGHTS)
    return Fitted(network, model, settings)


def predict(model: keras.Model, batches: list[Batch]) -> Floats:
    """Logits of all clips, (clips, views, labels)."""
    logits = [model.predict_on_batch([b.features, b.mask]) for b in batches]
    return np.concatenate(logits)


def _shown(batches: TrainingBatches, number: int, passes: int) -> Iterator[Batch]:
    title = f"pass {number + 1} of {passes}"
    quiet = not os.isatty(1)
    return iter(
        track(batches.one_pass(number), title, total=len(batches), transient=True, disable=quiet)
    )
