"""Bars, gauges and the level meter."""

from __future__ import annotations

from streamser.outputs.palette import GREEN, ORANGE, VERMILLION, Glyphs, Line

FLOOR_DBFS = -60.0
_HOT_DBFS = -9.0
_CLIPPING_DBFS = -2.0
_PEAK_HOLD = 1.5


def bar(fraction: float, width: int, glyphs: Glyphs) -> str:
    """Return a bar of `width` cells, filled from the left to the eighth of a cell."""
    steps = len(glyphs.eighths) + 1
    filled = round(min(1.0, max(0.0, fraction)) * width * steps)
    whole, part = divmod(filled, steps)
    drawn = glyphs.full * whole + (glyphs.eighths[part - 1] if part else "")
    return drawn.ljust(width)


def gauge(value: float, width: int, glyphs: Glyphs) -> str:
    """Return a scale from -1 to 1 with a pointer at `value`."""
    cells = [glyphs.rest] * width
    cells[width // 2] = glyphs.centre
    cells[round((min(1.0, max(-1.0, value)) + 1) / 2 * (width - 1))] = glyphs.pointer
    return "".join(cells)


class Level:
    """The level of the last hop, and the highest of late."""

    def __init__(self) -> None:
        self.dbfs: float | None = None
        """None for digital silence and before the first hop."""

        self._peak = FLOOR_DBFS
        self._peak_t = 0.0

    def push(self, dbfs: float | None, t: float) -> None:
        """Take the level at sample time `t`."""
        self.dbfs = dbfs
        level = FLOOR_DBFS if dbfs is None else dbfs
        if level >= self._peak or t - self._peak_t > _PEAK_HOLD:
            self._peak, self._peak_t = level, t

    def row(self, width: int, glyphs: Glyphs) -> Line:
        """Draw `width` cells from -60 to 0 dBFS: green, orange when loud, red where it clips."""
        drawn = bar(_fraction(self.dbfs), width, glyphs)
        peak = min(width - 1, int(_fraction(self._peak) * width))
        if peak and drawn[peak] == " ":
            drawn = drawn[:peak] + glyphs.peak + drawn[peak + 1 :]
        hot, clipping = (int(_fraction(dbfs) * width) for dbfs in (_HOT_DBFS, _CLIPPING_DBFS))
        return (
            (drawn[:hot], GREEN),
            (drawn[hot:clipping], ORANGE),
            (drawn[clipping:], VERMILLION),
        )

    def text(self, glyphs: Glyphs) -> str:
        """Return the level in words, eight characters."""
        if self.dbfs is None:
            return " silent "
        return f"{self.dbfs:+.0f} dBFS".replace("-", glyphs.minus).rjust(8)


def _fraction(dbfs: float | None) -> float:
    return 0.0 if dbfs is None else min(1.0, max(0.0, 1.0 - dbfs / FLOOR_DBFS))
