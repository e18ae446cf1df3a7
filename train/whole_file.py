"""Files that are there as a whole or not at all, whatever ends the writing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to write to, which takes the place of `path` once all is written."""
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as file:
        yield file
    partial.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write a file of text as a whole."""
    with whole_file(path) as file:
        file.write(text.encode())
