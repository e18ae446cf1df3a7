"""Gathers what all runs found, of published systems and of the shipped networks alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from train.corpora.clip import EMOTIONS
from train.whole_file import write_text

Record = dict[str, Any]
T = TypeVar("T")

HONEST = "no speaker on two sides"

PROTOCOLS = {
    "emobox": "EmoBox's folds of every corpus",
    "left-out": "none of the corpus in training",
    "sentence-out": "RAVDESS' other sentence, by the same actors",
}
"""What a streaming network is judged by besides the pooled, speaker-disjoint folds."""

RESULTS = Path(__file__).parent / "results"
"""Figures of finished runs, kept with the code."""

NEEDED = {
    "cost": ("recipe", "split", "seed"),
    "result": (
        "recipe", "split", "seed", "protocol", "described", "split_sha256", "commit", "labels",
        "epochs", "epochs_planned", "seconds", "parameters", "wa", "ua", "by_corpus", "confusion",
    ),
}  # fmt: skip
"""What the report reads in every record of a kind."""


class ResultError(Exception):
    """A result cannot be read; the message is one line for the user."""


def gather(runs: Path) -> dict[str, list[Record]]:
    """Records of the finished runs under `runs` by recipe, without settings; costs are among them.

    A record is what `result.json`, `cost.json` or a bundle's `evaluate.json` says. Raises
    ResultError.
    """
    found: dict[str, list[Record]] = {}
    for path in sorted(runs.glob("*/*/*.json")):
        reader = {"result": _system, "cost": _cost, "evaluate": _bundle}.get(path.stem)
        if reader:
            with _named(path):
                record = reader(path)
                _need_all(record)
            found.setdefault(record["recipe"], []).append(record)
    return found


def keep(found: dict[str, list[Record]], folder: Path = RESULTS) -> None:
    """Write one file per recipe; recipes and runs that are not in `found` stay as they were.

    Raises ResultError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for recipe, records in found.items():
        path = folder / f"{recipe}.json"
        merged = {_key(record): record for record in (*_read(path), *records)}
        lines = [json.dumps(merged[key]) for key in sorted(merged)]
        write_text(path, "[\n" + ",\n".join(lines) + "\n]\n")


def kept(folder: Path = RESULTS) -> Iterator[Record]:
    """All records in `folder`. Raises ResultError."""
    for path in sorted(folder.glob("*.json")):
        yield from _read(path)


def _read(path: Path) -> list[Record]:
    if not path.exists():
        return []
    with _named(path):
        records: list[Record] = _load(path, list)
        for record in records:
            _need_all(record)
    return records


def _load(path: Path, kind: type[T]) -> T:
    told = json.loads(path.read_text())
    if not isinstance(told, kind):
        raise TypeError(f"it holds no {kind.__name__}")
    return told


def _need_all(record: Record) -> None:
    for key in NEEDED[record["kind"]]:
        record[key]


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Raise ResultError, with the name of the file, where it does not tell what it should."""
    try:
        yield
    except KeyError as error:
        raise ResultError(f"{path} is damaged: there is no {error.args[0]}") from None
    except (TypeError, ValueError) as error:
        raise ResultError(f"{path} is damaged: {error}") from None


def _key(record: Record) -> tuple[str, str, int]:
    return record["kind"], record["split"], record["seed"]


def _system(path: Path) -> Record:
    return {"kind": "result"} | _without_settings(_load(path, dict))


def _cost(path: Path) -> Record:
    return {"kind": "cost"} | _without_settings(_load(path, dict))


def _bundle(path: Path) -> Record:
    """A bundle's figures in the words of a system's result."""
    told = _load(path, dict)
    beside = path.with_name("fit.json")
    with _named(beside):
        fitted = _load(beside, dict)
        passes = fitted.get("passes", fitted["settings"]["fit"]["passes"])
    rows = told["corpora"]
    protocol = next((name for name in PROTOCOLS if name in told["protocol"]), "honest")
    return {
        "kind": "result",
        "protocol": protocol,
        "split": told["protocol"].replace("/", "-"),
        "described": f"{PROTOCOLS.get(protocol, HONEST)}, the last pass; INT8, through the code "
        "that runs live",
        "speaker_independent": protocol in ("honest", "left-out"),
        "wa": rows["mean"]["wa"],
        "ua": rows["mean"]["ua"],
        "ece": told["calibration"]["ece"],
        "by_corpus": {name: row for name, row in rows.items() if name != "mean"},
        "epochs": passes,
        "epochs_planned": told.get("passes_planned", told["settings"]["fit"]["passes"]),
        "seconds": fitted.get("seconds"),
        "parameters": fitted.get("parameters"),
        "labels": [label for label in told["settings"]["labels"] if label in EMOTIONS],
        **{
            key: told[key]
            for key in ("recipe", "split_sha256", "seed", "commit", "model", "confusion")
        },
    }


def _without_settings(record: Record) -> Record:
    return {key: value for key, value in record.items() if key != "settings"}
