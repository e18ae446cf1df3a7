"""What the voice sounds like: the verdict, the bars of all labels, the utterances so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from streamser.outputs.meter import bar, gauge
from streamser.outputs.palette import Glyphs, Ink, Line

if TYPE_CHECKING:
    from streamser.events import Emotion, Utterance

_BANNER = 18


def clock(seconds: float) -> str:
    """Return sample time as minutes, seconds and tenths."""
    tenths = round(max(0.0, seconds) * 10)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def percent(share: float) -> str:
    """Return a probability as whole percents, five characters."""
    return f"{share * 100:3.0f} %"


def name(emotion: Emotion) -> str:
    """Return the verdict in one word: in capitals when steady, as the timeline has it."""
    if emotion.label is None:
        return "unknown" if emotion.status == "unknown" else "warming up"
    return emotion.label.upper() if emotion.status == "steady" else emotion.label


def headline(
    emotion: Emotion | None, speaking: bool, now: float, ink: Mapping[str, Ink]
) -> tuple[str, str, str]:
    """Return the verdict of this moment, its style, and the words beside it."""
    if speaking:
        if emotion is None:
            return "listening", "bold", "voice heard, too little to judge"
        if emotion.label is None:
            beside = "too little to judge" if emotion.status == "warming_up" else "no clear emotion"
            return name(emotion), "bold", beside
        word = f"{emotion.status} {percent(emotion.confidence).strip()}"
        return name(emotion), ink[emotion.label].block, word
    if emotion is None:
        return "no speech", "dim", "waiting for a voice"
    ago = max(0.0, now - emotion.end)
    certain = f" {percent(emotion.confidence).strip()}" if emotion.label else ""
    return "no speech", "dim", f"before: {name(emotion)}{certain}, {ago:.0f} s ago"


def banner(head: tuple[str, str, str], rows: int, width: int) -> list[Line]:
    """Draw the verdict on a field of its colour, one or three rows high."""
    word, style, beside = head
    field = min(_BANNER if rows > 1 else len(word) + 2, width)
    blank: Line = ((" " * field, style),)
    middle: Line = ((word.center(field), style), ("  " + beside, ""))
    return [blank, middle, blank] if rows > 1 else [middle]


def gauges(emotion: Emotion | None, speaking: bool, width: int, glyphs: Glyphs) -> list[Line]:
    """Draw valence and arousal on scales from -1 to 1."""
    lines: list[Line] = []
    for what in ("valence", "arousal"):
        if emotion is None or not speaking or emotion.status == "warming_up":
            lines.append(((f"{what}  {glyphs.rest * width}      ", "dim"),))
            continue
        value: float = getattr(emotion, what)
        number = f"{value:+.2f}".replace("-", glyphs.minus)
        lines.append(((f"{what}  {gauge(value, width, glyphs)} {number}", ""),))
    return lines


def bars(
    labels: Sequence[str],
    emotion: Emotion | None,
    speaking: bool,
    ink: Mapping[str, Ink],
    *,
    rows: int,
    width: int,
    glyphs: Glyphs,
) -> list[Line]:
    """Draw a bar for each label, the likeliest `rows` of them, in the network's order.

    Bars of an utterance that is over are drawn pale.
    """
    scores: Mapping[str, float] = emotion.scores if emotion is not None else {}
    shown = set(sorted(labels, key=lambda label: -scores.get(label, 0.0))[:rows])
    longest = max((len(label) for label in labels), default=0)
    room = max(1, width - longest - 9)
    lines: list[Line] = []
    for label in labels:
        if label not in shown:
            continue
        score, look = scores.get(label, 0.0), ink[label]
        chosen = speaking and emotion is not None and emotion.label == label
        drawn = bar(score, room, glyphs)
        if not speaking:
            drawn = (glyphs.past * round(score * room)).ljust(room)
        lines.append(
            (
                (look.letter, f"bold {look.colour}"),
                (f" {label:<{longest}} ", "bold" if chosen else "" if speaking else "dim"),
                (f"{percent(score)} ", "bold" if chosen else "" if speaking else "dim"),
                (drawn, look.colour if speaking else f"dim {look.colour}"),
            )
        )
    return lines


def log(
    utterances: Sequence[Utterance], ink: Mapping[str, Ink], rows: int, width: int
) -> list[Line]:
    """List the latest utterances, the newest first."""
    lines: list[Line] = []
    for utterance in list(reversed(utterances))[:rows]:
        look = ink[utterance.label].block if utterance.label else ""
        letter = ink[utterance.label].letter if utterance.label else "?"
        line: list[tuple[str, str]] = [
            (f"{clock(utterance.start):>7} ", "dim"),
            (f" {letter} ", look),
            (f" {name(utterance):<10}", ""),
            (percent(utterance.confidence) if utterance.label else "     ", ""),
        ]
        if width >= 48:
            line.append((f"  {utterance.end - utterance.start:5.1f} s  {utterance.status}", "dim"))
        lines.append(tuple(line))
    return lines
