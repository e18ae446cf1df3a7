"""ShEMO: 87 Persian speakers from radio plays, 6 emotions: `male/M01A01.wav`.

Name: speaker's sex and number, first letter of the emotion (W for surprise, "wonder"), number.
"""

from __future__ import annotations

import re
from pathlib import Path

from train.corpora.clip import Clip
from train.corpora.reader import Reader

_NAME = re.compile(r"([FM]\d\d)([AFHNSW])(\d\d)")
_EMOTIONS = {
    "A": "angry",
    "F": "fearful",
    "H": "happy",
    "N": "neutral",
    "S": "sad",
    "W": "surprised",
}


def parse(path: Path) -> Clip | None:
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    speaker, emotion, number = match.groups()
    return Clip(
        path=path,
        corpus="shemo",
        name=path.stem,
        speaker=speaker,
        gender="female" if speaker.startswith("F") else "male",
        language="fa",
        emotion=_EMOTIONS[emotion],
        emotion_raw=emotion,
        statement=number,
    )


READER = Reader(
    name="shemo",
    parse=parse,
    clips=3000,
    folders=("ShEMO-master", "sharif-emotional-speech-dataset-master"),
    # The archives of its first home, github.com/mansourehk/ShEMO, are broken.
    download="https://github.com/pariajm/sharif-emotional-speech-dataset",
    licence="research only",
)
