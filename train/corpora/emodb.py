"""EmoDB (Berlin): ten German actors, ten sentences: `wav/03a01Fa.wav`.

Name: speaker, sentence, first letter of the German emotion, version.
"""

from __future__ import annotations

import re
from pathlib import Path

from train.corpora.clip import BOREDOM, Clip
from train.corpora.reader import Reader

_NAME = re.compile(r"(\d\d)([ab]\d\d)([FNWTALE])([a-f])")
_EMOTIONS = {
    "F": "happy",  # Freude
    "N": "neutral",
    "W": "angry",  # Wut, also Aerger
    "T": "sad",  # Trauer
    "A": "fearful",  # Angst
    "L": BOREDOM,  # Langeweile
    "E": "disgust",  # Ekel
}
_WOMEN = frozenset({"08", "09", "13", "14", "16"})


def parse(path: Path) -> Clip | None:
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    speaker, sentence, emotion, version = match.groups()
    return Clip(
        path=path,
        corpus="emodb",
        name=path.stem,
        speaker=speaker,
        gender="female" if speaker in _WOMEN else "male",
        language="de",
        emotion=_EMOTIONS[emotion],
        emotion_raw=emotion,
        statement=sentence,
        repetition=version,
    )


READER = Reader(
    name="emodb",
    parse=parse,
    clips=535,
    folders=("emo-db", "berlin"),
    download="http://emodb.bilderbar.info/download/",
    licence="free to use, CC0 since its 2.0",
)
