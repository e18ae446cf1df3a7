"""Readers for the corpora that networks are trained and evaluated on."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from train.corpora import (
    ased,
    crema_d,
    emodb,
    emospeech_background,
    emovo,
    esc10,
    nemo,
    ordinary_speech,
    ravdess,
    ravdess_song,
    savee,
    shemo,
    tess,
)
from train.corpora.clip import BOREDOM, EMOTIONS, UNKNOWN, Clip
from train.corpora.reader import CorpusError, Reader
from train.corpora.votes import voice_votes

__all__ = [
    "BOREDOM",
    "CORPORA",
    "EMOTIONS",
    "UNKNOWN",
    "Clip",
    "CorpusError",
    "Reader",
    "default_root",
    "present",
    "read",
    "voice_votes",
]

CORPORA: dict[str, Reader] = {
    module.READER.name: module.READER
    for module in (
        crema_d,
        ravdess,
        ravdess_song,
        tess,
        savee,
        emodb,
        emovo,
        shemo,
        nemo,
        ased,
        esc10,
        emospeech_background,
        ordinary_speech,
    )
}


def default_root() -> Path:
    """The folder that holds the corpora: $STREAMSER_CORPORA, else ../shared/corpora."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "corpora"
    return Path(os.environ.get("STREAMSER_CORPORA") or beside)


def present(root: Path | None = None) -> list[str]:
    """Names of the corpora that have a folder under `root`."""
    root = root or default_root()
    return [name for name, reader in CORPORA.items() if reader.find(root)]


def read(root: Path | None = None, names: Iterable[str] | None = None) -> list[Clip]:
    """The clips of the named corpora, of all that are present if none is named.

    Raises:
        CorpusError: a named corpus is unknown or absent, or none is present at all.
    """
    root = root or default_root()
    names = present(root) if names is None else list(names)
    if unknown := [name for name in names if name not in CORPORA]:
        raise CorpusError(f"no corpus named {unknown[0]}: there are {', '.join(CORPORA)}")
    if not names:
        raise CorpusError(f"no corpus in {root}: set STREAMSER_CORPORA to the folder they are in")
    return [clip for name in names for clip in CORPORA[name].read(root)]
