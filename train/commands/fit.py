"""`fit`: train a recipe's network."""

from __future__ import annotations

import argparse

from train.commands.runs import add_run_arguments, experiment, system_runs
from train.corpora import CorpusError, voice_votes
from train.experiment import Experiment
from train.systems.recipe import SystemRecipe, find_recipe

NAME = "fit"
HELP = "train a recipe; run again to go on where it stopped"
EXAMPLE = "python -m train fit deep-emotion-1d --corpus emodb --protocol honest --fold 1 2"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    if isinstance(find_recipe(arguments.recipe), SystemRecipe):
        _fit_system(arguments)
    else:
        for fold in arguments.fold or [1]:
            _fit_streaming(experiment(arguments, fold))
            print(f"next: python -m train export {arguments.recipe}")
    return 0


def _fit_system(arguments: argparse.Namespace) -> None:
    from train.systems.judge import fit_run

    for laid_out in system_runs(arguments):
        result = fit_run(laid_out)
        print(
            f"{laid_out.folder}: {result['epochs']} epochs in {result['seconds']:.0f} s, "
            f"WA {result['wa']:.1f}, UA {result['ua']:.1f}",
            flush=True,
        )


def _fit_streaming(laid_out: Experiment) -> None:
    from train.fit import fit, history

    try:
        votes = voice_votes(laid_out.root)
    except CorpusError:
        votes = {}
    began = laid_out.describe()["commit"]
    fitted = fit(
        laid_out.recipe,
        laid_out.split,
        cache=laid_out.cache,
        folder=laid_out.folder,
        seed=laid_out.seed,
        votes=votes,
    )
    seconds = history(laid_out.folder, "seconds")
    learnt = {
        "commit": began,
        "listener_votes": bool(votes),
        "passes": len(seconds),
        "seconds": round(sum(seconds), 1),
        "parameters": fitted.model.count_params(),
    }
    laid_out.write("fit.json", learnt)
    print(f"wrote {laid_out.folder}")
