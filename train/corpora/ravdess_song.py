"""RAVDESS' sung part, by the same actors but number 18, without disgust and surprise."""

from __future__ import annotations

from pathlib import Path

from train.corpora.clip import Clip
from train.corpora.ravdess import names_of, parse_channel
from train.corpora.reader import Reader


def names() -> set[str]:
    return set(names_of("02", 6, set(range(1, 25)) - {18}))


def parse(path: Path) -> Clip | None:
    return parse_channel(path, "02", "ravdess_song")


READER = Reader(
    name="ravdess_song",
    parse=parse,
    clips=1012,
    names=names,
    folders=("Audio_Song_Actors_01-24", "ravdess"),
    download="https://zenodo.org/records/1188976 (Audio_Song_Actors_01-24.zip)",
    licence="CC BY-NC-SA 4.0",
)
