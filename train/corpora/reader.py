"""What every corpus reader is made of: where the corpus lies and how its names are parsed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
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

    names: Callable[[], Iterable[str]] | None = None
    """The names of all of them, where they are known beforehand."""

    download: str
    """Address for the user."""

    licence: str
    folders: tuple[str, ...] = ()
    """Further names the download may have; case, blanks and punctuation do not matter."""

    def find(self, root: Path) -> Path | None:
        """The folder under `root` that holds clips of the corpus; None if there is none."""
        wanted = [_plain(name) for name in (self.name, *self.folders)]
        found = {_plain(folder.name): folder for folder in _folders(root)}
        candidates = (found[name] for name in wanted if name in found)
        return next((folder for folder in candidates if any(self._clips(folder))), None)

    def read(self, root: Path) -> list[Clip]:
        """All clips of the corpus under `root`, sorted by name.

        Some downloads hold everything twice, or in two formats: of a name the first path counts.

        Raises:
            CorpusError: there is none.
        """
        folder = self.find(root)
        if folder is None:
            raise CorpusError(
                f"no {self.name} in {root}: download it from {self.download} into a folder of "
                f"that name"
            )
        clips: dict[str, Clip] = {}
        for clip in self._clips(folder):
            clips.setdefault(clip.name, clip)
        return [clips[name] for name in sorted(clips)]

    def missing(self, clips: Iterable[Clip]) -> list[str]:
        """Names that the complete corpus has and `clips` have not, where names are known."""
        return sorted(set(self.names() if self.names else ()) - {clip.name for clip in clips})

    def _clips(self, folder: Path) -> Iterator[Clip]:
        for path in _recordings(folder):
            if (clip := self.parse(path.relative_to(folder))) is not None:
                yield dataclasses.replace(clip, path=path)


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
