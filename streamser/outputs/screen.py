"""Puts lines on a terminal; only lines that changed are written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.control import Control
from rich.segment import Segment

from streamser.outputs.palette import ASCII, UNICODE, Glyphs, Line


class Screen:
    """The alternate screen of a console, for as long as the `with` block lasts."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.glyphs: Glyphs = ASCII if console.options.ascii_only else UNICODE
        self._shown: list[Line] = []
        self._size = (0, 0)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows of the terminal now."""
        return self.console.width, self.console.height

    def draw(self, lines: Sequence[Line]) -> None:
        """Show the lines, from the top; after a change of size, all of them anew."""
        if self.size != self._size:
            self._size, self._shown = self.size, []
            self.console.control(Control.clear())
        shown = self._shown
        changed = [
            (row, line) for row, line in enumerate(lines) if row >= len(shown) or shown[row] != line
        ]
        if changed:
            self.console.print(_Rows(changed), end="", crop=False)
        self._shown = list(lines)

    def __enter__(self) -> Screen:
        self.console.set_alt_screen(True)
        self.console.show_cursor(False)
        return self

    def __exit__(self, *raised: object) -> None:
        self.console.show_cursor(True)
        self.console.set_alt_screen(False)


class _Rows:
    """Lines at their rows, as a renderable."""

    def __init__(self, rows: Iterable[tuple[int, Line]]) -> None:
        self._rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for row, line in self._rows:
            yield Control.move_to(0, row).segment
            for text, style in line:
                yield Segment(text, console.get_style(style))
