"""What the fronts make of the clips and their copies, kept on disk."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from train.corpora.clip import Clip
from train.recipe import RecipeError, call
from train.systems import sound
from train.systems.fronts import FRONTS
from train.systems.recipe import SystemRecipe
from train.whole_file import whole_file

Floats = NDArray[np.floating[Any]]

CHUNK = 500
"""Clips after which what is done is written, so that an interruption costs little."""


@dataclass(frozen=True, slots=True)
class Row:
    """A clip, or an augmented copy of it, as one example."""

    clip: Clip
    copy: str = ""

    @property
    def key(self) -> str:
        return f"{self.clip.key}#{self.copy}" if self.copy else self.clip.key


class Store:
    """Features of rows by one recipe's front; computed once, then read."""

    def __init__(self, folder: Path, recipe: SystemRecipe) -> None:
        settings = dict(recipe.features)
        self._read = {key: settings.pop(key) for key in ("offset", "seconds") if key in settings}
        self._read["rate"] = settings.pop("rate", 16_000)
        self._dtype = np.dtype(settings.pop("dtype", "float32"))
        self._front = settings
        self._copies = {copy["name"]: copy for copy in recipe.copies}
        for what, known, names in (
            ("[features]: no front", FRONTS, [settings.get("name", "")]),
            ("[[copies]]: no copy", sound.COPIES, list(self._copies)),
        ):
            if unknown := [name for name in names if name not in known]:
                raise RecipeError(f"{what} {unknown[0]}: there are {', '.join(known)}")
        self.folder = folder / _digest(recipe.features)

    def features(self, path: Path, copy: str = "", key: str = "") -> Floats:
        """What the front makes of one recording. Raises SourceError."""
        samples = sound.read(path, **self._read)
        if copy:
            augment, rate = sound.COPIES[copy], self._read["rate"]
            rng = sound.generator(key)
            samples = call(augment, self._copies[copy], samples, rate, rng, where=f"copy {copy}")
        front = FRONTS[self._front["name"]]
        found = call(front, self._front, samples, self._read["rate"], where="[features]")
        return found.astype(self._dtype)

    def load(self, rows: Sequence[Row]) -> Floats:
        """Return (rows, *shape); what is not on disk yet is computed."""
        parts: dict[str, NDArray[Any]] = {}
        for corpus, copy in sorted({(row.clip.corpus, row.copy) for row in rows}):
            mine = [row for row in rows if (row.clip.corpus, row.copy) == (corpus, copy)]
            parts |= self._group(corpus, copy, mine)
        return np.stack([parts[row.key] for row in rows])

    def compute(self, rows: Sequence[Row]) -> None:
        """Put on disk what is not there yet, corpus by corpus."""
        for corpus, copy in dict.fromkeys((row.clip.corpus, row.copy) for row in rows):
            mine = [row for row in rows if (row.clip.corpus, row.copy) == (corpus, copy)]
            self._group(corpus, copy, mine)

    def _group(self, corpus: str, copy: str, rows: Sequence[Row]) -> dict[str, NDArray[Any]]:
        made = f"-{copy}-{_digest(self._copies[copy])}" if copy else ""
        folder = self.folder / f"{corpus}{made}"
        cached: dict[str, NDArray[Any]] = {}
        for path in sorted(folder.glob("*.npz")):
            with np.load(path) as stored:
                cached |= dict(zip(stored["keys"].tolist(), stored["features"], strict=True))
        missing = [row for row in rows if row.key not in cached]
        title = f"{self._front['name']} of {corpus}{f', {copy}' if copy else ''}"
        fresh: dict[str, NDArray[Any]] = {}
        for row in track(missing, title, disable=not missing or not os.isatty(1)):
            fresh[row.key] = self.features(row.clip.path, copy, row.key)
            if len(fresh) == CHUNK:
                cached |= _write(folder, fresh)
                fresh = {}
        return cached | _write(folder, fresh)


def _write(folder: Path, fresh: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    if fresh:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{_digest(sorted(fresh))}.npz"
        with whole_file(path) as file:
            np.savez(file, keys=np.array(list(fresh)), features=np.stack(list(fresh.values())))
    return fresh


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
