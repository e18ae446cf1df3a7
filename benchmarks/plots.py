"""Draws what was measured, as SVG that is readable on light and on dark pages.

    python -m benchmarks.peers --json benchmarks/results/peers.json
    python -m benchmarks.latency --json benchmarks/results/latency.json
    python -m benchmarks.plots

writes `cost.svg` (a second of speech, log scale) and `latency.svg` (a distribution) beside them.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np

RESULTS = Path(__file__).parent / "results"

WIDTH = 760
LEFT, RIGHT = 310, 150
"""What labels and figures take beside the bars."""

ROW = 22

STYLE = """\
<style>
text { font: 13px system-ui, sans-serif; fill: #24292f }
.faint { fill: #6e7781; font-size: 11px }
.own { fill: #0a7d5a } .other { fill: #8c959f } .cold { opacity: 0.4 } .line { stroke: #d0d7de }
.curve { fill: none; stroke: #0a7d5a; stroke-width: 2 }
.bare { fill: none; stroke: #8c959f; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .faint { fill: #8d96a0 }
  .own { fill: #2fbf8f } .other { fill: #6e7681 } .line { stroke: #30363d }
  .curve { stroke: #2fbf8f }
}
</style>"""


def main() -> None:
    """Draw both."""
    peers = json.loads((RESULTS / "peers.json").read_text())
    (RESULTS / "cost.svg").write_text(cost(peers["ms_per_second_of_speech"]))
    latencies = json.loads((RESULTS / "latency.json").read_text())["ms"]
    (RESULTS / "latency.svg").write_text(latency(latencies["all"], latencies["bare recorder"]))


def cost(rows: list[dict[str, Any]]) -> str:
    """Return bars of the costs, cheapest first within each kind: hot, and behind it cold."""
    titles = {
        "emotion": "an emotion every 240 ms",
        "voice": "what else listens all the time",
        "features": "features alone",
    }
    hot = [row["hot"]["median"] for row in rows]
    low, high = 10 ** math.floor(math.log10(min(hot))), 10 ** math.ceil(math.log10(max(hot)))
    plot = WIDTH - LEFT - RIGHT

    def x(ms: float) -> float:
        return LEFT + plot * math.log(ms / low) / math.log(high / low)

    drawn, y = [], 30.0
    for kind, title in titles.items():
        y += ROW
        drawn.append(text(0, y - 6, title, "faint"))
        chosen = [row for row in rows if row["kind"] == kind]
        for row in sorted(chosen, key=lambda row: float(row["hot"]["median"])):
            warm, cold = row["hot"]["median"], row["cold"]["median"]
            colour = "own" if row["name"] in ("streamser", "streamser's MFCC alone") else "other"
            end, ratio = max(x(warm), x(cold)), warm / hot[0]
            times = f"x {ratio:.0f}" if ratio >= 10 else f"x {ratio:.1f}"
            drawn += [
                text(LEFT - 8, y + 14, row["name"], anchor="end"),
                bar(f"{colour} cold", y, x(cold)),
                bar(colour, y, x(warm)),
                text(end + 6, y + 14, f"{warm:.3g} to {cold:.3g} ms", "faint"),
                text(WIDTH, y + 14, times, "faint", anchor="end"),
            ]
            y += ROW
    ticks = []
    decade = low
    while decade <= high:
        ticks.append(vertical(x(decade), 30, y))
        ticks.append(text(x(decade), y + 16, f"{decade:g} ms", "faint", anchor="middle"))
        decade *= 10
    heading = text(0, 14, "Processor time per second of speech, one core: hot to cold caches (log)")
    return svg(y + 24, [heading, *ticks, *drawn])


def latency(ms: list[float], bare: list[float]) -> str:
    """Return the share of events that are there after so many milliseconds."""
    top, bottom, left, right = 34.0, 234.0, 50.0, WIDTH - 20.0
    widest = max(20.0, 10 * math.ceil(float(np.percentile(ms, 99.5)) / 10))
    step = next(size for size in (2, 5, 10, 20, 50, 100, 200, 500) if widest / size <= 12)

    def x(value: float) -> float:
        return left + (right - left) * min(value, widest) / widest

    def curve(values: list[float], colour: str) -> str:
        shares = np.linspace(0.0, 1.0, 201)
        points = zip(np.quantile(values, shares), shares, strict=True)
        path = " ".join(f"{x(v):.1f},{bottom + (top - bottom) * s:.1f}" for v, s in points)
        return f'<polyline class="{colour}" points="{path}"/>'

    drawn = [
        text(0, 14, f"From an event's last sample to its line at the reader ({len(ms)} events)")
    ]
    for share in (0.0, 0.5, 0.9, 1.0):
        y = bottom + (top - bottom) * share
        drawn.append(f'<line class="line" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>')
        drawn.append(text(left - 6, y + 4, f"{share:.0%}", "faint", anchor="end"))
    for value in np.arange(0, widest + 1, step):
        drawn.append(text(x(value), bottom + 16, f"{value:g} ms", "faint", anchor="middle"))
    drawn += [curve(bare, "bare"), curve(ms, "curve")]
    told = ", ".join(f"p{q} {np.percentile(ms, q):.1f}" for q in (50, 90, 99))
    own = np.percentile(bare, 50)
    drawn.append(text(left, bottom + 36, f"streamser: {told} ms", "own"))
    drawn.append(
        text(left + 330, bottom + 36, f"a bare recorder's blocks: p50 {own:.1f} ms", "other")
    )
    return svg(bottom + 44, drawn)


def text(x: float, y: float, content: str, colour: str = "", *, anchor: str = "start") -> str:
    """Return a line of text."""
    return (
        f'<text class="{colour}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
        f"{escape(content)}</text>"
    )


def bar(colour: str, y: float, end: float) -> str:
    """Return a bar from the left to `end`."""
    size = f'width="{max(0.0, end - LEFT):.1f}" height="{ROW - 6}"'
    return f'<rect class="{colour}" x="{LEFT}" y="{y + 3:.1f}" {size}/>'


def vertical(x: float, top: float, bottom: float) -> str:
    """Return a line of the grid."""
    return f'<line class="line" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>'


def svg(height: float, parts: list[str]) -> str:
    """Return the picture."""
    size = f'viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" height="{height:.0f}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    return "\n".join([head, STYLE, *parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    main()
