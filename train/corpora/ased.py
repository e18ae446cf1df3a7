"""ASED: 65 Amharic speakers, 27 sentences, 5 emotions: `01Neutral/n1-01-01-01-01.wav`.

Name: emotion, sentence, repetition, gender (01 female), speaker.
"""

from __future__ import annotations

import re
from pathlib import Path

from train.corpora.clip import Clip
from train.corpora.reader import Reader

# One name begins with a capital: S4-04-02-01-29.
_NAME = re.compile(r"([nfhsaS])[1-5]-(\d\d)-(\d\d)-(0[12])-(\d\d)")
_EMOTIONS = {"n": "neutral", "f": "fearful", "h": "happy", "s": "sad", "a": "angry"}

# The same audio as their first repetitions.
_DUPLICATES = frozenset({"n1-07-02-02-53", "h3-01-02-02-08"})


def parse(path: Path) -> Clip | None:
    match = _NAME.fullmatch(path.stem)
    if match is None or path.stem in _DUPLICATES:
        return None
    emotion, sentence, repetition, gender, speaker = match.groups()
    return Clip(
        path=path,
        corpus="ased",
        name=path.stem,
        speaker=speaker,
        gender="female" if gender == "01" else "male",
        language="am",
        emotion=_EMOTIONS[emotion.lower()],
        emotion_raw=emotion,
        statement=sentence,
        repetition=repetition,
    )


READER = Reader(
    name="ased",
    parse=parse,
    clips=2472,
    folders=("ASED_V1", "ASED_V1-main"),
    download="https://github.com/Ethio2021/ASED_V1",
    licence="not stated (research)",
)
