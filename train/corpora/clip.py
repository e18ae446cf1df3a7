"""One recording of a corpus, and the labels all corpora are brought to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

EMOTIONS = ("neutral", "happy", "sad", "angry", "fearful", "disgust", "surprised")
"""The emotions a network is trained on."""

UNKNOWN = "unknown"
"""Emotion of what is no speech: sounds, rooms, roads."""

BOREDOM = "boredom"
"""An emotion of EmoDB that no network learns; held out to test rejection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A recording, described by its file and folder names alone.

    `None` stands for what the names do not tell.
    """

    path: Path
    corpus: str
    name: str
    """Unique in its corpus, the same whatever the file format or the nesting of the download."""

    speaker: str
    """Unique in its corpus; of a sound the recording or session it was cut from."""

    gender: str | None = None
    """`female` or `male`."""

    language: str | None = None
    """ISO 639-1."""

    emotion: str | None = None
    """One of EMOTIONS, BOREDOM or UNKNOWN; None for speech that nobody has labelled."""

    emotion_raw: str | None = None
    """As the publisher writes it in the name; tells RAVDESS' calm (`02`) from neutral (`01`)."""

    intensity: str | None = None
    statement: str | None = None
    """The sentence or word; the class of a sound."""

    repetition: str | None = None

    @property
    def key(self) -> str:
        """Unique over all corpora."""
        return f"{self.corpus}/{self.name}"

    @property
    def speaker_key(self) -> str:
        """Unique over all corpora; RAVDESS' actors are the same in speech and song."""
        return f"{self.corpus.removesuffix('_song')}:{self.speaker}"
