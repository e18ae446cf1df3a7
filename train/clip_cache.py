"""What is worked out of clips once and kept, a file per corpus."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from train.corpora.clip import Clip
from train.whole_file import whole_file

T = TypeVar("T")
Arrays = dict[str, NDArray[Any]]


class ClipCache(Generic[T]):
    """Reads and writes a `T` of each clip; an interruption loses the corpus it comes in."""

    def __init__(
        self,
        folder: Path,
        *,
        pack: Callable[[list[T]], Arrays],
        unpack: Callable[[Arrays], list[T]],
    ) -> None:
        """`pack` turns what belongs to some clips into arrays, `unpack` takes it out again."""
        self._folder = folder
        self._pack, self._unpack = pack, unpack

    def load(
        self,
        clips: Sequence[Clip],
        prepare: Callable[[], Callable[[Clip], T]],
        *,
        title: str,
        suffix: str = "",
    ) -> list[T]:
        """Return what belongs to `clips`, in their order; the files end in `suffix`.

        What `prepare` returns works out what is missing; it is asked only if something is.
        """
        found: dict[tuple[str, str], T] = {}
        for corpus in sorted({clip.corpus for clip in clips}):
            path = self._folder / f"{corpus}{suffix}.npz"
            kept = self._read(path) if path.exists() else {}
            missing = [c for c in clips if c.corpus == corpus and c.name not in kept]
            if missing:
                work = prepare()
                for clip in track(missing, title.format(corpus)):
                    kept[clip.name] = work(clip)
                self._write(path, kept)
            found |= {(corpus, name): item for name, item in kept.items()}
        return [found[clip.corpus, clip.name] for clip in clips]

    def _read(self, path: Path) -> dict[str, T]:
        with np.load(path) as stored:
            arrays = {name: stored[name] for name in stored.files}
        names = [str(name) for name in arrays.pop("names")]
        return dict(zip(names, self._unpack(arrays), strict=True))

    def _write(self, path: Path, kept: dict[str, T]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            np.savez(file, names=np.array(list(kept)), **self._pack(list(kept.values())))
