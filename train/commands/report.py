"""`report`: all results in one table."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from train.commands.export import MODELS
from train.experiment import RUNS
from train.recipe import RECIPES, load_recipe

NAME = "report"
HELP = "gather the results of all runs into train/results/ and train/RESULTS.md"
EXAMPLE = "python -m train report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=Path, default=RUNS, help="where runs are kept (runs/)")
    parser.add_argument("--to", type=Path, help="folder for results/ and RESULTS.md (train/)")


def run(arguments: argparse.Namespace) -> int:
    from train import report, report_pictures
    from train.results import RESULTS, gather, keep, kept

    results = arguments.to / "results" if arguments.to else RESULTS
    keep(gather(arguments.runs), results)
    measured = {record["sha256"] for record in kept(results) if "sha256" in record}
    for cost in _bundle_costs(measured):
        keep({cost["recipe"]: [cost]}, results)
    systems = report.systems(kept(results))
    report_pictures.protocols(systems, results / "protocols.png")
    for system in systems:
        if system.protocols:
            report_pictures.confusions(system, results / f"{system.slug}.png")
    page = results.parent / "RESULTS.md"
    page.write_text(report.markdown(systems, pictures="results"))
    figures = json.dumps(report.as_json(systems), indent=1)
    page.with_suffix(".json").write_text(figures + "\n")
    print(f"wrote {page}: {len(systems)} systems")
    return 0


def _bundle_costs(measured: set[str]) -> Iterator[dict[str, object]]:
    """The costs of the bundles in `models/` that nobody has measured yet."""
    from streamser.model.bundle import load
    from train.bundle_cost import measure_bundle

    for folder in sorted(path for path in MODELS.iterdir() if path.is_dir()):
        bundle = load(folder)
        if bundle.info.sha256 not in measured and (RECIPES / f"{folder.name}.toml").exists():
            yield {"kind": "cost"} | measure_bundle(bundle, load_recipe(folder.name))
