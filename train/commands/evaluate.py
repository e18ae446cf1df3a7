"""`evaluate`: the figures of a trained recipe on its test side, as JSON and pictures."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from train.commands.export import WHERE, bundle_folder
from train.commands.runs import add_run_arguments, experiment, system_runs
from train.recipe import RecipeError, load_recipe
from train.systems.recipe import SystemRecipe, find_recipe

NAME = "evaluate"
HELP = "judge a trained recipe on its test side; a bundle through the code that runs live"
EXAMPLE = "python -m train evaluate streamser-research --refit --card"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_arguments(parser)
    parser.add_argument("--model", type=Path, help="folder of the bundle " + WHERE)
    parser.add_argument(
        "--teacher", action="store_true", help="judge what taught it instead, on dev speakers"
    )
    parser.add_argument("--card", action="store_true", help="write the bundle's card from it")


def run(arguments: argparse.Namespace) -> int:
    if isinstance(find_recipe(arguments.recipe), SystemRecipe):
        _evaluate_systems(arguments)
    elif arguments.teacher:
        _evaluate_teacher(arguments)
    else:
        _evaluate_bundle(arguments)
    return 0


def _evaluate_systems(arguments: argparse.Namespace) -> None:
    from train.systems.judge import RESULT, evaluate_run, load_run

    for laid_out in system_runs(arguments):
        result = evaluate_run(laid_out, *load_run(laid_out))
        print(json.dumps(result["by_corpus"], indent=1))
        print(f"wrote {laid_out.folder / RESULT}")


def _evaluate_teacher(arguments: argparse.Namespace) -> None:
    from train.lessons import dev_recalls

    for name, recalls in dev_recalls(experiment(arguments)).items():
        print(name, json.dumps({corpus: round(100 * ua, 1) for corpus, ua in recalls.items()}))


def _evaluate_bundle(arguments: argparse.Namespace) -> None:
    from streamser.model.bundle import load
    from train.evaluation import agreement, trust
    from train.model_card import write_card

    laid_out = experiment(arguments)
    if arguments.card and not laid_out.shipped:
        shipped = laid_out.recipe.shipped or "none"
        raise RecipeError(f"--card is for the bundle that is shipped: {shipped}, seed 0")
    bundle = load(arguments.model or bundle_folder(laid_out))
    learnt = bundle.manifest.provenance
    if learnt.get("split_sha256") != laid_out.split.hash:
        raise RecipeError(
            f"{bundle.path} learnt from other clips ({learnt.get('protocol', 'it does not say')}), "
            f"maybe from those that {laid_out.split.name} tests: name its own split, and have the "
            "corpora that it had"
        )
    figures = agreement(bundle, laid_out)
    if laid_out.shipped:
        figures |= trust(bundle, laid_out)
    planned = load_recipe(arguments.recipe).fit.passes
    path = laid_out.write("evaluate.json", figures | {"passes_planned": planned})
    if arguments.card:
        write_card(bundle, laid_out, figures)
    print(json.dumps(figures["corpora"], indent=1))
    print(f"wrote {path}")
