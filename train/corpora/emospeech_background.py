"""Three-second recordings by EmoSpeech's phones: rooms, roads, metro, screams, some far speech.

Name: `background-EVENT-MOOD-TIME-USER`, in a folder for the place: Roads, House, Metro.
"""

from __future__ import annotations

import re
from pathlib import Path

from train.corpora.clip import UNKNOWN, Clip
from train.corpora.reader import Reader

_NAME = re.compile(r"background-([a-z ]+)-(\w+)-(\d{13,14})-([0-9a-f]+)")


def parse(path: Path) -> Clip | None:
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    event, mood, time, user = match.groups()
    # Phones write a date and all have one user; the web service writes milliseconds and many.
    # Recordings of one day overlap in place and sound, so a day is what a split keeps together.
    day_or_user = time[:8] if len(time) == 14 else user[:12]
    return Clip(
        path=path,
        corpus="emospeech_background",
        name=path.stem,
        speaker=day_or_user,
        emotion=UNKNOWN,
        emotion_raw=mood,
        statement=path.parent.name if event == "safe" else event,
        repetition=event,
    )


READER = Reader(
    name="emospeech_background",
    parse=parse,
    clips=384,
    folders=("emospeech-dataset-v1", "emospeech-dataset-v1-master"),
    download="https://github.com/RakshakTeam/emospeech-dataset-v1",
    licence="CC BY-NC-SA 4.0",
)
