"""The events that tell how things stand, for who comes late."""

from __future__ import annotations

from streamser.events import (
    Emotion,
    Event,
    Health,
    SessionEnded,
    SessionStarted,
    SourceLost,
    SourceRestored,
    SpeechStarted,
    Utterance,
)


class Snapshot:
    """The session's start, and the latest of source, utterance, speech, emotion and health."""

    def __init__(self) -> None:
        self._latest: dict[str, tuple[Event, str]] = {}

    def push(self, event: Event, line: str) -> None:
        """Take an event and its line of JSON."""
        match event:
            case SessionStarted():
                self._latest.clear()
                slot = "session"
            case SessionEnded():
                slot = "end"
            case SourceLost() | SourceRestored():
                slot = "source"
            case Utterance():
                slot = "utterance"
                self._latest.pop("speech", None)
                self._latest.pop("emotion", None)
            case SpeechStarted():
                slot = "speech"
            case Emotion():
                slot = "emotion"
            case Health():
                slot = "health"
            case _:
                return
        self._latest[slot] = event, line

    def events(self) -> list[tuple[Event, str]]:
        """Return them in the order in which they came."""
        return sorted(self._latest.values(), key=lambda pair: pair[0].seq)
