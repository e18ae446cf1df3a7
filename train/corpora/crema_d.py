"""CREMA-D: 91 American actors, 12 sentences, 6 emotions: `AudioWAV/1001_DFA_ANG_XX.wav`.

Name: actor, sentence, emotion, level. What listeners heard in them: train.corpora.votes.
"""

from __future__ import annotations

import re
from pathlib import Path

from train.corpora.clip import Clip
from train.corpora.reader import Reader

_NAME = re.compile(r"(10\d\d)_([A-Z]{3})_(ANG|DIS|FEA|HAP|NEU|SAD)_(XX|LO|MD|HI)")
_EMOTIONS = {
    "ANG": "angry",
    "DIS": "disgust",
    "FEA": "fearful",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}
_LEVELS = {"XX": "unspecified", "LO": "low", "MD": "medium", "HI": "high"}

# From VideoDemographics.csv; the rest are men.
# fmt: off
_WOMEN = frozenset(
    f"10{number:02}"
    for number in (
        2, 3, 4, 6, 7, 8, 9, 10, 12, 13, 18, 20, 21, 24, 25, 28, 29, 30, 37, 43, 46, 47, 49, 52,
        53, 54, 55, 56, 58, 60, 61, 63, 72, 73, 74, 75, 76, 78, 79, 82, 84, 89, 91,
    )
)
# fmt: on

_DROPPED = frozenset(
    {
        "1076_MTI_SAD_XX",  # silence
        # The same audio under two labels, so one of the two is wrong and nobody knows which.
        *("1006_TIE_HAP_XX", "1006_TIE_NEU_XX"),
        *("1013_WSI_DIS_XX", "1013_WSI_SAD_XX"),
        *("1017_IWW_ANG_XX", "1017_IWW_FEA_XX"),
    }
)


def checksums() -> dict[str, str]:
    """SHA-256 of the publisher's WAV files by name; the list suits `sha256sum --check` as well."""
    lines = Path(__file__).with_name("crema_d.sha256").read_text().splitlines()
    return {Path(path).stem: digest for digest, path in (line.split("  ") for line in lines)}


def names() -> set[str]:
    return checksums().keys() - _DROPPED


def parse(path: Path) -> Clip | None:
    match = _NAME.fullmatch(path.stem)
    if match is None or path.stem in _DROPPED:
        return None
    actor, sentence, emotion, level = match.groups()
    return Clip(
        path=path,
        corpus="crema_d",
        name=path.stem,
        speaker=actor,
        gender="female" if actor in _WOMEN else "male",
        language="en",
        emotion=_EMOTIONS[emotion],
        emotion_raw=emotion,
        intensity=_LEVELS[level],
        statement=sentence,
    )


READER = Reader(
    name="crema_d",
    parse=parse,
    clips=7435,
    names=names,
    folders=("CREMA-D-master",),
    download="https://github.com/CheyneyComputerScience/CREMA-D",
    licence="ODbL 1.0",
)
