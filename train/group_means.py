"""Means in which each group of speakers counts once, however many networks were tested on it."""

from __future__ import annotations

import re
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence

from train import encoders
from train.folds import POOLED
from train.results import Record
from train.splits import DEALT

TURNS = {
    "pooled": {corpus: len(groups) for corpus, groups in POOLED.items()},
    "emobox": encoders.EMOBOX_FOLDS,
}
"""How many groups of its speakers a corpus holds out in turn; then they begin anew."""


def mean(records: Sequence[Record], key: str) -> float | None:
    """Mean over the groups of speakers that were tested, each once; None if there is none.

    What several networks make of a group counts as their mean. A bundle's figure is the mean of
    its corpora of speech, each of which has groups of its own.
    """
    if not records:
        return None
    if all("model" in record for record in records):
        corpora = {name for record in records for name in record["by_corpus"]}
        speech = sorted(name for name in corpora if not name.endswith("_song"))
        values = [statistics.mean(by_group(records, corpus, key)) for corpus in speech]
    else:
        same = defaultdict(list)
        for record in records:
            tested = tuple(_group(record, corpus) for corpus in record["by_corpus"])
            same[tested].append(record[key])
        values = [statistics.mean(found) for found in same.values()]
    return round(statistics.mean(values), 2)


def by_group(records: Iterable[Record], corpus: str, key: str) -> list[float]:
    """A figure of a corpus on each group of its speakers, the mean of all who were tested on it."""
    found = defaultdict(list)
    for record in records:
        if corpus in record["by_corpus"]:
            found[_group(record, corpus)].append(record["by_corpus"][corpus][key])
    return [statistics.mean(figures) for figures in found.values()]


def _group(record: Record, corpus: str) -> int | str:
    """What tells the group of speakers of a corpus that was tested from its others."""
    turn = re.search(r"(pooled|emobox)-(\d+)", record["split"])
    if turn is None:
        return str(record["split"])
    return (int(turn[2]) - 1) % TURNS[turn[1]].get(corpus, DEALT)
