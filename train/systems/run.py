"""One run of a system: recipe, protocol and seed, and the folder in which all of it lies."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
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
            "described": self.sides.described,
            "speaker_independent": self.sides.speaker_independent,
            "split_sha256": self.sides.hash,
            "corpora": sorted({row.clip.corpus for row in self.sides.test}),
            "rows": {side: len(rows) for side, rows in sides.items()},
            "seed": self.seed,
            "commit": commit(),
            "labels": list(self.labels),
            "settings": dataclasses.asdict(self.recipe),
        }

    def write(self, name: str, result: dict[str, Any]) -> Path:
        """Write a result as JSON into the run's folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.describe() | result, indent=1) + "\n")
        return path


def store(recipe: SystemRecipe, runs: Path = RUNS) -> Store:
    """The features of a recipe, shared by all runs with the same front."""
    return Store(runs / "fronts", recipe)


def clips_of(
    recipe: SystemRecipe, *, root: Path | None = None, names: Sequence[str] = (), gender: str = ""
) -> list[list[Clip]]:
    """The clips that the recipe has a class for: a list per network, so per corpus if `alone`.

    Raises:
        CorpusError: none of the recipe's corpora is there, or a named one is not.
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
    found = [corpora.read(root, group) for group in groups]
    return [
        [
            clip
            for clip in clips
            if label_of(clip, recipe.labels) and gender in ("", "both", clip.gender)
        ]
        for clips in found
    ]


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
) -> Iterator[SystemRun]:
    """The runs of a protocol: one per network under `own`, one per fold under `honest`.

    Raises CorpusError and RecipeError.
    """
    limit = recipe.fit.epochs if epochs is None else epochs
    for clips in clips_of(recipe, root=root, names=names, gender=gender):
        labels = tuple(sorted({str(label_of(clip, recipe.labels)) for clip in clips}))
        some = "+".join(sorted(names)) if names and not recipe.alone else ""
        prefix = "".join(f"{part}-" for part in (some, gender) if part)
        for sides in _sides(recipe, clips, protocol=protocol, folds=folds, seed=seed):
            named = dataclasses.replace(sides, name=prefix + sides.name)
            yield SystemRun(
                recipe=recipe,
                sides=named,
                protocol=protocol,
                seed=seed,
                epochs=limit,
                labels=labels,
                runs=runs,
            )


def _sides(
    recipe: SystemRecipe, clips: Sequence[Clip], *, protocol: str, folds: Sequence[int], seed: int
) -> Iterator[Sides]:
    if protocol == "own":
        name = f"{clips[0].corpus}-own" if recipe.alone else "own"
        yield own(recipe, clips, name=name, seed=seed)
        return
    last = honest_folds(recipe, clips)
    for fold in folds or range(1, last + 1):
        if not 1 <= fold <= last:
            raise RecipeError(f"{recipe.name} has folds 1 to {last}, not {fold}")
        yield honest(recipe, clips, fold=fold)
