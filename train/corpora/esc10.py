"""ESC-10: sounds of ten classes, no speech: `001 - Dog bark/1-30226-A.ogg`.

Name: fold, Freesound recording, take. Takes of a recording share its fold.
"""

from __future__ import annotations

import re
from pathlib import Path

from train.corpora.clip import UNKNOWN, Clip
from train.corpora.reader import Reader

_NAME = re.compile(r"([1-5])-(\d+)-[A-Z]")
_CLASS = re.compile(r"0\d\d - .+")


def parse(path: Path) -> Clip | None:
    match = _NAME.fullmatch(path.stem)
    if match is None or not _CLASS.fullmatch(path.parent.name):
        return None
    fold, recording = match.groups()
    return Clip(
        path=path,
        corpus="esc10",
        name=path.stem,
        speaker=recording,
        emotion=UNKNOWN,
        statement=path.parent.name,
        repetition=f"fold{fold}",
    )


READER = Reader(
    name="esc10",
    parse=parse,
    clips=400,
    folders=("ESC-10-master",),
    download="https://github.com/karolpiczak/ESC-10",
    licence="CC BY 3.0",
)
