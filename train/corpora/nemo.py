"""nEMO: nine Polish actors, 90 sentences, 6 emotions: `samples/EB0_anger_1.wav`."""

from __future__ import annotations

import re
from pathlib import Path

from train.corpora.clip import Clip
from train.corpora.reader import Reader

_NAME = re.compile(r"([A-Z]{2}\d)_(anger|fear|happiness|neutral|sadness|surprised)_(\d+)")
_EMOTIONS = {"anger": "angry", "fear": "fearful", "happiness": "happy", "sadness": "sad"}
_WOMEN = frozenset({"EB0", "IC0", "KD0", "MK0"})


def parse(path: Path) -> Clip | None:
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    speaker, emotion, sentence = match.groups()
    return Clip(
        path=path,
        corpus="nemo",
        name=path.stem,
        speaker=speaker,
        gender="female" if speaker in _WOMEN else "male",
        language="pl",
        emotion=_EMOTIONS.get(emotion, emotion),
        emotion_raw=emotion,
        statement=sentence,
    )


READER = Reader(
    name="nemo",
    parse=parse,
    clips=4481,
    folders=("nEMO-main",),
    download="https://huggingface.co/datasets/amu-cai/nEMO",
    licence="CC BY-NC-SA 4.0",
)
