"""One run: a recipe, a split and a seed, with the folder in which everything about it lies."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train import corpora
from train.corpora.clip import BOREDOM, EMOTIONS, UNKNOWN, Clip
from train.features import FeatureCache
from train.recipe import Recipe, RecipeError
from train.sounds import synthesise
from train.splits import (
    Split,
    leave_out,
    pooled,
    pooled_emobox,
    pooled_sentence_out,
    refit,
)
from train.whole_file import write_text

RUNS = Path("runs")
WEIGHTS = "clip.weights.h5"
"""What a run leaves in its folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What `fit`, `export` and `evaluate` share."""

    recipe: Recipe
    split: Split
    seed: int
    root: Path
    runs: Path

    @property
    def folder(self) -> Path:
        """Where the run keeps its checkpoints, history and result."""
        return self.runs / self.recipe.name / self._run_name

    @property
    def shipped(self) -> bool:
        """Whether `models/` holds its bundle: the split that the recipe names, and seed 0."""
        return self.split.name == self.recipe.shipped and self.seed == 0

    @property
    def _run_name(self) -> str:
        return f"{self.split.name.replace('/', '-')}-s{self.seed}"

    @property
    def cache(self) -> FeatureCache:
        """Features, shared by all runs with the same front."""
        return FeatureCache(self.runs / "features", mfcc=self.recipe.mfcc, gate=self.recipe.gate)

    def describe(self) -> dict[str, Any]:
        """What every result states."""
        return {
            "recipe": self.recipe.name,
            "protocol": self.split.name,
            "split_sha256": self.split.hash,
            "clips": {side: len(clips) for side, clips in self.split.sides.items()},
            "seed": self.seed,
            "commit": commit(),
            "settings": dataclasses.asdict(self.recipe),
        }

    def write(self, name: str, result: dict[str, Any]) -> Path:
        """Write a result as JSON beside the run's other files."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(self.describe() | result, indent=1) + "\n")
        return path

    def read(self, name: str) -> dict[str, Any]:
        """Return a result."""
        result: dict[str, Any] = json.loads((self.folder / name).read_text())
        return result


def prepare(
    recipe: Recipe,
    *,
    protocol: str = "pooled",
    fold: int = 1,
    seed: int = 0,
    again: bool = False,
    root: Path | None = None,
    runs: Path = RUNS,
) -> Experiment:
    """Lay out a run over the corpora of the recipe that are there, all at once.

    `protocol` is `pooled` (speaker-disjoint), `emobox`, `sentence-out` (RAVDESS' sentences), or a
    corpus that is left out to be tested on; `again` lets most dev speakers train as well (`refit`).
    Raises CorpusError, also where the corpora that are there leave no voice to train on, to fit the
    verdict on or to test on, and RecipeError.
    """
    root = root or corpora.default_root()
    tested = "ravdess" if protocol == "sentence-out" else protocol
    wanted = {*corpora.present(root), tested} & set(recipe.corpora)
    readers = [reader for name, reader in corpora.CORPORA.items() if name in wanted]
    clips = [clip for reader in readers for clip in reader.read(root) if clip.emotion != BOREDOM]
    voiced = {clip.corpus for clip in clips if clip.emotion in EMOTIONS}
    sentences = ("sentence-out",) if "ravdess" in recipe.corpora else ()
    known = ("pooled", "emobox", *sentences, *(name for name in recipe.corpora if name in voiced))
    if protocol not in known:
        raise RecipeError(f"no protocol {protocol}: there are {', '.join(known)}")
    if protocol == "pooled":
        split = pooled(clips, fold)
    elif protocol == "emobox":
        split = pooled_emobox(clips, fold, root)
    elif protocol == "sentence-out":
        split = pooled_sentence_out(clips, fold)
    else:
        split = leave_out(clips, protocol, fold)
    needed = {"train": "train on", "dev": "fit the verdict on", "test": "test on"}
    for side, what in needed.items():
        if not any(clip.emotion in EMOTIONS for clip in split.sides[side]):
            raise corpora.CorpusError(
                f"{split.name}: no voice to {what} in {root}: it needs more of {recipe.name}'s "
                "corpora, see python -m train corpora"
            )
    if again:
        split = refit(split)
        if all(clip.emotion == UNKNOWN for clip in split.dev):
            raise RecipeError(
                f"{split.name}: no voice is left to fit the verdict on; a refit needs a corpus "
                "with three dev speakers"
            )
    sounds = synthesise(runs / "sounds", count=recipe.fit.synthetic_sounds, seed=1)
    return Experiment(
        recipe=recipe, split=_with_sounds(split, sounds), seed=seed, root=root, runs=runs
    )


def _with_sounds(split: Split, sounds: list[Clip]) -> Split:
    """Deal the sounds out, six of eight to train; a sound is its own speaker."""
    return Split(
        name=split.name,
        train=(*split.train, *(s for i, s in enumerate(sounds) if i % 8 < 6)),
        dev=(*split.dev, *sounds[6::8]),
        test=(*split.test, *sounds[7::8]),
        speaker_independent=split.speaker_independent,
    )


def commit() -> str | None:
    """The commit of the code, `-dirty` if it was changed since; None outside a repository."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()
