"""A connection to the sound server: PulseAudio, or PipeWire in its place."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from streamser.audio.capture import FROZEN, OPEN_TIMEOUT
from streamser.audio.devices import Device
from streamser.audio.libpulse import (
    CONTEXT_READY,
    NO_AUTOSPAWN,
    OPERATION_DONE,
    ServerTold,
    SourceTold,
    library,
)
from streamser.audio.source import SourceError


class NoServerError(SourceError):
    """No sound server runs, or it has no microphone."""


class ServerLink:
    """One client of the server, whose thread is the caller's: what comes waits to be turned to."""

    def __init__(self) -> None:
        """Connect. Raises NoServerError, and SourceError when the server does not answer."""
        self.deadline = time.monotonic() + OPEN_TIMEOUT
        """Clock at which what has not been answered is given up."""

        self.pulse = library()
        if self.pulse is None:
            raise NoServerError("PulseAudio's client library is not installed")
        self._loop = self.pulse.pa_mainloop_new()
        api = self.pulse.pa_mainloop_get_api(self._loop)
        self.context = self.pulse.pa_context_new(api, b"streamser")
        try:
            self.pulse.pa_context_connect(self.context, None, NO_AUTOSPAWN, None)
            self.reach(CONTEXT_READY, lambda: self.pulse.pa_context_get_state(self.context))
        except SourceError:
            self.close()
            raise

    def name_of(self, key: bytes) -> str:
        """Return what people call the source that the server calls `key`. Raises SourceError."""
        ask = self.pulse.pa_context_get_source_info_by_name
        sources = self._sources(lambda told: ask(self.context, key, told, None))
        return sources[0].name if sources else key.decode(errors="replace")

    def sources(self) -> list[Device]:
        """Return all microphones, and what the loudspeakers play. Raises SourceError."""
        defaults: list[bytes | None] = []
        hear = ServerTold(lambda context, info, data: defaults.append(info.contents.default_source))
        self._answered(self.pulse.pa_context_get_server_info(self.context, hear, None))
        ask = self.pulse.pa_context_get_source_info_list
        return self._sources(lambda told: ask(self.context, told, None), defaults[0])

    def reach(self, wanted: int, state: Callable[[], int]) -> None:
        """Wait for a state. Raises NoServerError where it cannot come, and SourceError."""
        while (reached := state()) != wanted:
            if reached > wanted:
                raise NoServerError("there is no sound server that has a microphone")
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise SourceError(FROZEN)
            self.turn(left)

    def turn(self, timeout: float) -> int:
        """Wait up to so many seconds, 1 at most; return how much of the server was dealt with."""
        self.pulse.pa_mainloop_prepare(self._loop, round(1e6 * min(timeout, 1.0)))
        self.pulse.pa_mainloop_poll(self._loop)
        return int(self.pulse.pa_mainloop_dispatch(self._loop))

    def turn_all(self) -> None:
        """Deal with all that has come."""
        while self.pulse.pa_mainloop_iterate(self._loop, 0, None) > 0:
            pass

    def close(self) -> None:
        """Go. What a frozen server would have to be told is not waited for."""
        self.pulse.pa_context_disconnect(self.context)
        self.pulse.pa_context_unref(self.context)
        self.pulse.pa_mainloop_free(self._loop)

    def _sources(self, ask: Callable[[Any], int], default: bytes | None = None) -> list[Device]:
        found = []

        def hear(context: int, info: Any, end: int, data: int) -> None:
            if end:
                return
            source = info.contents
            name = (source.description or source.name).decode(errors="replace")
            device = Device(
                number=None,
                name=" ".join(name.split()),
                api="sound server",
                channels=source.sample_spec.channels,
                rate=source.sample_spec.rate,
                default=source.name == default,
                key=source.name.decode(errors="replace"),
            )
            found.append(device)

        told = SourceTold(hear)  # kept until it has been called
        self._answered(ask(told))
        return found

    def _answered(self, operation: int) -> None:
        self.reach(OPERATION_DONE, lambda: self.pulse.pa_operation_get_state(operation))
        self.pulse.pa_operation_unref(operation)


def server_devices() -> list[Device]:
    """Return what the sound server can be heard from; nothing where none runs.

    Raises SourceError when it does not answer.
    """
    try:
        link = ServerLink()
    except NoServerError:
        return []
    try:
        return link.sources()
    finally:
        link.close()
