"""What of a corpus is there, and whether each file can be heard."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from train.corpora.clip import Clip
from train.corpora.crema_d import checksums
from train.corpora.reader import Reader

LFS_POINTER = b"version https://git-lfs.github.com/spec"


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A file that training cannot use."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Counts of the clips of one corpus."""

    corpus: str
    folder: Path
    clips: int
    expected: int
    missing: tuple[str, ...]
    """Names, for corpora whose names are known; else see `expected`."""

    emotions: dict[str, int]
    speakers: dict[str, int]
    damaged: tuple[Damage, ...] | None = None
    """None where nobody looked."""


def survey(reader: Reader, root: Path) -> tuple[Survey, list[Clip]]:
    """Counts a corpus by names alone; also its clips.

    Raises:
        CorpusError: the corpus is not under `root`.
    """
    clips = reader.read(root)
    folder = reader.find(root)
    assert folder is not None
    found = Survey(
        corpus=reader.name,
        folder=folder,
        clips=len(clips),
        expected=reader.clips,
        missing=tuple(reader.missing(clips)),
        emotions=dict(sorted(Counter(clip.emotion or "unlabelled" for clip in clips).items())),
        speakers=dict(sorted(Counter(clip.speaker for clip in clips).items())),
    )
    return found, clips


def damages(clips: Iterable[Clip], tick: Callable[[], None] = lambda: None) -> list[Damage]:
    """The clips that do not decode or are silent, and CREMA-D's WAV files that were altered.

    `tick` is called after each clip.
    """
    sums: dict[str, str] | None = None
    found = []
    for clip in clips:
        reason = _damage(clip.path)
        if reason is None and clip.corpus == "crema_d" and clip.path.suffix.lower() == ".wav":
            sums = checksums() if sums is None else sums
            if hashlib.sha256(clip.path.read_bytes()).hexdigest() != sums.get(clip.name):
                reason = "is not the publisher's file: its SHA-256 differs"
        if reason is not None:
            found.append(Damage(path=clip.path, reason=reason))
        tick()
    return found


def _damage(path: Path) -> str | None:
    import soundfile

    try:
        with path.open("rb") as file:
            head = file.read(len(LFS_POINTER))
        if not head:
            return "is empty"
        if head == LFS_POINTER:
            return "is a Git LFS pointer instead of audio: run `git lfs pull`"
        with soundfile.SoundFile(path) as recording:
            if not recording.frames:
                return "has no samples"
            heard, frames = False, 0
            for block in recording.blocks(65536, dtype="float32"):
                if not np.isfinite(block).all():
                    return "has samples that are no numbers"
                heard, frames = heard or bool(np.any(block)), frames + len(block)
    except (OSError, soundfile.LibsndfileError) as error:
        return f"cannot be decoded: {error}"
    if frames < recording.frames:
        return f"breaks off after {frames} of {recording.frames} samples"
    return None if heard else "is silent"
