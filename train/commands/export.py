"""`export`: a trained run to a bundle in `models/`."""

from __future__ import annotations

import argparse
from pathlib import Path

from train.commands.runs import add_run_arguments, experiment

NAME = "export"
HELP = "convert a trained run to a streaming INT8 bundle, calibrated on its dev speakers"
EXAMPLE = "python -m train export streamser-research --model-version 0.1.0"

MODELS = Path(__file__).resolve().parents[2] / "models"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_arguments(parser)
    parser.add_argument("--to", type=Path, help="folder of the bundle (models/NAME)")
    parser.add_argument("--model-version", default="0.1.0")
    parser.add_argument("--licence", default="CC-BY-NC-SA-4.0", help="of the trained weights")


def run(arguments: argparse.Namespace) -> int:
    from train.export import export_run

    laid_out = experiment(arguments)
    folder = arguments.to or MODELS / laid_out.recipe.name
    manifest = export_run(
        laid_out, folder=folder, version=arguments.model_version, licence=arguments.licence
    )
    verdict = manifest.verdict
    print(f"wrote {folder}: temperature {verdict.temperature:g}, threshold {verdict.threshold:g}")
    print(f"next: python -m train evaluate {arguments.recipe}")
    return 0
