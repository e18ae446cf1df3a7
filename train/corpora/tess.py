"""TESS: two Canadian actresses, "Say the word ..." with 200 words: `OAF_angry/OAF_back_angry.wav`.

OAF is the older, YAF the younger one.
"""

from __future__ import annotations

import re
from pathlib import Path

from train.corpora.clip import Clip
from train.corpora.reader import Reader

# OA_bite_neutral is a misprint of OAF_bite_neutral.
_NAME = re.compile(r"(OAF?|YAF)_([a-z]+)_(angry|disgust|fear|happy|neutral|ps|sad)")
_EMOTIONS = {"fear": "fearful", "ps": "surprised"}


def parse(path: Path) -> Clip | None:
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    actress, word, emotion = match.groups()
    return Clip(
        path=path,
        corpus="tess",
        name=path.stem,
        speaker="YAF" if actress == "YAF" else "OAF",
        gender="female",
        language="en",
        emotion=_EMOTIONS.get(emotion, emotion),
        emotion_raw=emotion,
        statement=word,
    )


READER = Reader(
    name="tess",
    parse=parse,
    clips=2800,
    folders=("TESS Toronto emotional speech set data", "dataverse_files"),
    download="https://doi.org/10.5683/SP2/E8H2MF",
    licence="CC BY-NC-ND 4.0",
)
