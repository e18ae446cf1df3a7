"""Trains a laid-out run and says how well it agrees with the acted labels."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import classification_report, confusion_matrix

from train import networks
from train.scores import unweighted_recall
from train.systems import pictures
from train.systems.fit import Data, Judge, chosen_epoch, ended, fit_network
from train.systems.run import SystemRun

RESULT = "result.json"


def fit_run(run: SystemRun) -> dict[str, Any]:
    """Train the network of a run to its end and judge it; return what `result.json` says."""
    shape = run.store.load(run.sides.train[:1]).shape[1:]
    keras.utils.set_random_seed(run.seed)
    model = networks.build(run.recipe.network, shape, len(run.labels))
    train = data(run, run.sides.train)
    watch = Data(train.features[:0], train.classes[:0])
    if run.sides.watch:
        watch = data(run, run.sides.watch)
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


def evaluate_run(
    run: SystemRun, model: keras.Model, history: list[dict[str, float]]
) -> dict[str, Any]:
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


def load_model(run: SystemRun) -> keras.Model:
    """The trained network of a run. Raises FileNotFoundError where there is none."""
    weights = run.folder / "model.weights.h5"
    if not weights.exists():
        raise FileNotFoundError(
            f"no trained network in {run.folder}: python -m train fit {run.recipe.name} "
            f"--protocol {run.protocol}"
        )
    shape = run.store.load(run.sides.test[:1]).shape[1:]
    settings = dict(run.recipe.network)
    if "weights" in settings:
        settings["weights"] = "none"  # what was learnt replaces what it was begun with
    model = networks.build(settings, shape, len(run.labels))
    model.load_weights(weights)
    return model


def load_history(run: SystemRun) -> list[dict[str, float]]:
    """What each epoch of a run led to."""
    history: list[dict[str, float]] = json.loads((run.folder / "history.json").read_text())
    return history


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
