"""What every corpus reader is made of: where the corpus lies and how its names are parsed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from train.corpora.clip import Clip

SUFFIXES = frozenset({".wav", ".flac", ".opus", ".ogg", ".mp3", ".aiff", ".aif"})


class CorpusError(Exception):
    """A corpus is not where it was looked for; the message is one line for the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Turns a corpus folder, as its publisher lays it out, into clips."""

    name: str
    parse: Callable[[Path], Clip | None]
    """From a path inside the corpus folder; None where the file is no clip to use."""

    clips: int
    """How many clips `read` finds in the complete corpus."""

    download: str
    """Address for the user."""

    licence: str
    folders: tuple[str, ...] = ()
    """Further names the download may have; case, blanks and punctuation do not matter."""

    def find(self, root: Path) -> Path | None:
        """The corpus folder under `root`; None if there is none."""
        wanted = [_plain(name) for name in (self.name, *self.folders)]
        found = {_plain(folder.name): folder for folder in _folders(root)}
        return next((found[name] for name in wanted if name in found), None)

    def read(self, root: Path) -> list[Clip]:
        """All clips of the corpus under `root`, sorted by name.

        Some downloads hold everything twice, or in two formats: of a name the first path counts.

        Raises:
            CorpusError: there is no such folder, or nothing of the corpus in it.
        """
        folder = self.find(root)
        clips: dict[str, Clip] = {}
        for path in _recordings(folder) if folder else ():
            clip = self.parse(path.relative_to(folder))
            if clip is not None and clip.name not in clips:
                clips[clip.name] = dataclasses.replace(clip, path=path)
        if not clips:
            what = f"no clip of {self.name} in {folder}" if folder else f"no {self.name} in {root}"
            raise CorpusError(f"{what}: download it from {self.download} into {root / self.name}")
        return [clips[name] for name in sorted(clips)]


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []


def _recordings(folder: Path) -> Iterator[Path]:
    # macOS archives carry "._name.wav" stubs beside the recordings.
    return (
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))
