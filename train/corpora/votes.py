"""What listeners who heard CREMA-D's voices alone took them for."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from train.corpora.crema_d import READER
from train.corpora.reader import CorpusError

_COLUMNS = {
    "angry": "A",
    "disgust": "D",
    "fearful": "F",
    "happy": "H",
    "neutral": "N",
    "sad": "S",
}

TABLE = "crema_d_voice_votes.csv"
"""Counts by canonical emotion, beside the corpus folder."""

PUBLISHED = Path("processedResults/tabulatedVotes.csv")
"""The publisher's counts, inside the corpus folder."""


def voice_votes(root: Path) -> dict[str, dict[str, float]]:
    """Clip name to the share of its listeners that named each emotion, shares summing to 1.

    Raises:
        CorpusError: neither table is there.
    """
    table = root / TABLE
    if table.is_file():
        return _shares(("name", row, {key: key for key in _COLUMNS}) for row in _rows(table))
    folder = READER.find(root)
    published = folder / PUBLISHED if folder else None
    if published is None or not published.is_file():
        raise CorpusError(
            f"no votes for CREMA-D in {root}: {PUBLISHED} comes with {READER.download}"
        )
    # The first column numbers the ratings: 1..... of the voice, 2..... of the face, 3..... of both.
    voice = (row for row in _rows(published) if row[""].startswith("1"))
    return _shares(("fileName", row, _COLUMNS) for row in voice)


def _rows(path: Path) -> Iterable[dict[str, str]]:
    with path.open(newline="") as file:
        yield from csv.DictReader(file)


def _shares(
    rows: Iterable[tuple[str, Mapping[str, str], Mapping[str, str]]],
) -> dict[str, dict[str, float]]:
    shares = {}
    for name, row, columns in rows:
        counts = {emotion: int(row[column]) for emotion, column in columns.items()}
        if total := sum(counts.values()):
            shares[row[name]] = {emotion: count / total for emotion, count in counts.items()}
    return shares
