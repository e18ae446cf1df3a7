"""Records of what recordings hold, as a table, JSON Lines or CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TextIO

from streamser.events import Utterance
from streamser.outputs.palette import printable

NO_SPEECH = "no_speech"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An utterance of a recording, or a recording without one."""

    path: str
    start: float
    """Seconds in the recording."""

    end: float
    utterance: Utterance | None
    """None where no speech was heard."""

    @property
    def status(self) -> str:
        """Of the utterance, or `no_speech`."""
        return NO_SPEECH if self.utterance is None else self.utterance.status

    @property
    def label(self) -> str | None:
        """None unless the status is provisional or steady."""
        return None if self.utterance is None else self.utterance.label

    @property
    def confidence(self) -> float | None:
        """Calibrated probability; None without speech."""
        return None if self.utterance is None else self.utterance.confidence


class Writer(Protocol):
    """Writes records as they come."""

    def write(self, record: Record) -> None:
        """Write one record."""

    def close(self) -> None:
        """Write what belongs at the end."""


class Table:
    """Aligned columns, the path last; written line by line, so the first comes at once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._begun = False

    def write(self, record: Record) -> None:
        """Write one row."""
        if not self._begun:
            self._begun = True
            head = ("start s", "end s", "status", "label", "conf", "path")
            print("{:>8} {:>8}  {:<11} {:<10} {:>5}  {}".format(*head), file=self._stream)
        confidence = "" if record.label is None else f"{(record.confidence or 0) * 100:.0f} %"
        label = printable(record.label or "-")
        print(
            f"{record.start:8.2f} {record.end:8.2f}  {record.status:<11} "
            f"{label:<10} {confidence:>5}  {printable(record.path)}",
            file=self._stream,
        )

    def close(self) -> None:
        """Nothing is left to write."""


class Jsonl:
    """One JSON object a line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, record: Record) -> None:
        """Write one object."""
        scores = None
        if record.utterance is not None:
            scores = {label: round(score, 6) for label, score in record.utterance.scores.items()}
        fields = {
            "path": record.path,
            "start": round(record.start, 6),
            "end": round(record.end, 6),
            "status": record.status,
            "label": record.label,
            "confidence": None if record.confidence is None else round(record.confidence, 6),
            "scores": scores,
        }
        # ASCII: a name that is not UTF-8 stays valid JSON.
        print(json.dumps(fields, separators=(",", ":")), file=self._stream)

    def close(self) -> None:
        """Nothing is left to write."""


class _UnixLines:
    """Rows of the csv module, which quotes a lone carriage return only where rows end in one."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, row: str) -> None:
        self._stream.write(row.removesuffix("\r\n") + "\n")


class Csv:
    """Comma-separated, with a header and a column `score_LABEL` for each label."""

    def __init__(self, stream: TextIO, labels: Sequence[str]) -> None:
        self._labels = labels
        self._rows = csv.writer(_UnixLines(stream))
        columns = ("path", "start", "end", "status", "label", "confidence")
        self._rows.writerow([*columns, *(f"score_{label}" for label in labels)])

    def write(self, record: Record) -> None:
        """Write one row; what is not known stays empty."""
        scores = {} if record.utterance is None else record.utterance.scores
        known = [record.start, record.end, record.confidence, *map(scores.get, self._labels)]
        start, end, confidence, *rest = ("" if x is None else f"{x:.6g}" for x in known)
        row = [record.path, start, end, record.status, record.label or "", confidence, *rest]
        self._rows.writerow(row)

    def close(self) -> None:
        """Nothing is left to write."""
