"""The configuration out of its layers: the file, then the environment, then flags."""

from __future__ import annotations

import dataclasses
import os
import re
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamser import strict
from streamser.config import OUTPUTS, Config

LARGEST = 1 << 16
"""Bytes; no configuration is longer."""

ATTEMPTS = 200
"""Beginnings of a file that are parsed, at most, to find the line of what is wrong."""

PREFIX = "STREAMSER_"

Table = dict[str, Any]


class ConfigError(Exception):
    """The configuration does not do; the message says where and why, in one line."""

    def __init__(self, message: str) -> None:
        super().__init__(strict.printable(message))


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """Where the configuration comes from; may be loaded again and again."""

    path: Path | None = None
    """The file; without it the one at its usual place, if it is there."""

    environment: Mapping[str, str] = dataclasses.field(default_factory=lambda: os.environ)
    settings: Sequence[str] = ()
    """`SECTION.KEY=VALUE` each, or `SECTION` alone to switch an output on."""

    @property
    def file(self) -> Path | None:
        """The file that is read, if there is one. Raises ConfigError."""
        if self.path is not None:
            return _expanded(self.path)
        usual = usual_path(self.environment)
        try:
            return usual if usual.is_file() else None
        except OSError as error:
            raise ConfigError(f"{usual}: {error.strerror}") from None

    def load(self) -> Config:
        """Read all layers. Raises ConfigError."""
        text, table = "", Table()
        if self.file is not None:
            text, table = _read(self.file)
        places: dict[str, str] = {}
        for place, section, key, value in (*self._variables(), *self._flags()):
            if section not in table:
                places[section] = place
            if not isinstance(table.setdefault(section, {}), dict):
                raise ConfigError(f"{self.file}: {section} has to be a section, [{section}]")
            if key:
                table[section][key] = value
                places[f"{section}.{key}"] = place
        try:
            return strict.read(Config, table)
        except ValueError as error:
            where = re.match(r"[\w.-]*", str(error)).group()  # type: ignore[union-attr]
            flag = places.get(where) or places.get(where.partition(".")[0])
            place = flag or f"{self.file}, line {line_of(text, where.split('.'))}"
            raise ConfigError(f"{place}: {error}") from None

    def _variables(self) -> Iterator[tuple[str, str, str, Any]]:
        """STREAMSER_SECTION_KEY; other variables with that prefix are not ours to judge."""
        for section, cls in sections().items():
            begin = f"{PREFIX}{section.upper()}_"
            for name in sorted(self.environment):
                if name.startswith(begin):
                    key = name.removeprefix(begin).lower()
                    yield f"${name}", section, key, _value(cls, key, self.environment[name])

    def _flags(self) -> Iterator[tuple[str, str, str, Any]]:
        for setting in self.settings:
            name, equals, text = setting.partition("=")
            section, dot, key = name.strip().partition(".")
            if not equals and section in OUTPUTS and not dot:
                yield f"--set {section}", section, "", None
                continue
            if not (equals and key and section in sections()):
                raise ConfigError(f"--set {name}: has to be SECTION.KEY=VALUE, or an output")
            yield (
                f"--set {name}",
                section,
                key,
                _value(sections()[section], key, text),
            )


def usual_path(environment: Mapping[str, str]) -> Path:
    """Return where the file is looked for: $XDG_CONFIG_HOME/streamser/config.toml.

    Raises ConfigError where there is no home to look in.
    """
    base = environment.get("XDG_CONFIG_HOME") or f"{environment.get('HOME', '~')}/.config"
    return _expanded(Path(base)) / "streamser" / "config.toml"


def sections() -> dict[str, type]:
    """Return the dataclass of each section."""
    return {name: _plain(hint) for name, hint in typing.get_type_hints(Config).items()}


def line_of(text: str, path: Sequence[str]) -> int:
    """Return the line of TOML `text` where `path`, or what there is of it, is first complete.

    TOML's parser tells no lines, but the first so many of them that parse and hold the path do.
    """
    lines = text.splitlines(keepends=True)
    for length in range(len(path), 0, -1):
        if _holds(text, path[:length]):
            return _first(lines, path[:length])
    return 1


def _first(lines: Sequence[str], path: Sequence[str]) -> int:
    """Return the least number of lines that hold `path`, given that all do.

    More lines hold no less, as far as they parse; so the number is looked for by halves. In a
    value of hundreds of lines, none of which parses alone, its end may be told instead.
    """
    low, high, found = 1, len(lines) - 1, len(lines)
    attempts = iter(range(ATTEMPTS))
    while low <= high:
        middle = (low + high) // 2
        holds = None
        for number in range(middle, high + 1):
            if next(attempts, None) is None:
                return found
            holds = _holds("".join(lines[:number]), path)
            if holds is not None:
                break
        if holds:
            found = number
        if holds is False:
            low = number + 1
        else:
            high = middle - 1
    return found


def _holds(text: str, path: Sequence[str]) -> bool | None:
    """Return whether TOML `text` has `path`; None when it does not parse."""
    try:
        table: Any = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return None
    for key in path:
        if not isinstance(table, dict) or key not in table:
            return False
        table = table[key]
    return True


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        hint = "set HOME, or name the file with --config"
        raise ConfigError(f"{path}: no such home directory; {hint}") from None


def _read(path: Path) -> tuple[str, Table]:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise ConfigError(f"{path}: larger than {LARGEST >> 10} KiB")
        text = content.decode().replace("\r\n", "\n")
        return text, tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8 text") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: not TOML: {error or 'nested too deep'}") from None


def _value(cls: type, key: str, text: str) -> Any:
    """Return the text of a variable or flag as TOML has it; where text is wanted, as it stands."""
    hint = typing.get_type_hints(cls).get(key, str)
    if _plain(hint) is str or typing.get_origin(hint) is typing.Literal:
        return text
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text


def _plain(hint: Any) -> Any:
    """Return the type X of `X | None`."""
    return typing.get_args(hint)[0] if isinstance(hint, types.UnionType) else hint
