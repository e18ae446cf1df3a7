"""A user's ordinary voice, as statistics without a sound of it, and what it changes."""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamser import strict
from streamser.model.bundle import Bundle

Floats = NDArray[np.float32]

_LARGEST = 1 << 20
"""Bytes; no profile is longer."""

_MOST = 1e30
"""What a statistic may be, so that the head's sums of them stay within float32."""


class ProfileError(Exception):
    """A profile cannot be read, written or used; the message says why, in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What `streamser calibrate` keeps of a voice."""

    name: str
    created: str
    """ISO 8601 date."""

    model: str
    """Name of the network that heard the voice."""

    model_sha256: str
    """Of its manifest: the statistics mean nothing to another network."""

    speech_seconds: float
    pooled: tuple[float, ...]
    """Mean pooled statistics of the utterances, each weighing as long as it was."""

    def __post_init__(self) -> None:
        check_name(self.name)
        if not math.isfinite(self.speech_seconds):
            raise ValueError("speech_seconds has to be finite")
        if not all(abs(number) <= _MOST for number in self.pooled):
            raise ValueError(f"pooled has to be in -{_MOST:g}..{_MOST:g}")


def shift(bundle: Bundle, profile: Profile | None) -> Floats:
    """Return what is taken off the pooled statistics before the head hears them, (pooled_dim,).

    A share of how far the user's ordinary voice lies from ordinary voices at large; all zero
    without a profile. Raises ProfileError when the profile is not of this network.
    """
    baseline = bundle.manifest.baseline
    if profile is None:
        return np.zeros(bundle.manifest.network.pooled_dim, dtype=np.float32)
    if baseline is None:
        raise ProfileError(f"model {bundle.info.name} takes no profiles")
    known = (bundle.info.sha256, len(baseline.neutral))
    if (profile.model_sha256, len(profile.pooled)) != known:
        raise ProfileError(
            f"profile {profile.name} was made with another model, {profile.model}: "
            f"run streamser calibrate --profile {profile.name} again"
        )
    own, others = np.array(profile.pooled), np.array(baseline.neutral)
    return np.asarray(baseline.share * (own - others), dtype=np.float32)


def check_name(name: str) -> None:
    """Raise ValueError for a name that is no file's."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", name):
        raise ValueError("a profile's name has to be of A-Z, a-z, 0-9, '.', '_' and '-', up to 64")


def folder() -> Path:
    """Return where profiles are kept: `profiles` in the state directory. Raises ProfileError."""
    if state := os.environ.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(state) / "profiles"
    home = Path(os.environ.get("XDG_STATE_HOME", ""))
    if not home.is_absolute():
        try:
            home = Path("~/.local/state").expanduser()
        except RuntimeError:
            raise ProfileError(
                "no home directory for profiles: set HOME or XDG_STATE_HOME"
            ) from None
    return home / "streamser" / "profiles"


def place(name: str) -> Path:
    """Return where a profile is stored, or would be. Raises ProfileError."""
    try:
        check_name(name)
    except ValueError as error:
        raise ProfileError(str(error)) from None
    return folder() / f"{name}.json"


def load_profile(name: str) -> Profile:
    """Return a stored profile. Raises ProfileError."""
    return read_profile(_stored(name))


def read_profile(path: Path) -> Profile:
    """Return the profile in a file. Raises ProfileError."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST)
        return strict.read(Profile, strict.parse_object(content))
    except OSError as error:
        raise ProfileError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise ProfileError(f"{path}: {error}") from None


def save_profile(profile: Profile) -> Path:
    """Store a profile, for this user alone, in place of one of the same name.

    Raises ProfileError.
    """
    path = place(profile.name)
    beside = path.with_suffix(".new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside.touch(mode=0o600)
        beside.write_text(to_json(profile))
        beside.replace(path)
    except OSError as error:
        raise ProfileError(f"{path}: {error.strerror}") from None
    return path


def delete_profile(name: str) -> None:
    """Forget a profile. Raises ProfileError."""
    path = _stored(name)
    try:
        path.unlink()
    except OSError as error:
        raise ProfileError(f"{path}: {error.strerror}") from None


def names() -> list[str]:
    """Return the names of the stored profiles, sorted. Raises ProfileError."""
    return sorted(path.stem for path in folder().glob("*.json"))


def to_json(profile: Profile) -> str:
    """Return the text of a profile's file."""
    return json.dumps(strict.plain(profile)) + "\n"


def _stored(name: str) -> Path:
    path = place(name)
    try:
        path.lstat()
    except FileNotFoundError:
        there = ", ".join(names()) or "none"
        raise ProfileError(f"no profile {name}; there are: {there}") from None
    except OSError as error:
        raise ProfileError(f"{path}: {error.strerror}") from None
    return path
