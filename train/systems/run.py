"""One run of a system: recipe, protocol and seed, and the folder in which all of it lies."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from train import corpora
from train.corpora import Clip, CorpusError
from train.experiment import RUNS, commit
from train.recipe import RecipeError
from train.systems.protocols import Sides, honest, honest_folds, label_of, own
from train.systems.recipe import SystemRecipe
from train.systems.store import Row, Store
from train.whole_file import write_text

PROTOCOLS = ("own", "honest")
GENDERS = ("male", "female", "both")


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemRun:
    """What `fit`, `evaluate`, `export` and `predict` share."""

    recipe: SystemRecipe
    sides: Sides
    protocol: str
    seed: int
    epochs: int
    """After which training ends; the recipe's, or fewer where time forbids."""

    labels: tuple[str, ...]
    runs: Path

    @property
    def folder(self) -> Path:
        """Where the run keeps its checkpoints, figures and pictures."""
        return self.runs / self.recipe.name / f"{self.sides.name}-s{self.seed}"

    @property
    def store(self) -> Store:
        return store(self.recipe, self.runs)

    def classes(self, rows: Sequence[Row]) -> np.ndarray:
        """Indices into `labels`, (rows,)."""
        index = {label: i for i, label in enumerate(self.labels)}
        named = [label_of(row.clip, self.recipe.labels) for row in rows]
        return np.array([index[str(name)] for name in named], dtype=np.int64)

    def describe(self) -> dict[str, Any]:
        """What every result states."""
        sides = {"train": self.sides.train, "dev": self.sides.watch, "test": self.sides.test}
        if not self.sides.speaker_independent:
            del sides["dev"]
        return {
            "recipe": self.recipe.name,
            "protocol": self.protocol,
            "split": self.sides.name,
            "described": self.sides.described + self._begun,
            "speaker_independent": self.sides.speaker_independent,
            "split_sha256": self.sides.hash,
            "corpora": sorted({row.clip.corpus for row in self.sides.test}),
            "rows": {side: len(rows) for side, rows in sides.items()},
            "seed": self.seed,
            "commit": commit(),
            "labels": list(self.labels),
            "settings": dataclasses.asdict(self.recipe),
        }

    @property
    def _begun(self) -> str:
        if "weights" not in self.recipe.network:
            return ""
        return ", begun with given weights" if self.recipe.pretrained else ", from scratch"

    def deciding(self) -> dict[str, Any]:
        """What decides what an epoch learns and which one is kept."""
        settings = dataclasses.asdict(self.recipe)
        kept = {key: settings[key] for key in ("features", "network", "copies", "fit")}
        del kept["fit"]["epochs"]
        return kept | {"labels": self.labels, "choose": self.sides.choose}

    def write(self, name: str, result: dict[str, Any]) -> Path:
        """Write a result as JSON into the run's folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(self.describe() | result, indent=1) + "\n")
        return path


def store(recipe: SystemRecipe, runs: Path = RUNS) -> Store:
    """The features of a recipe, shared by all runs with the same front."""
    return Store(runs / "fronts", recipe)


def clips_of(
    recipe: SystemRecipe, *, root: Path | None = None, names: Sequence[str] = (), gender: str = ""
) -> list[list[Clip]]:
    """The clips that the recipe has a class for: a list per network, so per corpus if `alone`.

    Raises:
        CorpusError: none of the recipe's corpora is there, a named one is not, or no clip is left.
        RecipeError: a named corpus is not one of the recipe's.
    """
    root = root or corpora.default_root()
    if strange := [name for name in names if name not in recipe.corpora]:
        raise RecipeError(f"{recipe.name} has no corpus {strange[0]}: {', '.join(recipe.corpora)}")
    there = corpora.present(root)
    wanted = list(names) or [name for name in recipe.corpora if name in there]
    if not wanted:
        raise CorpusError(f"none of {', '.join(recipe.corpora)} is in {root}")
    groups = [[name] for name in wanted] if recipe.alone else [wanted]
    found = []
    for group in groups:
        clips = [
            clip
            for clip in corpora.read(root, group)
            if label_of(clip, recipe.labels) and gender in ("", "both", clip.gender)
        ]
        if not clips:
            whose = f"{gender} voice" if gender else "clip"
            raise CorpusError(
                f"{', '.join(group)}: no {whose} for {recipe.name} in {root}: see --corpus"
            )
        found.append(clips)
    return found


def run_name(
    recipe: SystemRecipe,
    corpus: str,
    *,
    protocol: str,
    fold: int = 1,
    names: Sequence[str] = (),
    gender: str = "",
) -> str:
    """What tells the run of a network from the recipe's others, but for its seed.

    `corpus` is that of the network, where each has one; `names` are those that are chosen.
    """
    folds = "strict" if recipe.alone else "pooled"
    kind = "own" if protocol == "own" else f"{folds}-{fold}"
    parts = (gender, corpus) if recipe.alone else ("+".join(sorted(names)), gender)
    begun = "pretrained" if recipe.pretrained else ""
    return "-".join([*filter(None, (*parts, begun)), kind])


def lay_out(
    recipe: SystemRecipe,
    *,
    protocol: str,
    folds: Sequence[int] = (),
    seed: int = 0,
    epochs: int | None = None,
    names: Sequence[str] = (),
    gender: str = "",
    root: Path | None = None,
    runs: Path = RUNS,
) -> list[SystemRun]:
    """The runs of a protocol: one per network under `own`, one per fold under `honest`.

    Raises CorpusError, also where a run would have no clip to train or test on, and RecipeError.
    """
    found = []
    for clips in clips_of(recipe, root=root, names=names, gender=gender):
        labels = tuple(sorted({str(label_of(clip, recipe.labels)) for clip in clips}))
        for fold in _folds(recipe, clips, protocol=protocol, folds=folds):
            name = run_name(
                recipe, clips[0].corpus, protocol=protocol, fold=fold, names=names, gender=gender
            )
            if protocol == "own":
                sides = own(recipe, clips, name=name, seed=seed)
            else:
                sides = dataclasses.replace(honest(recipe, clips, fold=fold), name=name)
            for side, rows in (("train", sides.train), ("test", sides.test)):
                if not rows:
                    raise CorpusError(
                        f"{recipe.name}/{name}: no clip to {side} on: choose others by --fold, or "
                        "see python -m train corpora for what is missing"
                    )
            run = SystemRun(
                recipe=recipe,
                sides=sides,
                protocol=protocol,
                seed=seed,
                epochs=recipe.fit.epochs if epochs is None else epochs,
                labels=labels,
                runs=runs,
            )
            found.append(run)
    return found


def _folds(
    recipe: SystemRecipe, clips: Sequence[Clip], *, protocol: str, folds: Sequence[int]
) -> Sequence[int]:
    if protocol == "own":
        return [1]
    last = honest_folds(recipe, clips)
    if wrong := [fold for fold in folds if fold > last]:
        raise RecipeError(f"{recipe.name} has folds 1 to {last}, not {wrong[0]}")
    return folds or range(1, last + 1)
