"""`eda`: the corpora in pictures."""

from __future__ import annotations

import argparse
from pathlib import Path

from train.corpora import CORPORA, CorpusError, default_root, present

NAME = "eda"
HELP = "draw durations, native rates, class counts, wave forms and spectrograms of each corpus"
EXAMPLE = "python -m train eda --corpus emodb --to eda"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--root", type=Path, help="folder of the corpora ($STREAMSER_CORPORA)")
    parser.add_argument("--corpus", action="append", metavar="NAME", help="only this; repeatable")
    parser.add_argument("--to", type=Path, default=Path("runs/eda"), help="folder (runs/eda)")


def run(arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.progress import Progress

    from train.eda import draw, look, page

    root = arguments.root or default_root()
    names = arguments.corpus or present(root)
    if unknown := [name for name in names if name not in CORPORA]:
        raise CorpusError(f"no corpus named {unknown[0]}: there are {', '.join(CORPORA)}")
    if not names:
        raise CorpusError(f"no corpus in {root}: set STREAMSER_CORPORA to the folder they are in")
    seen = []
    with Progress(console=Console(stderr=True)) as progress:
        for name in names:
            clips = CORPORA[name].read(root)
            task = progress.add_task(name, total=len(clips))
            found = look(clips, tick=lambda task=task: progress.advance(task))  # type: ignore[misc]
            if not found.clips:
                raise CorpusError(f"no clip of {name} can be read: see python -m train corpora")
            seen.append((found, draw(found, arguments.to)))
    index = arguments.to / "index.html"
    index.write_text(page(seen))
    print(f"wrote {index}: {len(seen)} corpora")
    return 0
