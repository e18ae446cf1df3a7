"""Whatever a test lets a session emit has to fit the shipped schema."""

from __future__ import annotations

import functools
import signal
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import events_schema
import pytest
import soundfile

from streamser.clip import demo_clip
from streamser.events import E, Session, as_dict


def pytest_configure() -> None:
    """Let signals end what the tests start, also where nohup or a shell's `&` started the tests."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def every_event_fits_the_schema() -> Iterator[None]:
    stamp = Session.stamp

    @functools.wraps(stamp)
    def checked(self: Session, event: E) -> E:
        stamped = stamp(self, event)
        if not tracemalloc.is_tracing():  # what a test measures is not to be this check
            events_schema.check(as_dict(stamped))
        return stamped

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Session, "stamp", checked)
        yield


@pytest.fixture
def sentence(tmp_path: Path) -> Path:
    """One synthesised utterance, 4.5 s."""
    samples, rate = soundfile.read(demo_clip(), dtype="int16", frames=72_000)
    soundfile.write(tmp_path / "sentence.wav", samples, rate)
    return tmp_path / "sentence.wav"
