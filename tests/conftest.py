"""Whatever a test lets a session emit has to fit the shipped schema."""

from __future__ import annotations

import functools
import signal
import tracemalloc
from collections.abc import Iterator

import events_schema
import pytest

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
