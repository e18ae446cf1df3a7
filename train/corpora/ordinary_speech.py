"""Speech that nobody labelled, gathered from the test data of four public repositories.

Voice activity test sets, a debate and court statements; each file keeps its repository's path.
"""

from __future__ import annotations

import re
from pathlib import Path

from train.corpora.clip import Clip
from train.corpora.reader import Reader

# Speakers are not named. The voice activity clips each have their own; the witnesses of the court
# statements come back from clip to clip, so all of them count as one speaker.
_SOURCES = (
    ("tenvad", re.compile(r"testset-audio-\d\d"), None),
    ("trial", re.compile(r"trial_(?:truth|lie)_\d{3}"), "trial"),
    ("nkululeko", re.compile(r"debate_sample"), None),
    ("silero", re.compile(r"test"), None),
)


def parse(path: Path) -> Clip | None:
    for source, pattern, speaker in _SOURCES:
        if pattern.fullmatch(path.stem):
            return Clip(
                path=path,
                corpus="ordinary_speech",
                name=path.stem,
                speaker=speaker or path.stem,
                language=None if source == "tenvad" else "en",
                statement=source,
            )
    return None


READER = Reader(
    name="ordinary_speech",
    parse=parse,
    clips=44,
    download="the test audio of TEN-framework/ten-vad, snakers4/silero-vad, felixbur/nkululeko",
    licence="mixed, research",
)
