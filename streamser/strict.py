"""Plain data into frozen dataclasses, with one clear line for whatever does not fit."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

T = TypeVar("T")


def parse_object(text: str | bytes) -> dict[str, Any]:
    """Return the JSON object in `text`: UTF-8, no double names, finite numbers only.

    Raises ValueError.
    """
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_whole,
            parse_float=_finite,
            parse_constant=_finite,
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} in line {error.lineno}") from None
    except UnicodeDecodeError:
        raise ValueError("not JSON: not UTF-8 text") from None
    except RecursionError:
        raise ValueError("not JSON: nested too deep") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def read(cls: type[T], value: object, where: str = "") -> T:
    """Return `value`, an object of plain JSON types, as the dataclass `cls`.

    Every field has to be there unless it has a default, and nothing else may be. Understands
    str, bool, int, float, Literal, tuple[X, ...], Mapping[str, X], Any, X | None and
    dataclasses. Raises ValueError; its text begins with the place, such as `features.n_mels`.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f"{where or 'the whole'} has to be an object")
    hints = typing.get_type_hints(cls)
    prefix = f"{where}." if where else ""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        if field.name in value:
            found[field.name] = _convert(hints[field.name], value[field.name], prefix + field.name)
        elif field.default is dataclasses.MISSING and (
            field.default_factory is dataclasses.MISSING
        ):
            raise ValueError(f"{prefix}{field.name} is missing")
    unknown = sorted(set(value) - {field.name for field in dataclasses.fields(cls)})  # type: ignore[arg-type]
    if unknown:
        raise ValueError(f"{prefix}{shown(unknown[0])} is not a known field")
    try:
        return cls(**found)
    except ValueError as error:
        raise ValueError(f"{prefix}{error}") from None


def plain(value: Any) -> Any:
    """Return a dataclass (tuples and mappings within) as plain JSON types."""
    if dataclasses.is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin is Literal:
        if (type(value), value) not in [(type(argument), argument) for argument in arguments]:
            wanted = " or ".join(json.dumps(argument) for argument in arguments)
            raise ValueError(f"{where} has to be {wanted}")
        return value
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in arguments:
            return None
        return _convert(arguments[0], value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{where} has to be a list")
        return tuple(_convert(arguments[0], x, f"{where}[{i}]") for i, x in enumerate(value))
    if dataclasses.is_dataclass(hint):
        return read(hint, value, where)  # type: ignore[arg-type]
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise ValueError(f"{where} has to be an object")
        return {key: _convert(arguments[1], x, f"{where}.{shown(key)}") for key, x in value.items()}
    return _scalar(hint, value, where)


def _scalar(hint: Any, value: Any, where: str) -> Any:
    name = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}[hint]
    wanted = (int, float) if hint is float else hint
    if not isinstance(value, wanted) or (isinstance(value, bool) and hint is not bool):
        raise ValueError(f"{where} has to be {name}")
    if hint is not float:
        return value
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{where} is too large") from None


def _whole(text: str) -> int:
    if len(text) > 400:
        raise ValueError("a number has more than 400 digits")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not a finite number")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{shown(double)} stands twice in one object")
    return value


def printable(text: str) -> str:
    """Return text with an escape for whatever would leave its line on a terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def shown(name: str) -> str:
    """Return a name from the file such that it fits into a line on a terminal."""
    return name if name.isprintable() and len(name) <= 80 else ascii(name)[:80]
