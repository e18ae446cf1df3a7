"""Records as a document of W3C EmotionML 1.0 (https://www.w3.org/TR/emotionml/)."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import TextIO
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from streamser.outputs.records import NO_SPEECH, Record

NAMESPACE = "http://www.w3.org/2009/10/emotionml"
DIMENSIONS = "http://www.w3.org/TR/emotion-voc/xml#pad-dimensions"
STATUS_NAMESPACE = "urn:streamser:status"

_VOCABULARY = "streamser"


class EmotionMl:
    """Writes an `<emotion>` for each record, in a document of its own vocabulary.

    The W3C's "big six" have no neutral, so the labels are declared in the document. A label's
    confidence is its probability; what was decided stands in `<info>`; pleasure and arousal are
    scaled from -1..1 to 0..1; the time in the recording is a media fragment.
    """

    def __init__(self, stream: TextIO, labels: Sequence[str]) -> None:
        self._stream = stream
        items = "".join(
            f"    <item name={quoteattr(_token(label))}/>\n" for label in (*labels, NO_SPEECH)
        )
        stream.write(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<emotionml version="1.0" xmlns="{NAMESPACE}"\n'
            f'    category-set="#{_VOCABULARY}" dimension-set="{DIMENSIONS}">\n'
            f'  <vocabulary type="category" id="{_VOCABULARY}">\n{items}  </vocabulary>\n'
        )

    def write(self, record: Record) -> None:
        """Write one `<emotion>`."""
        scores, dimensions = {NO_SPEECH: 1.0}, {}
        if record.utterance is not None:
            scores = dict(record.utterance.scores)
            dimensions = {
                "pleasure": record.utterance.valence,
                "arousal": record.utterance.arousal,
            }
        verdict = f" label={quoteattr(_token(record.label))}" if record.label else ""
        lines = [
            f'<info><status xmlns="{STATUS_NAMESPACE}"{verdict}>{record.status}</status></info>',
            *(
                f'<category name={quoteattr(_token(label))} confidence="{_share(score)}"/>'
                for label, score in scores.items()
            ),
            *(
                f'<dimension name="{name}" value="{_share((value + 1) / 2)}"/>'
                for name, value in dimensions.items()
            ),
            f'<reference uri="{_uri(record)}" role="expressedBy"/>',
        ]
        duration = round((record.end - record.start) * 1000)
        self._stream.write(f'  <emotion expressed-through="voice" duration="{duration}">\n')
        self._stream.writelines(f"    {line}\n" for line in lines)
        self._stream.write("  </emotion>\n")

    def close(self) -> None:
        """End the document."""
        self._stream.write("</emotionml>\n")


def _share(value: float) -> str:
    return f"{min(1.0, max(0.0, value)):.4f}"


def _token(label: str) -> str:
    return re.sub(r"[^\w.:-]", "_", label)


def _uri(record: Record) -> str:
    return f"{quote(os.fsencode(record.path))}#t={record.start:.2f},{record.end:.2f}"
