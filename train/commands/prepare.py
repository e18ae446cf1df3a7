"""`prepare`: compute and keep the features that a recipe's runs will read."""

from __future__ import annotations

import argparse

from train.commands.runs import add_run_arguments, experiment, system_recipe
from train.systems.recipe import SystemRecipe, find_recipe

NAME = "prepare"
HELP = "compute the features of a recipe's clips and copies; goes on where it stopped"
EXAMPLE = "python -m train prepare ser-2d-cnn --corpus ravdess"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    if isinstance(find_recipe(arguments.recipe), SystemRecipe):
        from train.systems.run import clips_of, store
        from train.systems.store import Row

        recipe = system_recipe(arguments)
        kept = store(recipe, arguments.runs)
        copies = ["", *(copy["name"] for copy in recipe.copies)]
        for clips in clips_of(
            recipe, root=arguments.root, names=arguments.corpus, gender=arguments.gender or ""
        ):
            rows = [Row(clip, copy) for copy in copies for clip in clips]
            kept.compute(rows)
            print(f"{len(rows)} rows in {kept.folder}")
        return 0
    from train.examples import renditions
    from train.features import PLAIN
    from train.teacher import EncodingCache

    laid_out = experiment(arguments)
    for side, clips in laid_out.split.sides.items():
        for rendition in renditions(laid_out.recipe) if side == "train" else (PLAIN,):
            laid_out.cache.load(clips, rendition)
    if laid_out.recipe.fit.taught:
        EncodingCache(laid_out.cache.folder.parent).load(laid_out.split.train)
    print(f"features in {laid_out.cache.folder}")
    return 0
