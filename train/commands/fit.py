"""`fit`: train a recipe's network."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from train.corpora import CorpusError, voice_votes
from train.experiment import RUNS, Experiment, prepare
from train.recipe import load_recipe

NAME = "fit"
HELP = "train a recipe on the pooled, speaker-disjoint split; run again to go on where it stopped"
EXAMPLE = "python -m train fit streamser-research --seed 0"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_arguments(parser)


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what names a run."""
    parser.add_argument("recipe", nargs="?", default="streamser-research", help="name or .toml")
    parser.add_argument("--fold", type=int, default=1, help="fold of the pooled split (default: 1)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--root", type=Path, help="folder of the corpora ($STREAMSER_CORPORA)")
    parser.add_argument("--runs", type=Path, default=RUNS, help="where runs are kept (runs/)")


def experiment(arguments: argparse.Namespace) -> Experiment:
    """Lay out the run that the arguments name."""
    return prepare(
        load_recipe(arguments.recipe),
        fold=arguments.fold,
        seed=arguments.seed,
        root=arguments.root,
        runs=arguments.runs,
    )


def run(arguments: argparse.Namespace) -> int:
    laid_out = experiment(arguments)
    try:
        votes = voice_votes(laid_out.root)
    except CorpusError:
        votes = {}
    from train.fit import fit

    laid_out.write("fit.json", {"listener_votes": bool(votes)})
    began = time.monotonic()
    fitted = fit(
        laid_out.recipe,
        laid_out.split,
        cache=laid_out.cache,
        folder=laid_out.folder,
        seed=laid_out.seed,
        votes=votes,
    )
    seconds = round(time.monotonic() - began, 1)
    parameters = fitted.model.count_params()
    laid_out.add("fit.json", {"seconds_since_last_start": seconds, "parameters": parameters})
    print(f"wrote {laid_out.folder}; next: python -m train export {arguments.recipe}")
    return 0
