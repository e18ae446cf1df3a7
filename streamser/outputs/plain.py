"""The session in plain lines, for when there is no terminal to draw on."""

from __future__ import annotations

from streamser.events import (
    Emotion,
    Event,
    SessionEnded,
    SourceLost,
    SourceRestored,
    Utterance,
)
from streamser.outputs.palette import printable
from streamser.outputs.state import State
from streamser.outputs.verdict import clock, name, percent


class PlainLines:
    """Turns events into lines, only where something changes."""

    def __init__(self) -> None:
        self._said: tuple[str, str | None] | None = None

    def opening(self, state: State) -> str:
        """Return the first line: what is heard, and by which model."""
        model = "" if state.model is None else f" with {state.model.name} {state.model.version}"
        return f"{clock(state.now):>7}  listening to {state.source}{printable(model)}"

    def push(self, event: Event) -> str | None:
        """Return the line that the event is worth, or None."""
        at = f"{clock(event.t):>7}  "
        match event:
            case Utterance():
                self._said = None
                certain = f" {percent(event.confidence).strip()}" if event.label else ""
                return f"{at}{name(event)}{certain}, {event.end - event.start:.1f} s of speech"
            case Emotion():
                if self._said == (event.status, event.label):
                    return None
                self._said = (event.status, event.label)
                beside = f" {event.status} {percent(event.confidence).strip()}"
                return f"{at}  {name(event)}{beside if event.label else ''}"
            case SourceLost():
                return f"{at}no audio: {printable(event.reason)}"
            case SourceRestored():
                return f"{at}audio again: {printable(event.reason)}"
            case SessionEnded():
                return f"{at}ended: {printable(event.reason)}"
        return None
