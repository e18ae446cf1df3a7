"""The last minute as a row of lettered cells."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from itertools import groupby
from typing import NamedTuple

from streamser.outputs.palette import Glyphs, Ink, Line

SECONDS = 60.0


class Mark(NamedTuple):
    """What was heard in a stretch of time."""

    status: str
    """A status of an emotion event, or `lost`."""

    label: str | None = None


class Timeline:
    """Stretches of marked time, the last minute of them; whatever is unmarked had no voice."""

    def __init__(self) -> None:
        self._spans: deque[tuple[float, float, Mark]] = deque()

    def add(self, start: float, end: float, mark: Mark) -> None:
        """Mark the seconds from `start` to `end`, which follow everything marked before."""
        if self._spans:
            last_start, last_end, last_mark = self._spans[-1]
            start = max(start, last_end)
            if last_mark == mark and start - last_end < 0.01:
                self._spans.pop()
                start = last_start
        if end > start:
            self._spans.append((start, end, mark))
        while self._spans and self._spans[0][1] < end - 2 * SECONDS:
            self._spans.popleft()

    def cells(self, now: float, width: int) -> list[Mark | str]:
        """Return `width` cells, the last of which holds `now`: a mark, `silence` or `before`.

        Cells stand at multiples of their own duration, so they scroll and never flicker.
        """
        duration = SECONDS / width
        newest = int(now / duration)
        spans = list(self._spans)
        cells: list[Mark | str] = []
        for index in range(newest, newest - width, -1):
            begin = index * duration
            while spans and spans[-1][0] >= begin + duration:
                spans.pop()
            mark = _longest(spans, begin, begin + duration)
            cells.append(mark or ("silence" if index >= 0 else "before"))
        return cells[::-1]


def _longest(spans: list[tuple[float, float, Mark]], begin: float, end: float) -> Mark | None:
    """Return the mark that most of the time from `begin` to `end` has; the newest span is last."""
    best, best_overlap = None, 0.0
    for span_start, span_end, mark in reversed(spans):
        if span_end <= begin:
            break
        overlap = min(end, span_end) - max(begin, span_start)
        if overlap > best_overlap:
            best, best_overlap = mark, overlap
    return best


def row(cells: list[Mark | str], ink: Mapping[str, Ink], glyphs: Glyphs) -> Line:
    """Draw the cells: capitals are steady, small letters provisional."""
    spans = []
    for cell, run in groupby(cells):
        char, style = _look(cell, ink, glyphs)
        spans.append((char * len(list(run)), style))
    return tuple(spans)


def axis(width: int, glyphs: Glyphs) -> str:
    """Label the row: seconds ago."""
    line = [" "] * width
    marks = (60, 45, 30, 15) if width >= 56 else (60, 30)
    for seconds in marks:
        text = f"{glyphs.minus}{seconds} s"
        at = round((SECONDS - seconds) / SECONDS * width)
        line[at : at + len(text)] = text
    line[width - 3 :] = "now"
    return "".join(line)[:width]


def _look(cell: Mark | str, ink: Mapping[str, Ink], glyphs: Glyphs) -> tuple[str, str]:
    if cell == "before":
        return " ", ""
    if not isinstance(cell, Mark):
        return glyphs.rest, "dim"
    if cell.label is not None and cell.label in ink:
        look = ink[cell.label]
        if cell.status == "steady":
            return look.letter, look.block
        return look.letter.lower(), look.colour
    if cell.status == "lost":
        return glyphs.lost, "reverse"
    return ("?" if cell.status == "unknown" else "-"), ""
