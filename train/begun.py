"""What a run was begun with, so that it goes on with nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from train.recipe import RecipeError
from train.whole_file import write_text

BEGUN = "begun.json"


def begin(folder: Path, *, split: str, settings: Mapping[str, Any]) -> None:
    """Note the hash of the split and the settings where a run begins; compare where it goes on.

    Until there is a checkpoint the settings may change. A run without a note, of an earlier
    version, goes on. Raises RecipeError.
    """
    require_split(folder, split)
    path = folder / BEGUN
    now = json.dumps({"split_sha256": split, "settings": settings}, indent=1)
    if not (folder / "checkpoints" / "checkpoint").exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_text(path, now + "\n")
    elif path.exists() and json.loads(path.read_text()) != json.loads(now):
        raise RecipeError(f"{folder}: begun with other settings; remove it to begin anew")


def require_split(folder: Path, split: str) -> None:
    """Raise RecipeError where the run in `folder` was begun with other clips."""
    path = folder / BEGUN
    if path.exists() and json.loads(path.read_text())["split_sha256"] != split:
        raise RecipeError(f"{folder}: begun with other clips; remove it to begin anew")
