"""A trained system over recordings that no corpus has."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from train.experiment import RUNS
from train.systems.fit import Judge
from train.systems.judge import RESULT, load_network
from train.systems.recipe import SystemRecipe
from train.systems.run import run_name, store


def find_run(
    recipe: SystemRecipe,
    *,
    protocol: str,
    fold: int = 1,
    seed: int = 0,
    names: Sequence[str] = (),
    gender: str = "",
    runs: Path = RUNS,
) -> Path:
    """The folder of a finished run; of a recipe with a network per corpus the first there is.

    Needs no corpus. Raises FileNotFoundError.
    """
    corpora = names or recipe.corpora
    found = [
        run_name(recipe, corpus, protocol=protocol, fold=fold, names=names, gender=gender)
        for corpus in corpora
    ]
    folders = [runs / recipe.name / f"{name}-s{seed}" for name in found]
    for folder in folders:
        if (folder / RESULT).exists():
            return folder
    raise FileNotFoundError(
        f"no trained network in {folders[0]}: python -m train fit {recipe.name} "
        f"--protocol {protocol}"
    )


def predict(
    recipe: SystemRecipe, folder: Path, paths: Sequence[Path], *, runs: Path = RUNS
) -> Iterator[dict[str, float]]:
    """The probability of each label by the run in a folder, recording by recording.

    Raises SourceError, and RecipeError where the run is of other settings.
    """
    labels = json.loads((folder / RESULT).read_text())["labels"]
    front = store(recipe, runs)
    judge: Judge | None = None
    for path in paths:
        features = front.features(path)
        if judge is None:
            model, _ = load_network(recipe, folder, features.shape, len(labels))
            judge = Judge(model)
        (logits,) = judge.logits(features[None])
        shares = np.exp(logits - logits.max())
        yield dict(zip(labels, (shares / shares.sum()).tolist(), strict=True))
