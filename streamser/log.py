"""Structured logs on standard error, one line each, those of libraries included."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/+@%,()[]")


class Log:
    """Says what happens in one part of the program, with fields that a program can read."""

    def __init__(self, part: str) -> None:
        self._logger = logging.getLogger(f"streamser.{part}")

    def debug(self, message: str, **fields: Any) -> None:
        """What only the curious want to know."""
        self._say(logging.DEBUG, message, fields)

    def info(self, message: str, **fields: Any) -> None:
        """What happens in a good life."""
        self._say(logging.INFO, message, fields)

    def warning(self, message: str, **fields: Any) -> None:
        """What should not be, and is being dealt with."""
        self._say(logging.WARNING, message, fields)

    def error(self, message: str, **fields: Any) -> None:
        """What somebody has to mend."""
        self._say(logging.ERROR, message, fields)

    def _say(self, level: int, message: str, fields: dict[str, Any]) -> None:
        self._logger.log(level, "%s", message, extra={"fields": fields})


def configure(style: str, level: str) -> None:
    """Write logs of at least `level` as `logfmt` or `json`. May be called again."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, _Handler):
            root.removeHandler(handler)
    root.addHandler(_Handler(style))
    root.setLevel(level.upper())
    # Of libraries only what somebody has to mend: a peer's every misstep is counted, not told.
    for library in ("asyncio", "websockets", "paho"):
        logging.getLogger(library).setLevel(logging.ERROR)


class _Handler(logging.Handler):
    """Writes to whatever standard error is at the time; one that is closed is no matter."""

    def __init__(self, style: str) -> None:
        super().__init__()
        self._write = _as_json if style == "json" else _as_logfmt

    def emit(self, record: logging.LogRecord) -> None:
        try:
            print(self._write(_fields(record)), file=sys.stderr, flush=True)
        except (OSError, ValueError):
            pass
        except Exception:
            self.handleError(record)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    fields = {
        "time": at.replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "part": record.name.removeprefix("streamser."),
        "msg": record.getMessage(),
        **getattr(record, "fields", {}),
    }
    error = record.exc_info[1] if record.exc_info else fields.get("error")
    if isinstance(error, BaseException):
        fields["error"] = f"{type(error).__name__}: {error}"
        for frame in traceback.extract_tb(error.__traceback__)[-1:]:
            fields["at"] = f"{frame.filename}:{frame.lineno}"
    return fields


def _as_json(fields: dict[str, Any]) -> str:
    return json.dumps(fields, default=str, separators=(",", ":"))


def _as_logfmt(fields: dict[str, Any]) -> str:
    return " ".join(f"{key}={_quoted(value)}" for key, value in fields.items())


def _quoted(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if text and PLAIN.issuperset(text) else json.dumps(text)
