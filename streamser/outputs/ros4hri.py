"""What ROS4HRI (REP-155, a draft) is told: one voice, whether it speaks, and how it sounds.

`expression` is an extension: REP-155 has it for faces. `audio`, which it has for voices, is left
out on purpose, since no audio leaves streamser.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime

from streamser.config import Ros2
from streamser.events import (
    Emotion,
    Event,
    SessionEnded,
    SourceLost,
    SpeechStarted,
    Utterance,
)
from streamser.outputs.rosmessages import Bool, Expression, Header, IdsList, stamp

EXPRESSIONS = {
    "neutral": "neutral",
    "happy": "happy",
    "sad": "sad",
    "angry": "angry",
    "fearful": "scared",
    "disgust": "disgusted",
    "surprised": "surprised",
    "bored": "bored",
}
"""The constants of hri_msgs/Expression; a label that has none there is published as empty."""

Message = tuple[str, Bool | Expression | IdsList]
"""A topic and what is published on it."""

TRACKED = "humans/voices/tracked"


class Voice:
    """Turns events into messages about the one voice that is heard."""

    def __init__(self, section: Ros2) -> None:
        self._id = section.voice
        self._frame = section.frame
        self.expression = f"humans/voices/{self._id}/expression"
        self.is_speaking = f"humans/voices/{self._id}/is_speaking"

    @property
    def topics(self) -> dict[str, type[Bool | Expression | IdsList]]:
        """The topics that are published, and their types."""
        return {
            TRACKED: IdsList,
            self.is_speaking: Bool,
            self.expression: Expression,
        }

    def push(self, event: Event) -> Iterator[Message]:
        """Yield what an event is worth."""
        match event:
            case SpeechStarted():
                yield self.is_speaking, Bool(data=True)
            case Emotion():
                if event.status != "warming_up":
                    yield self.expression, self._expression(event)
                if isinstance(event, Utterance):
                    yield self.is_speaking, Bool(data=False)
            case SourceLost() | SessionEnded():
                yield self.is_speaking, Bool(data=False)

    def presence(self, *, flowing: bool, at: datetime) -> Message:
        """Return whether it listens: the voice is tracked while audio flows."""
        header = Header(stamp=stamp(at), frame_id=self._frame)
        return TRACKED, IdsList(header=header, ids=[self._id] if flowing else [])

    def _expression(self, event: Emotion) -> Expression:
        """Return a verdict; of a voice that fits no label nothing is claimed."""
        at = datetime.now(UTC) if event.time is None else datetime.fromisoformat(event.time)
        known = event.label is not None
        return Expression(
            header=Header(stamp=stamp(at), frame_id=self._frame),
            expression=EXPRESSIONS.get(event.label or "", ""),
            valence=event.valence if known else math.nan,
            arousal=event.arousal if known else math.nan,
            confidence=event.confidence if known else 0.0,
        )
