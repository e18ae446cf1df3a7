"""EMOVO: six Italian actors, 14 sentences, 7 emotions: `EMOVO/f1/dis-f1-b1.wav`."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from train.corpora.clip import Clip
from train.corpora.reader import Reader

_NAME = re.compile(r"(dis|gio|neu|pau|rab|sor|tri)-([fm][123])-([bdln]\d)")
_EMOTIONS = {
    "dis": "disgust",  # disgusto
    "gio": "happy",  # gioia
    "neu": "neutral",
    "pau": "fearful",  # paura
    "rab": "angry",  # rabbia
    "sor": "surprised",  # sorpresa
    "tri": "sad",  # tristezza
}
_SPEAKERS = ("f1", "f2", "f3", "m1", "m2", "m3")
_SENTENCES = "b1 b2 b3 d1 d2 l1 l2 l3 l4 n1 n2 n3 n4 n5"


def names() -> set[str]:
    parts = itertools.product(_EMOTIONS, _SPEAKERS, _SENTENCES.split())
    return {"-".join(part) for part in parts}


def parse(path: Path) -> Clip | None:
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    emotion, speaker, sentence = match.groups()
    return Clip(
        path=path,
        corpus="emovo",
        name=path.stem,
        speaker=speaker,
        gender="female" if speaker.startswith("f") else "male",
        language="it",
        emotion=_EMOTIONS[emotion],
        emotion_raw=emotion,
        statement=sentence,
    )


READER = Reader(
    name="emovo",
    parse=parse,
    clips=588,
    names=names,
    download="http://voice.fub.it/activities/corpora/emovo/index.html",
    licence="research, with acknowledgement",
)
