"""`export`: a trained run to INT8: a streaming network to a bundle in `models/`."""

from __future__ import annotations

import argparse
from pathlib import Path

from train.commands.runs import add_run_arguments, experiment, system_runs
from train.experiment import Experiment
from train.systems.recipe import SystemRecipe, find_recipe

NAME = "export"
HELP = "convert a trained run to INT8 (streamser: a bundle; systems: network.tflite and its cost)"
EXAMPLE = "python -m train export streamser-research --refit --model-version 0.6.1"

MODELS = Path(__file__).resolve().parents[2] / "models"

WHERE = "(models/NAME for the split that the recipe ships, seed 0; else bundle/ in the run)"


def bundle_folder(laid_out: Experiment) -> Path:
    """Where the bundle of a run lies: `models/NAME` if it is the one to ship, else in the run."""
    return MODELS / laid_out.recipe.name if laid_out.shipped else laid_out.folder / "bundle"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_arguments(parser)
    parser.add_argument("--to", type=Path, help="folder of the bundle " + WHERE)
    parser.add_argument("--model-version", default="0.1.0")
    parser.add_argument("--licence", default="CC-BY-NC-SA-4.0", help="of the trained weights")


def run(arguments: argparse.Namespace) -> int:
    if isinstance(find_recipe(arguments.recipe), SystemRecipe):
        _export_systems(arguments)
    else:
        _export_bundle(arguments)
    return 0


def _export_systems(arguments: argparse.Namespace) -> None:
    from train.systems.cost import measure

    for laid_out in system_runs(arguments):
        cost = measure(laid_out)
        print(", ".join(f"{key} {value}" for key, value in cost.items()))
        print(f"wrote {laid_out.folder / 'network.tflite'}")


def _export_bundle(arguments: argparse.Namespace) -> None:
    from train.export import export_run

    laid_out = experiment(arguments)
    folder = arguments.to or bundle_folder(laid_out)
    manifest = export_run(
        laid_out, folder=folder, version=arguments.model_version, licence=arguments.licence
    )
    verdict = manifest.verdict
    print(f"wrote {folder}: temperature {verdict.temperature:g}, threshold {verdict.threshold:g}")
    print(f"next: python -m train evaluate {arguments.recipe}")
