"""Colours, letters and glyphs of the dashboard: colour-blind safe, and readable without colour."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

Span = tuple[str, str]
"""Text and its rich style."""

Line = tuple[Span, ...]

# Okabe and Ito, "Color Universal Design", 2008: eight colours that stay apart under every common
# colour vision deficiency.
ORANGE, SKY, GREEN, YELLOW = "#e69f00", "#56b4e9", "#009e73", "#f0e442"
BLUE, VERMILLION, PURPLE, GREY = "#0072b2", "#d55e00", "#cc79a7", "#999999"

_FAMILIAR = {
    "neutral": GREY,
    "happy": YELLOW,
    "sad": BLUE,
    "angry": VERMILLION,
    "fearful": PURPLE,
    "disgust": GREEN,
    "surprised": SKY,
    "calm": ORANGE,
}
_SPARE = (ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILLION, PURPLE)
_WHITE_INK = {BLUE, VERMILLION, GREEN}

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Ink:
    """How one label looks."""

    letter: str
    """Unique among the labels, so that the timeline reads without colour."""

    colour: str

    @property
    def block(self) -> str:
        """Style of text on a field of the label's colour."""
        return f"bold {'#ffffff' if self.colour in _WHITE_INK else '#000000'} on {self.colour}"


def inks(labels: Iterable[str]) -> dict[str, Ink]:
    """Give every label its colour and the first of its letters that no other label has."""
    chosen: dict[str, Ink] = {}
    taken: set[str] = set()
    for position, label in enumerate(labels):
        if label == UNKNOWN:
            chosen[label] = Ink("?", GREY)
            continue
        free = (letter for letter in label.upper() if letter.isalpha() and letter not in taken)
        letter = next(free, str(position % 10))
        taken.add(letter)
        chosen[label] = Ink(letter, _FAMILIAR.get(label, _SPARE[position % len(_SPARE)]))
    return chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Glyphs:
    """The characters that pictures are made of."""

    full: str
    eighths: str
    """Bars of growing width below `full`; empty where only whole cells can be drawn."""

    past: str
    """A bar of the utterance before."""

    rest: str
    """No voice in a cell of the timeline; also the empty part of a gauge."""

    peak: str
    centre: str
    pointer: str
    rule: str
    on: str
    off: str
    play: str
    lost: str
    stop: str
    minus: str
    separator: str


UNICODE = Glyphs(
    full="█", eighths="▏▎▍▌▋▊▉", past="░", rest="·", peak="▏", centre="┼", pointer="●",
    rule="─", on="●", off="○", play="▶", lost="✕", stop="■", minus="\u2212", separator="·",
)  # fmt: skip

ASCII = Glyphs(
    full="#", eighths="", past="=", rest=".", peak="|", centre="+", pointer="o",
    rule="-", on="*", off="o", play=">", lost="x", stop="=", minus="-", separator="|",
)  # fmt: skip


def printable(text: str) -> str:
    """Return `text` on one line and without control characters: names come from outside."""
    return "".join(char if char.isprintable() else "?" for char in text)
