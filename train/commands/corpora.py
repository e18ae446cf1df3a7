"""`corpora`: what is found, what is missing or damaged, and tables of it."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from train.corpora import CORPORA, Clip, CorpusError, default_root, present
from train.corpora.survey import Survey, damages, survey

NAME = "corpora"
HELP = "list the corpora that are found: clips, speakers, emotions, what is missing or damaged"
EXAMPLE = "python -m train corpora --check --csv tables"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--root",
        type=Path,
        help="folder that holds the corpora (default: $STREAMSER_CORPORA, else ../shared/corpora)",
    )
    parser.add_argument(
        "--corpus", action="append", metavar="NAME", help="only this one; may be repeated"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="decode every file and compare CREMA-D's WAV files with their SHA-256 sums; "
        "exit code 1 if anything is missing or damaged",
    )
    parser.add_argument(
        "--csv",
        type=Path,
        metavar="DIR",
        help="write one table per corpus: path,label,speaker,split",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(arguments: argparse.Namespace) -> int:
    root = arguments.root or default_root()
    names = arguments.corpus or present(root)
    if unknown := [name for name in names if name not in CORPORA]:
        raise CorpusError(f"no corpus named {unknown[0]}: there are {', '.join(CORPORA)}")
    if not names:
        raise CorpusError(f"no corpus in {root}: set STREAMSER_CORPORA to the folder they are in")
    found = [survey(CORPORA[name], root) for name in names]
    if arguments.check:
        found = _checked(found)
    if arguments.csv:
        _write_tables([clip for _, clips in found for clip in clips], arguments.csv, root)
    surveys = [item for item, _ in found]
    if arguments.json:
        print(json.dumps([_as_json(item) for item in surveys], indent=2))
    else:
        _print(surveys, absent=[] if arguments.corpus else [n for n in CORPORA if n not in names])
    broken = any(item.missing or item.damaged for item in surveys)
    return 1 if arguments.check and broken else 0


def _checked(found: Sequence[tuple[Survey, list[Clip]]]) -> list[tuple[Survey, list[Clip]]]:
    from rich.console import Console
    from rich.progress import Progress

    checked = []
    with Progress(console=Console(stderr=True)) as progress:
        for item, clips in found:
            task = progress.add_task(item.corpus, total=len(clips))
            bad = damages(clips, tick=lambda task=task: progress.advance(task))  # type: ignore[misc]
            checked.append((dataclasses.replace(item, damaged=tuple(bad)), clips))
    return checked


def _write_tables(clips: Iterable[Clip], folder: Path, root: Path) -> None:
    from train.splits import pooled

    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, list[tuple[str, str, str, str]]] = {}
    for side, side_clips in pooled(clips).sides.items():
        for clip in side_clips:
            path = Path(os.path.relpath(clip.path, root)).as_posix()
            rows.setdefault(clip.corpus, []).append((path, clip.emotion or "", clip.speaker, side))
    for corpus, table in rows.items():
        with (folder / f"{corpus}.csv").open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("path", "label", "speaker", "split"))
            writer.writerows(sorted(table))


def _as_json(item: Survey) -> dict[str, Any]:
    return {
        **dataclasses.asdict(item),
        "folder": str(item.folder),
        "damaged": None
        if item.damaged is None
        else [{"path": str(bad.path), "reason": bad.reason} for bad in item.damaged],
    }


def _print(surveys: Sequence[Survey], absent: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(soft_wrap=True)
    table = Table("corpus", box=None, pad_edge=False)
    for column in ("clips", "of", "speakers", "each"):
        table.add_column(column, justify="right")
    table.add_column("emotions")
    for item in surveys:
        each = sorted(item.speakers.values())
        table.add_row(
            item.corpus,
            str(item.clips),
            str(item.expected),
            str(len(item.speakers)),
            f"{each[0]}-{each[-1]}",
            ", ".join(f"{emotion} {count}" for emotion, count in item.emotions.items()),
        )
    console.print(table)
    lines = [f"{item.corpus}: missing {_first(item.missing)}" for item in surveys if item.missing]
    lines += [f"{bad.path} {bad.reason}" for item in surveys for bad in item.damaged or ()]
    lines += [f"absent: {name}, from {CORPORA[name].download}" for name in absent]
    for line in lines:
        console.print(Text(line))


def _first(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
