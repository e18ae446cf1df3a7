"""The two protocols of a system: the publication's own, which leaks speakers, and an honest one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from train.corpora.clip import Clip
from train.splits import Split, groups_of, pooled, pooled_groups, strict
from train.systems.recipe import Labels, SystemRecipe
from train.systems.store import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The rows that train, that are watched while training, and that judge."""

    name: str
    train: tuple[Row, ...]
    watch: tuple[Row, ...]
    test: tuple[Row, ...]
    choose: str
    """Which epoch is judged: `last`, or the best on `watch` by `loss`, `accuracy` or `ua`."""

    hash: str
    speaker_independent: bool
    described: str


def label_of(clip: Clip, labels: Labels) -> str | None:
    """The class a clip teaches; None where the recipe has no use for it."""
    emotion = clip.emotion
    if labels.calm and clip.corpus.startswith("ravdess") and clip.emotion_raw == "02":
        emotion = "calm"
    if emotion is None or (labels.emotions and emotion not in labels.emotions):
        return None
    return f"{clip.gender}_{emotion}" if labels.gender else emotion


def own(recipe: SystemRecipe, clips: Sequence[Clip], *, name: str, seed: int) -> Sides:
    """Draw the test side at random, as the publication did, and watch it while training."""
    ordered = sorted(clips, key=lambda clip: clip.key)
    rows = [Row(clip) for clip in ordered]
    if recipe.own.copies_before_split:
        rows = _with_copies(recipe, ordered)
    drawn = np.random.default_rng(seed).permutation(len(rows))
    held_out = set(drawn[: round(recipe.own.test_share * len(rows))].tolist())
    test = tuple(row for i, row in enumerate(rows) if i in held_out)
    train = tuple(row for i, row in enumerate(rows) if i not in held_out)
    if not recipe.own.copies_before_split:
        train = _with_copies(recipe, [row.clip for row in train])
    judged = "the last epoch" if recipe.own.choose == "last" else "the best epoch on the test side"
    copies = "the copies of a clip on both sides, " if recipe.own.copies_before_split else ""
    return Sides(
        name=name,
        train=train,
        watch=test,
        test=test,
        choose=recipe.own.choose,
        hash=_hash(train, test),
        speaker_independent=False,
        described=f"{100 * recipe.own.test_share:g} % drawn at random, the same speakers on both "
        f"sides, {copies}{judged}",
    )


def honest_folds(recipe: SystemRecipe, clips: Sequence[Clip]) -> int:
    """How many folds there are until every group of speakers of every corpus was tested."""
    if recipe.alone:
        return len(groups_of(clips[0].corpus, clips))
    return max(map(len, pooled_groups(clips).values()))


def honest(recipe: SystemRecipe, clips: Sequence[Clip], *, fold: int) -> Sides:
    """No speaker on two sides; dev speakers choose the epoch; copies of training clips alone."""
    corpora = sorted({clip.corpus for clip in clips})
    split = strict(clips, corpora[0])[fold - 1] if recipe.alone else pooled(clips, fold)
    return from_split(recipe, split)


def from_split(recipe: SystemRecipe, split: Split) -> Sides:
    """The sides of any speaker-independent split."""
    chosen = "the best epoch by UA on dev speakers" if split.dev else "the last epoch"
    return Sides(
        name=split.name.replace("/", "-"),
        train=_with_copies(recipe, split.train),
        watch=tuple(Row(clip) for clip in split.dev),
        test=tuple(Row(clip) for clip in split.test),
        choose="ua" if split.dev else "last",
        hash=split.hash,
        speaker_independent=split.speaker_independent,
        described=f"no speaker on two sides, {chosen}",
    )


def _with_copies(recipe: SystemRecipe, clips: Sequence[Clip]) -> tuple[Row, ...]:
    names = ["", *(copy["name"] for copy in recipe.copies)]
    return tuple(Row(clip, name) for clip in clips for name in names)


def _hash(train: Sequence[Row], test: Sequence[Row]) -> str:
    sides = {"train": train, "test": test}
    lines = [line for side, rows in sides.items() for line in (side, *(r.key for r in rows), "")]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
