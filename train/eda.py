"""What a corpus looks like before anything is learnt from it, as pictures and one page."""

from __future__ import annotations

import html
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import numpy as np
import soundfile
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from train.corpora.clip import Clip
from train.systems.sound import read

RATE = 16_000
"""Hertz at which wave forms and spectrograms are drawn."""

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Emotional speech corpora</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto }}
img {{ max-width: 100%; height: auto }}
table {{ border-collapse: collapse }}
td, th {{ padding: .2rem .8rem; text-align: right; border-bottom: 1px solid #ccc }}
td:first-child, th:first-child {{ text-align: left }}
</style></head><body>
<h1>Emotional speech corpora</h1>
<table><tr><th>corpus</th><th>clips</th><th>speakers</th><th>hours</th><th>median seconds</th>
<th>shortest</th><th>longest</th><th>native rates</th><th>formats</th></tr>
{rows}
</table>
{corpora}
</body></html>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One corpus: durations in seconds and native rates in hertz, clip by clip."""

    corpus: str
    clips: tuple[Clip, ...]
    seconds: tuple[float, ...]
    rates: tuple[int, ...]
    formats: tuple[str, ...]


def look(clips: Sequence[Clip], tick: Callable[[], None] = lambda: None) -> Look:
    """Read the headers of the clips of one corpus; those that cannot be read are left out.

    `tick` is called after each clip.
    """
    found = []
    for clip in clips:
        try:
            info = soundfile.info(clip.path)
            found.append((clip, info.duration, info.samplerate, f"{info.format} {info.subtype}"))
        except (OSError, soundfile.LibsndfileError):
            pass
        tick()
    kept, seconds, rates, formats = zip(*found, strict=True) if found else ((), (), (), ())
    return Look(corpus=clips[0].corpus, clips=kept, seconds=seconds, rates=rates, formats=formats)


def draw(seen: Look, folder: Path) -> list[Path]:
    """Write the pictures of a corpus; return their paths. Raises SourceError."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {"counts": _counts(seen), "clips": _one_each(seen)}
    paths = []
    for name, figure in pictures.items():
        paths.append(folder / f"{seen.corpus}-{name}.png")
        figure.savefig(paths[-1], dpi=100)
        plt.close(figure)
    return paths


def page(seen: Sequence[tuple[Look, Sequence[Path]]]) -> str:
    """One HTML page over all corpora, with the pictures beside it."""
    rows, sections = [], []
    for found, pictures in seen:
        rows.append(_row(found))
        images = "\n".join(f'<img src="{html.escape(p.name)}" alt="">' for p in pictures)
        sections.append(f"<h2>{html.escape(found.corpus)}</h2>\n{images}")
    return PAGE.format(rows="\n".join(rows), corpora="\n".join(sections))


def _row(seen: Look) -> str:
    cells = (
        seen.corpus,
        f"{len(seen.clips)}",
        f"{len({clip.speaker for clip in seen.clips})}",
        f"{sum(seen.seconds) / 3600:.2f}",
        f"{statistics.median(seen.seconds):.2f}",
        f"{min(seen.seconds):.2f}",
        f"{max(seen.seconds):.2f}",
        ", ".join(f"{rate} Hz" for rate in sorted(set(seen.rates))),
        ", ".join(sorted(set(seen.formats))),
    )
    return f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"


def _counts(seen: Look) -> Figure:
    figure, axes = plt.subplots(1, 4, figsize=(15, 3.2), layout="constrained")
    axes[0].hist(seen.seconds, bins=40)
    axes[0].set_xlabel("seconds")
    axes[0].set_ylabel("clips")
    _bars(axes[1], Counter(f"{rate} Hz" for rate in seen.rates))
    _bars(axes[2], Counter(clip.emotion or "none" for clip in seen.clips))
    _bars(axes[3], Counter(clip.gender or "unknown" for clip in seen.clips))
    for axis, title in zip(axes, ("durations", "native rates", "classes", "gender"), strict=True):
        axis.set_title(title)
    return figure


def _bars(axes: Axes, counts: Counter[str]) -> None:
    ordered = counts.most_common()
    bars = axes.barh([name for name, _ in ordered][::-1], [n for _, n in ordered][::-1])
    axes.bar_label(bars, padding=2)
    axes.margins(x=0.15)


def _one_each(seen: Look) -> Figure:
    """Wave form and spectrogram of the first clip of each class."""
    first: dict[str, Clip] = {}
    for clip in seen.clips:
        first.setdefault(clip.emotion or "none", clip)
    figure, axes = plt.subplots(
        2, len(first), figsize=(3 * len(first), 4.6), layout="constrained", squeeze=False
    )
    for column, (emotion, clip) in enumerate(sorted(first.items())):
        samples = read(clip.path, rate=RATE)
        top, bottom = axes[:, column]
        top.plot(np.arange(samples.size) / RATE, samples, linewidth=0.4)
        top.set_ylim(-1, 1)
        top.set_title(f"{emotion}\n{clip.name}", fontsize=8)
        bottom.specgram(samples + 1e-7, NFFT=400, noverlap=240, Fs=RATE, vmin=-140)
        bottom.set_xlabel("seconds")
    axes[0, 0].set_ylabel("amplitude")
    axes[1, 0].set_ylabel("hertz")
    return figure
