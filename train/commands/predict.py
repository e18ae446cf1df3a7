"""`predict`: what a trained recipe says of recordings."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from train.commands.export import MODELS, bundle_folder
from train.commands.runs import (
    add_run_options,
    experiment,
    names_run,
    system_protocol,
    system_recipe,
)
from train.recipe import load_recipe
from train.systems.recipe import SystemRecipe, find_recipe

NAME = "predict"
HELP = "print the probabilities that a trained recipe gives to recordings"
EXAMPLE = "python -m train predict me.wav --recipe deep-emotion-1d --corpus emodb --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, nargs="+", help="a recording")
    parser.add_argument("--recipe", default="streamser-research", help="name or .toml")
    parser.add_argument("--json", action="store_true", help="one JSON object per recording")
    add_run_options(parser)


def run(arguments: argparse.Namespace) -> int:
    for path in arguments.path:
        if not path.is_file():
            raise FileNotFoundError(f"no recording {path}")
    system = isinstance(find_recipe(arguments.recipe), SystemRecipe)
    answers = _by_system(arguments) if system else _by_bundle(arguments)
    for path, (name, scores) in answers:
        if arguments.json:
            told = {"path": str(path), "model": name, "scores": scores}
            print(json.dumps(told, allow_nan=False), flush=True)
        else:
            _print(path, name, scores)
    return 0


Answer = tuple[Path, tuple[str, dict[str, float]]]


def _by_system(arguments: argparse.Namespace) -> Iterator[Answer]:
    from train.systems.predict import find_run, predict

    recipe, runs = system_recipe(arguments), arguments.runs
    folder = find_run(
        recipe,
        protocol=system_protocol(arguments),
        fold=(arguments.fold or [1])[0],
        seed=arguments.seed,
        names=arguments.corpus,
        gender=arguments.gender or "",
        runs=runs,
    )
    name = str(folder.relative_to(runs))
    answers = predict(recipe, folder, arguments.path, runs=runs)
    for path, scores in zip(arguments.path, answers, strict=True):
        yield path, (name, scores)


def _by_bundle(arguments: argparse.Namespace) -> Iterator[Answer]:
    from streamser.analysis.whole import WholeAnalyzer
    from streamser.audio.recording import read_recording
    from streamser.model.bundle import load

    bundle = load(_bundle_folder(arguments))
    analyzer = WholeAnalyzer(model=bundle)
    for path in arguments.path:
        verdict = analyzer.analyze(read_recording(path))
        yield path, (bundle.info.name, dict(verdict.scores) if verdict else {})


def _bundle_folder(arguments: argparse.Namespace) -> Path:
    """The bundle of the run that the options name; what is shipped, if they name none."""
    recipe = load_recipe(arguments.recipe)
    if recipe.shipped and not names_run(arguments):
        return MODELS / recipe.name
    return bundle_folder(experiment(arguments))


def _print(path: Path, name: str, scores: dict[str, float]) -> None:
    print(f"{path}, by {name}")
    for label, share in sorted(scores.items(), key=lambda item: -item[1]):
        print(f"  {label:16} {100 * share:5.1f} %")
    if not scores:
        print("  no speech")
