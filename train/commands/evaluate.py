"""`evaluate`: the figures of a bundle on test speakers, as JSON, a picture and a card."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from train.commands.export import MODELS
from train.commands.runs import add_run_arguments, experiment

NAME = "evaluate"
HELP = "judge a bundle on the test speakers of its run, through the code that runs live"
EXAMPLE = "python -m train evaluate streamser-research --card"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_arguments(parser)
    parser.add_argument("--model", type=Path, help="folder of the bundle (models/NAME)")
    parser.add_argument("--card", action="store_true", help="write the bundle's card from it")


def run(arguments: argparse.Namespace) -> int:
    from streamser.model.bundle import load
    from train.evaluation import evaluate
    from train.model_card import write_card

    laid_out = experiment(arguments)
    folder = arguments.model or MODELS / laid_out.recipe.name
    bundle = load(folder)
    figures = evaluate(bundle, laid_out)
    path = laid_out.write("evaluate.json", figures)
    if arguments.card:
        write_card(bundle, laid_out, figures)
    print(json.dumps(figures["corpora"], indent=1))
    print(f"wrote {path}")
    return 0
