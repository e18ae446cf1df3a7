"""The terminal dashboard: a pure picture of its state for a given size."""

from __future__ import annotations

import functools

from streamser.outputs import timeline, verdict
from streamser.outputs.palette import (
    GREEN,
    ORANGE,
    SKY,
    UNICODE,
    VERMILLION,
    Glyphs,
    Line,
    Span,
    printable,
)
from streamser.outputs.state import State

_WIDE = 76
_LEAST_LEFT = 26
_GAUGES_BESIDE = 64


def render(state: State, width: int, height: int, glyphs: Glyphs = UNICODE) -> list[Line]:
    """Draw the state on exactly `height` lines of exactly `width` cells.

    What matters most stays when room is short: verdict, bars, timeline, level, figures.
    """
    margin = 1 if width >= 60 else 0
    inner = max(1, width - 2 * margin)
    picture = _compose(state, inner, height, glyphs)[:height]
    picture += [()] * (height - len(picture))
    return [fit(((" " * margin, ""), *line), width) for line in picture]


@functools.lru_cache(maxsize=128)  # most lines stay as they were in the picture before
def fit(line: Line, width: int) -> Line:
    """Cut or pad the line to `width` cells, wide characters counted as two."""
    from rich.cells import cell_len, set_cell_size

    spans: list[Span] = []
    for text, style in line:
        size = cell_len(text)
        if size > width:
            text, size = set_cell_size(text, width), width
        if size:
            spans.append((text, style))
        width -= size
    if width:
        spans.append((" " * width, ""))
    return tuple(spans)


def _compose(state: State, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    figures = _figures(state, width, glyphs)
    rows = max(1, min(len(state.ink), height - 4 - len(figures)))
    spare = height - 4 - len(figures) - rows
    beside = width >= _GAUGES_BESIDE
    granted = set()
    for part, cost in (
        ("model", 0 if _model_fits(state, width) else 1),
        ("axis", 1),
        ("foot", 1),
        ("gap", 3),
        ("banner", 2),
        ("gauges", 0 if beside else 2),
        ("rule", 1),
        ("log", 3),
        ("gap above the log", 1),
    ):
        if cost <= spare:
            granted.add(part)
            spare -= cost
    gap: list[Line] = [()] if "gap" in granted else []
    head = verdict.headline(state.emotion, state.speaking, state.now, state.ink)
    block = verdict.banner(head, 3 if "banner" in granted else 1, width)
    if "gauges" in granted:
        scale = 21 if beside else max(5, width - 16)
        gauges = verdict.gauges(state.emotion, state.speaking, scale, glyphs)
        if not beside:
            block += gauges
        elif "banner" in granted:
            block[0], block[2] = (
                _ends(line, gauged, width) for line, gauged in zip(block[::2], gauges, strict=True)
            )
    cells = timeline.row(state.timeline.cells(state.now, width), state.ink, glyphs)
    labels = list(state.ink)
    return [
        _header(state, width, glyphs),
        *([(_model(state),)] if "model" in granted and not _model_fits(state, width) else []),
        *([((glyphs.rule * width, "dim"),)] if "rule" in granted else []),
        *block,
        *gap,
        *verdict.bars(
            labels, state.emotion, state.speaking, state.ink,
            rows=rows, width=width, glyphs=glyphs,
        ),
        *gap,
        cells,
        *([((timeline.axis(width, glyphs), "dim"),)] if "axis" in granted else []),
        *gap,
        _voice(state, width, glyphs),
        *figures,
        *([()] if "gap above the log" in granted else []),
        *(_log(state, 3 + spare, width) if "log" in granted else [()] * spare),
        *([_foot(state, width)] if "foot" in granted else []),
    ]  # fmt: skip


def _header(state: State, width: int, glyphs: Glyphs) -> Line:
    if state.lost is not None:
        left: Line = (
            (f" {glyphs.lost} NO AUDIO ", "bold reverse"),
            (f" {state.source}: {state.lost}", ""),
        )
    elif state.ended:
        left = ((f"{glyphs.stop} ENDED", "bold"), (f"  {state.source}", ""))
    elif state.live:
        left = ((f"{glyphs.on} LISTENING", f"bold {VERMILLION}"), (f"  {state.source}", ""))
    else:
        left = ((f"{glyphs.play} PLAYING", f"bold {SKY}"), (f"  {state.source}", ""))
    if not _model_fits(state, width):
        return left
    rate = f"{state.native_rate / 1000:g} kHz  " if state.native_rate and width >= _WIDE else ""
    return _ends(left, ((rate, "dim"), _model(state)), width)


def _model(state: State) -> Span:
    if state.model is None:
        return "", ""
    return f"{printable(state.model.name)} {printable(state.model.version)}", "dim"


def _model_fits(state: State, width: int) -> bool:
    """Return whether the model can be named beside the source."""
    return len(_model(state)[0]) + _LEAST_LEFT <= width


def _voice(state: State, width: int, glyphs: Glyphs) -> Line:
    heard: Span = (f"{glyphs.off} no voice ", "dim")
    if state.speaking:
        heard = (f"{glyphs.on} voice    ", f"bold {GREEN}")
    return (
        heard,
        *state.level.row(max(1, width - 20), glyphs),
        (f" {state.level.text(glyphs)}", "" if state.level.dbfs is not None else "dim"),
    )


def _figures(state: State, width: int, glyphs: Glyphs) -> list[Line]:
    health = state.health
    if health is None:
        return [(("latency: measuring", "dim"),)]
    latency = "latency: no audio yet"
    if health.latency_ms is not None:
        p = health.latency_ms
        latency = f"latency p50 {p.p50:.1f}  p95 {p.p95:.1f}  p99 {p.p99:.1f} ms"
    keeping_up = health.lag_s < 0.5 and not health.overruns
    lag = f"lag {health.lag_s:.2f} s  overruns {health.overruns}"
    if health.dropped_s:
        lag += f" ({health.dropped_s:.1f} s lost)"
    load = f"cpu {health.cpu * 100:.0f} %"
    if health.rss_mb is not None and not _WIDE <= width < _WIDE + 8:
        load += f"  {health.rss_mb:.0f} MB"
    style = "dim" if keeping_up else f"bold {ORANGE}"
    if width >= _WIDE:
        between = f"  {glyphs.separator}  "
        return [((latency + between, "dim"), (lag, style), (between + load, "dim"))]
    if width >= 40:
        return [((latency, "dim"),), ((lag, style), (f"  {load}", "dim"))]
    return [((latency, "dim"),), ((lag, style),)]


def _log(state: State, rows: int, width: int) -> list[Line]:
    heading: Line = ((f"utterances {state.verdicts.total() or 'so far: none'}", "dim"),)
    lines = [heading, *verdict.log(state.utterances, state.ink, rows - 1, width)]
    return lines + [()] * (rows - len(lines))


def _foot(state: State, width: int) -> Line:
    left: Span = (state.notice, "bold")
    if not state.notice and width >= _WIDE:
        left = ("CAPITALS steady  small provisional  ? unknown  - warming up", "dim")
    return _ends((left,), ((f"{verdict.clock(state.now)}  q quits", "dim"),), width)


def _ends(left: Line, right: Line, width: int) -> Line:
    """Put `right` at the right edge; `left` is cut where they would meet."""
    taken = sum(len(text) for text, _ in right)
    if taken + _LEAST_LEFT > width + 1:
        return left
    return (*fit(left, width - taken - 1), (" ", ""), *right)
