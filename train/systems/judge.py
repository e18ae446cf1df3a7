"""Trains a laid-out run and says how well it agrees with the acted labels."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import classification_report, confusion_matrix

from train import networks
from train.begun import begin, require_split
from train.recipe import SCRATCH, RecipeError
from train.scores import unweighted_recall
from train.systems import pictures
from train.systems.fit import Data, History, Judge, chosen_epoch, ended, fit_network, load_kept
from train.systems.recipe import SystemRecipe
from train.systems.run import SystemRun

RESULT = "result.json"


def fit_run(run: SystemRun) -> dict[str, Any]:
    """Train the network of a run to its end and judge it; return what `result.json` says.

    Raises RecipeError where it was begun with other clips or settings; the number of epochs may
    change.
    """
    shape = run.store.load(run.sides.train[:1]).shape[1:]
    keras.utils.set_random_seed(run.seed)
    model = networks.build(run.recipe.network, shape, len(run.labels))
    train = data(run, run.sides.train)
    watch = Data(train.features[:0], train.classes[:0])
    if run.sides.watch:
        watch = data(run, run.sides.watch)
    begin(run.folder, split=run.sides.hash, settings=run.deciding())
    history = fit_network(
        model,
        dataclasses.replace(run.recipe.fit, epochs=run.epochs),
        train,
        watch,
        choose=run.sides.choose,
        folder=run.folder,
        seed=run.seed,
    )
    del train
    pictures.curves(history, run.folder / "curves.png")
    return evaluate_run(run, model, history)


def evaluate_run(run: SystemRun, model: keras.Model, history: History) -> dict[str, Any]:
    """Judge a trained network on the test side; write `result.json` and the confusion matrix."""
    test = data(run, run.sides.test)
    found = Judge(model).logits(test.features).argmax(axis=1)
    result = {
        "epochs": len(history),
        "epochs_planned": run.recipe.fit.epochs,
        "complete": ended(run.recipe.fit, history),
        "epoch_chosen": chosen_epoch(history, run.sides.choose),
        "seconds": round(sum(line["seconds"] for line in history), 1),
        "parameters": model.count_params(),
        **figures(run, test.classes, found),
    }
    run.write(RESULT, result)
    pictures.confusion(np.array(result["confusion"]), run.labels, run.folder / "confusion.png")
    return result


def load_run(run: SystemRun) -> tuple[keras.Model, History]:
    """The network of a run at its last checkpoint, and what each epoch until then led to.

    Raises FileNotFoundError where there is none, RecipeError where it learnt from other clips.
    """
    require_split(run.folder, run.sides.hash)
    shape = run.store.load(run.sides.test[:1]).shape[1:]
    return load_network(run.recipe, run.folder, shape, len(run.labels))


def load_network(
    recipe: SystemRecipe, folder: Path, shape: tuple[int, ...], classes: int
) -> tuple[keras.Model, History]:
    """The network that a recipe left in a folder, for features of a shape, and its history.

    Raises FileNotFoundError where there is none, RecipeError where it is of another recipe.
    """
    history, weights = load_kept(folder)
    if not history:
        raise FileNotFoundError(
            f"no trained network in {folder}: python -m train fit {recipe.name}"
        )
    settings = dict(recipe.network)
    if "weights" in settings:
        settings["weights"] = SCRATCH  # what was learnt replaces what it was begun with
    model = networks.build(settings, shape, classes)
    if [weight.shape for weight in weights] != [weight.shape for weight in model.weights]:
        raise RecipeError(f"{folder}: its network has another shape, of other labels or settings")
    model.set_weights(weights)
    return model, history


def data(run: SystemRun, rows: Any) -> Data:
    """The features and classes of rows."""
    return Data(run.store.load(rows), run.classes(rows))


def figures(run: SystemRun, true: NDArray[np.int_], found: NDArray[np.int_]) -> dict[str, Any]:
    """Accuracy (WA), UA and macro F1 in percent, overall, per corpus and for emotions alone."""
    names = list(run.labels)
    report = classification_report(
        true, found, labels=range(len(names)), target_names=names, output_dict=True, zero_division=0
    )
    corpora = np.array([row.clip.corpus for row in run.sides.test])
    emotions = np.array([name.rpartition("_")[2] for name in names])
    _, emotion = np.unique(emotions, return_inverse=True)
    return {
        **_agreement(true, found),
        "macro_f1": round(100 * float(report["macro avg"]["f1-score"]), 2),
        "emotions_alone": _agreement(emotion[true], emotion[found]),
        "by_corpus": {
            str(corpus): {
                "clips": int(np.sum(corpora == corpus)),
                **_agreement(emotion[true[corpora == corpus]], emotion[found[corpora == corpus]]),
            }
            for corpus in np.unique(corpora)
        },
        "confusion": confusion_matrix(true, found, labels=range(len(names))).tolist(),
        "report": {name: _rounded(report[name]) for name in names},
    }


def _agreement(true: NDArray[np.int_], found: NDArray[np.int_]) -> dict[str, float]:
    return {
        "wa": round(100 * float(np.mean(true == found)), 2),
        "ua": round(100 * unweighted_recall(true, found), 2),
    }


def _rounded(row: dict[str, float]) -> dict[str, float]:
    return {key: round(float(value), 4) for key, value in row.items()}
