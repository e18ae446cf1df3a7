"""What a pretrained teacher tells of the clips to learn from: answers, and hints hop by hop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.bottleneck import Bottleneck, through
from train.corpora.clip import EMOTIONS
from train.examples import Examples
from train.experiment import Experiment
from train.features import FeatureCache
from train.recipe import Recipe, RecipeError
from train.scores import unweighted_recalls
from train.teacher import EncodingCache, Teacher, layers, soft_labels, wholes
from train.whole_file import whole_file

SOFT_LABELS = "soft_labels.npy"
NARROW = "narrow.npy"
"""What is kept in the folder of a run."""


def teach(train: Examples, recipe: Recipe, *, cache: FeatureCache, folder: Path, seed: int) -> None:
    """Mix the teacher's answers into the targets, and give each hop its hints.

    Raises RecipeError where `folder` was begun with other clips.
    """
    encodings = EncodingCache(cache.folder.parent).load(train.clips)
    heard = _kept(
        folder / SOFT_LABELS, lambda: soft_labels(wholes(encodings), train, recipe, seed=seed)
    )
    if len(heard) != len(train.clips):
        raise RecipeError(f"{folder}: begun with other clips; remove it to begin anew")
    if recipe.fit.hinted:
        hops = layers(encodings)
        narrow = _kept(
            folder / NARROW, lambda: Bottleneck.of(hops, train, recipe, seed=seed).narrow
        )
        train.hints = through(narrow, hops)
    train.teach(heard, share=recipe.fit.taught)


def _kept(path: Path, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    """Read what an earlier start wrote, or make it and write it."""
    if not path.exists():
        made = make()
        with whole_file(path) as file:
            np.save(file, made)
    return np.load(path)


def dev_recalls(experiment: Experiment) -> dict[str, dict[str, float]]:
    """UA of each corpus' dev speakers by the teacher's two pupils, taught by the train side.

    They are the linear layer that answers, and the bottleneck that hints are taken from.
    """
    recipe, cache = experiment.recipe, EncodingCache(experiment.cache.folder.parent)
    train = Examples(experiment.split.train, recipe, cache=experiment.cache)
    dev = [clip for clip in experiment.split.dev if clip.emotion in EMOTIONS]
    learnt, judged = cache.load(train.clips), cache.load(dev)
    voices = np.flatnonzero([clip.emotion in EMOTIONS for clip in train.clips])
    teacher = Teacher.of(
        wholes(learnt)[voices],
        [train.clips[i] for i in voices],
        train.draw_shares(recipe)[voices],
        recipe,
    )
    hops = layers([*learnt, *judged])
    bottleneck = Bottleneck.of(hops[: len(learnt)], train, recipe, seed=experiment.seed)
    answers = {
        "linear layer": teacher(wholes(judged)),
        "bottleneck": bottleneck(hops[len(learnt) :]),
    }
    return {name: unweighted_recalls(dev, heard, recipe.labels) for name, heard in answers.items()}
