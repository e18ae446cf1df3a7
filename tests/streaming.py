"""What it takes to test audio from clients: a house that takes it, and what it has to answer."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from serving import Serving, speech

from streamser.analysis.analyzer import Analyzer
from streamser.analysis.profile import Profile, save_profile
from streamser.events import Event, as_dict
from streamser.model.bundle import load

HEAD = speech()[: 6 * 32_000]
"""Six seconds of speech."""


def store_profiles(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    """Keep profiles in a folder: `anna`, a voice unlike others, and two that are of no use.

    `old` is of another network, `torn` is half a file.
    """
    bundle = load()
    assert bundle.manifest.baseline is not None
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    profile = Profile(
        name="anna",
        created="2026-11-21",
        model=bundle.info.name,
        model_sha256=bundle.info.sha256,
        speech_seconds=20.0,
        pooled=tuple(value + 0.5 for value in bundle.manifest.baseline.neutral),
    )
    path = save_profile(profile)
    save_profile(dataclasses.replace(profile, name="old", model_sha256="0" * 64))
    path.with_stem("torn").write_text(path.read_text()[:100])
    return profile


class House:
    """A daemon without a microphone; to be used in a `with`."""

    def __init__(self, folder: Path, config: str) -> None:
        self.serving = Serving(folder, config, mic="none")

    def end(self) -> None:
        """Ask it to end; check that nothing went wrong."""
        log = self.serving.end()
        assert not any("level=error" in line or "Traceback" in line for line in log), log

    def __enter__(self) -> Self:
        self.serving.__enter__()
        self.serving.log.until("session started")
        return self

    def __exit__(self, *raised: object) -> None:
        self.serving.__exit__(*raised)


def plain(events: Sequence[Event]) -> list[dict[str, Any]]:
    """Return events as a client reads them."""
    told: list[dict[str, Any]] = json.loads(json.dumps([as_dict(event) for event in events]))
    return told


def spoken(events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what was said about the voice, without wall time."""
    outer = ("session.started", "session.ended", "health")
    told = (event for event in events if event["type"] not in outer)
    return [{k: v for k, v in event.items() if k not in ("seq", "time")} for event in told]


@functools.cache
def alone(pcm: bytes, profile: Profile | None = None) -> list[dict[str, Any]]:
    """Return what is said about a voice that is analysed at once, with nobody beside it."""
    analyzer = Analyzer(profile=profile)
    return spoken(plain([*analyzer.push(np.frombuffer(pcm, np.int16)), *analyzer.finish()]))
