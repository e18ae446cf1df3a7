"""The arguments that name runs, and the runs that they name."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from train.experiment import RUNS, Experiment, prepare
from train.recipe import RecipeError, load_recipe
from train.systems.recipe import SystemRecipe, find_recipe

if TYPE_CHECKING:
    from train.systems.run import SystemRun


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what names one or more runs of a recipe."""
    parser.add_argument("recipe", nargs="?", default="streamser-research", help="name or .toml")
    add_run_options(parser)


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add what tells the runs of a recipe apart."""
    add_root_arguments(parser)
    parser.add_argument(
        "--fold", type=count, nargs="+", help="folds (streamser: 1; systems: all of `honest`)"
    )
    parser.add_argument("--seed", type=seed, default=0)
    parser.add_argument(
        "--protocol",
        metavar="NAME",
        help="streamser: pooled (the default), emobox, sentence-out (RAVDESS, fold 1 and 2), or a "
        "corpus to be left out of training and tested on; systems: own, the publication's split "
        "(the default), or honest",
    )
    parser.add_argument(
        "--refit",
        action="store_true",
        help="streamser: most dev speakers train as well, once nothing is left to choose",
    )
    parser.add_argument(
        "--epochs", type=count, help="instead of the recipe's, or its passes; the result says so"
    )
    systems = parser.add_argument_group("published systems")
    systems.add_argument("--corpus", action="append", default=[], help="only this; may be repeated")
    systems.add_argument("--gender", choices=("male", "female", "both"))
    systems.add_argument("--weights", help="deepemo-transfer: path of ImageNet weights, or `none`")


def count(text: str) -> int:
    """A number from 1 on, as argparse's `type`."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("has to be 1 or more")
    return number


def seed(text: str) -> int:
    """A number from 0 on, as argparse's `type`."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("has to be 0 or more")
    return number


def add_root_arguments(parser: argparse.ArgumentParser) -> None:
    """Add where corpora and runs lie."""
    parser.add_argument("--root", type=Path, help="folder of the corpora ($STREAMSER_CORPORA)")
    parser.add_argument("--runs", type=Path, default=RUNS, help="where runs are kept (runs/)")


def names_run(arguments: argparse.Namespace) -> bool:
    """Whether any option tells a run from the recipe's others."""
    options = ("fold", "seed", "protocol", "refit", "epochs", "corpus", "gender", "weights")
    return any(getattr(arguments, option) for option in options)


def experiment(arguments: argparse.Namespace, fold: int | None = None) -> Experiment:
    """Lay out the run of a streaming network that the arguments name."""
    for option in ("corpus", "gender", "weights"):
        if getattr(arguments, option):
            raise RecipeError(f"--{option} is for published systems, not for {arguments.recipe}")
    recipe = load_recipe(arguments.recipe)
    if arguments.epochs:
        recipe = dataclasses.replace(
            recipe, fit=dataclasses.replace(recipe.fit, passes=arguments.epochs)
        )
    return prepare(
        recipe,
        protocol=arguments.protocol or "pooled",
        fold=fold or (arguments.fold or [1])[0],
        seed=arguments.seed,
        again=arguments.refit,
        root=arguments.root,
        runs=arguments.runs,
    )


def system_recipe(arguments: argparse.Namespace) -> SystemRecipe:
    """The recipe of a published system, with what the arguments change in it."""
    recipe = find_recipe(arguments.recipe)
    if not isinstance(recipe, SystemRecipe):
        raise RecipeError(f"{arguments.recipe} is no published system")
    if arguments.weights:
        network = recipe.network | {"weights": arguments.weights}
        recipe = dataclasses.replace(recipe, network=network)
    return recipe


def system_protocol(arguments: argparse.Namespace) -> str:
    """The protocol of a published system that the arguments name."""
    if arguments.refit:
        raise RecipeError(f"--refit is for streaming networks, not for {arguments.recipe}")
    if arguments.protocol not in (None, "own", "honest"):
        raise RecipeError(f"no protocol {arguments.protocol}: {arguments.recipe} has own, honest")
    return arguments.protocol or "own"


def system_runs(arguments: argparse.Namespace) -> list[SystemRun]:
    """Lay out the runs of a published system that the arguments name."""
    from train.systems.run import lay_out

    return lay_out(
        system_recipe(arguments),
        protocol=system_protocol(arguments),
        folds=arguments.fold or (),
        seed=arguments.seed,
        epochs=arguments.epochs,
        names=arguments.corpus,
        gender=arguments.gender or "",
        root=arguments.root,
        runs=arguments.runs,
    )
