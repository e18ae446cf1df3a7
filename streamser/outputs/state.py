"""What the dashboard shows, fed by events."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

from streamser.audio.inputs import is_microphone
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
from streamser.outputs.meter import Level
from streamser.outputs.palette import Ink, inks, printable
from streamser.outputs.timeline import Mark, Timeline

if TYPE_CHECKING:
    from streamser.events import ModelInfo

_REMEMBERED = 50


class State:
    """Everything that the dashboard shows."""

    def __init__(self, *, notice: str = "") -> None:
        self.notice = notice
        """One line that stays in sight, such as why a recording plays."""

        self.source = ""
        self.live = False
        """Whether the source is a microphone or a pipe, not a recording."""

        self.model: ModelInfo | None = None
        self.ink: dict[str, Ink] = {}
        self.native_rate = 0
        self.now = 0.0
        """Seconds on the sample clock."""

        self.speaking = False
        self.level = Level()
        self.emotion: Emotion | None = None
        """The latest of the utterance that is open, or the verdict of the one before."""

        self.utterances: deque[Utterance] = deque(maxlen=_REMEMBERED)
        """The latest of them."""

        self.verdicts: Counter[str] = Counter()
        """How many utterances since the start of the session were of each label, or `unknown`."""

        self.timeline = Timeline()
        self.health: Health | None = None
        self.lost: str | None = None
        """Why no audio comes."""

        self.ended = False

    def push(self, event: Event) -> None:
        """Take one event of the session."""
        if self.lost is not None:
            self.timeline.add(self.now, event.t, Mark("lost"))
        self.now = max(self.now, event.t)
        match event:
            case SessionStarted():
                self.live = event.source == "-" or is_microphone(event.source)
                name = event.source if self.live else event.source.rpartition("/")[2]
                self.source = "standard input" if name == "-" else printable(name)
                self.native_rate = event.sample_rate
                self.model = event.model
                self.ink = inks(event.model.labels)
            case SpeechStarted():
                self.speaking = True
                self.emotion = None
                self.timeline.add(event.start, event.t, Mark("warming_up"))
            case Utterance():
                self.speaking = False
                self.emotion = event
                self.utterances.append(event)
                self.verdicts[event.label or "unknown"] += 1
            case Emotion():
                self.speaking = True
                self._mark(event)
                self.emotion = event
            case Health():
                self.health = event
            case SourceLost():
                self.lost = printable(event.reason)
                self.speaking = False
                self.level.push(None, event.t)
            case SourceRestored():
                self.lost = None
            case SessionEnded():
                self.ended = True

    def hear(self, t: float, level_dbfs: float | None) -> None:
        """Take what the analyzer knows between events: its clock and the level of the last hop."""
        if self.lost is None:
            self.now = max(self.now, t)
            self.level.push(level_dbfs, t)

    def _mark(self, event: Emotion) -> None:
        begin = event.start if self.emotion is None else self.emotion.end
        self.timeline.add(begin, event.end, Mark(event.status, event.label))
