"""RAVDESS: 24 Canadian actors, two sentences, spoken and sung: `Actor_01/03-01-05-01-02-01-01.wav`.

Name: modality, channel (01 speech, 02 song), emotion, intensity, statement, repetition, actor.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from train.corpora.clip import Clip
from train.corpora.reader import Reader

_NAME = re.compile(r"03-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(\d\d)")
_EMOTIONS = {
    "01": "neutral",
    "02": "neutral",  # calm
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgust",
    "08": "surprised",
}

# The same audio as its first repetition, 03-01-03-01-02-01-07.
_DUPLICATE = "03-01-03-01-02-02-07"


def names_of(channel: str, emotions: int, actors: set[int]) -> Iterator[str]:
    """Names of a channel; neutral, the first of the emotions, has no strong intensity."""
    for emotion, intensity, statement, repetition, actor in itertools.product(
        range(1, emotions + 1), (1, 2), (1, 2), (1, 2), sorted(actors)
    ):
        if (emotion, intensity) != (1, 2):
            numbers = (emotion, intensity, statement, repetition, actor)
            yield "-".join(["03", channel, *(f"{number:02}" for number in numbers)])


def names() -> set[str]:
    return set(names_of("01", 8, set(range(1, 25)))) - {_DUPLICATE}


def parse_channel(path: Path, channel: str, corpus: str) -> Clip | None:
    """A clip of `corpus` if its name says `channel`: speech and song may share one folder."""
    match = _NAME.fullmatch(path.stem)
    if match is None or match[1] != channel or path.stem == _DUPLICATE:
        return None
    _, emotion, intensity, statement, repetition, actor = match.groups()
    return Clip(
        path=path,
        corpus=corpus,
        name=path.stem,
        speaker=f"Actor_{actor}",
        gender="male" if int(actor) % 2 else "female",
        language="en",
        emotion=_EMOTIONS[emotion],
        emotion_raw=emotion,
        intensity="strong" if intensity == "02" else "normal",
        statement=statement,
        repetition=repetition,
    )


def parse(path: Path) -> Clip | None:
    return parse_channel(path, "01", "ravdess")


READER = Reader(
    name="ravdess",
    parse=parse,
    clips=1439,
    names=names,
    folders=("ravdess_speech", "Audio_Speech_Actors_01-24"),
    download="https://zenodo.org/records/1188976 (Audio_Speech_Actors_01-24.zip)",
    licence="CC BY-NC-SA 4.0",
)
