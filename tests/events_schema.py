"""The shipped JSON Schema as a check for events."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator

SCHEMA = json.loads(files("streamser").joinpath("events.schema.json").read_text())
WHOLE = Draft202012Validator(SCHEMA)
KINDS = {name: Draft202012Validator(schema) for name, schema in SCHEMA["$defs"].items()}


def problem(event: dict[str, Any]) -> str | None:
    """Return what is wrong with an event, if anything is."""
    kind = KINDS.get(event.get("type", ""))
    if kind is None:
        return f"no such type: {event}"
    error = next(kind.iter_errors(event), None)
    return None if error is None else f"{event['type']}: {error.json_path}: {error.message}"


def check(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event that fits."""
    wrong = problem(event)
    assert wrong is None, wrong
    return event
