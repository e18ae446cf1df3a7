"""Verdicts as W3C EmotionML 1.0 (https://www.w3.org/TR/emotionml/).

The W3C's "big six" have no neutral, so the labels are declared in the document. A label's
confidence is its probability; what was decided stands in `<info>`; pleasure and arousal are scaled
from -1..1 to 0..1.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import datetime
from typing import TextIO
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from streamser.events import Utterance
from streamser.outputs.records import NO_SPEECH, Record

NAMESPACE = "http://www.w3.org/2009/10/emotionml"
DIMENSIONS = "http://www.w3.org/TR/emotion-voc/xml#pad-dimensions"
STATUS_NAMESPACE = "urn:streamser:status"
_VOCABULARY = "streamser"

ROOT = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    f'<emotionml version="1.0" xmlns="{NAMESPACE}"\n'
    f'    category-set="#{_VOCABULARY}" dimension-set="{DIMENSIONS}">\n'
)
END = "</emotionml>\n"


def beginning(labels: Sequence[str]) -> str:
    """Return how a document begins; `<emotion>` elements and `END` have to follow."""
    items = "".join(
        f"    <item name={quoteattr(_token(label))}/>\n"
        for label in dict.fromkeys((*labels, NO_SPEECH))
    )
    return f'{ROOT}  <vocabulary type="category" id="{_VOCABULARY}">\n{items}  </vocabulary>\n'


def heard(utterance: Utterance) -> str:
    """Return the `<emotion>` of an utterance that was heard live, at its place in time.

    `start` and `end` are milliseconds since 1970, UTC; an utterance of a session without wall
    time has a duration alone.
    """
    begin, end = (round(seconds * 1000) for seconds in (utterance.start, utterance.end))
    times = f'duration="{end - begin}"'
    if utterance.time is not None:
        at = datetime.fromisoformat(utterance.time).timestamp()
        session = round((at - utterance.t) * 1000)
        times = f'start="{max(0, session + begin)}" end="{max(0, session + end)}"'
    return _emotion(times, utterance.status, utterance)


def recorded(record: Record) -> str:
    """Return the `<emotion>` of a record; its time in the recording is a media fragment."""
    times = f'duration="{round((record.end - record.start) * 1000)}"'
    uri = f"{quote(os.fsencode(record.path))}#t={record.start:.2f},{record.end:.2f}"
    reference = f'<reference uri="{uri}" role="expressedBy"/>'
    return _emotion(times, record.status, record.utterance, reference)


class EmotionMl:
    """Writes a document with an `<emotion>` for each record."""

    def __init__(self, stream: TextIO, labels: Sequence[str]) -> None:
        self._stream = stream
        stream.write(beginning(labels))

    def write(self, record: Record) -> None:
        """Write one `<emotion>`."""
        self._stream.write(recorded(record))

    def close(self) -> None:
        """End the document."""
        self._stream.write(END)


def _emotion(times: str, status: str, utterance: Utterance | None, *references: str) -> str:
    scores, dimensions, verdict = {NO_SPEECH: 1.0}, {}, ""
    if utterance is not None:
        scores = dict(utterance.scores)
        dimensions = {"pleasure": utterance.valence, "arousal": utterance.arousal}
        verdict = f" label={quoteattr(_token(utterance.label))}" if utterance.label else ""
    lines = [
        f'  <emotion expressed-through="voice" {times}>',
        f'    <info><status xmlns="{STATUS_NAMESPACE}"{verdict}>{status}</status></info>',
        *(
            f'    <category name={quoteattr(_token(label))} confidence="{_share(score)}"/>'
            for label, score in scores.items()
        ),
        *(
            f'    <dimension name="{name}" value="{_share((value + 1) / 2)}"/>'
            for name, value in dimensions.items()
        ),
        *(f"    {reference}" for reference in references),
        "  </emotion>\n",
    ]
    return "\n".join(lines)


def _share(value: float) -> str:
    return f"{min(1.0, max(0.0, value)):.4f}"


def _token(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.:-]", "_", label)
