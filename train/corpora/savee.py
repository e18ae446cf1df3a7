"""SAVEE: four British men, 15 sentences an emotion, 30 neutral: `AudioData/DC/a01.wav`.

A common copy has all in one folder: `ALL/DC_a01.wav`.
"""

from __future__ import annotations

import re
from pathlib import Path

from train.corpora.clip import Clip
from train.corpora.reader import Reader

_NAME = re.compile(r"(DC|JE|JK|KL)[_/]((a|d|f|h|n|sa|su)\d\d)")
_EMOTIONS = {
    "a": "angry",
    "d": "disgust",
    "f": "fearful",
    "h": "happy",
    "n": "neutral",
    "sa": "sad",
    "su": "surprised",
}


def names() -> set[str]:
    return {
        f"{speaker}_{emotion}{number:02}"
        for speaker in ("DC", "JE", "JK", "KL")
        for emotion in _EMOTIONS
        for number in range(1, 31 if emotion == "n" else 16)
    }


def parse(path: Path) -> Clip | None:
    match = _NAME.fullmatch(path.stem) or _NAME.fullmatch(f"{path.parent.name}/{path.stem}")
    if match is None:
        return None
    speaker, sentence, emotion = match.groups()
    return Clip(
        path=path,
        corpus="savee",
        name=f"{speaker}_{sentence}",
        speaker=speaker,
        gender="male",
        language="en",
        emotion=_EMOTIONS[emotion],
        emotion_raw=emotion,
        statement=sentence,
    )


READER = Reader(
    name="savee",
    parse=parse,
    clips=480,
    names=names,
    folders=("AudioData",),
    download="http://kahlan.eps.surrey.ac.uk/savee/Download.html",
    licence="research only",
)
