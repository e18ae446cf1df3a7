"""A thread that analyses streams, each in its turn."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from streamser.analysis.profile import Profile, ProfileError, load_profile, names, shift
from streamser.analysis.settings import Settings
from streamser.audio.source import SAMPLE_RATE
from streamser.hang import HangWatch
from streamser.log import Log
from streamser.model.bundle import Bundle
from streamser.monitored import MonitoredThread
from streamser.streams.stream import Stream
from streamser.strict import shown

STALLED = 30.0
"""Seconds for one slice of audio, and the thread hangs."""

_log = Log("streams")


class Worker:
    """One network for many streams: each gives it the state that it has come to.

    Those with something to do stand in a queue; who was served stands at its end again, so that
    none gets more than its share, however much it sends.
    """

    def __init__(
        self,
        bundle: Bundle,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`bundle` is this worker's alone: its networks are not thread-safe."""
        self._bundle = bundle
        self._settings = settings
        self._streams: set[Stream] = set()
        self._queue: deque[Stream] = deque()
        self._queued: set[Stream] = set()
        self._something = threading.Condition()
        self._retired = False
        self._slice = HangWatch(clock=clock)
        self._past_drops = 0
        self._thread = MonitoredThread("streams", self._run)
        self._thread.start()

    def __len__(self) -> int:
        """How many streams it has."""
        return len(self._streams)

    def profile(self, name: str) -> Profile:
        """Return a stored profile that suits the network. Raises ProfileError."""
        if name not in names():  # whose there are is not told to clients
            raise ProfileError(f"no profile {shown(name)}")
        try:
            profile = load_profile(name)
        except ProfileError as error:
            _log.warning("a profile cannot be read", error=error)
            raise ProfileError(f"profile {name} cannot be read: see the server's log") from None
        shift(self._bundle, profile)
        return profile

    def add(self, stream: Stream) -> None:
        """Take a stream on."""
        with self._something:
            self._streams.add(stream)

    def wake(self, stream: Stream) -> None:
        """Let a stream queue, unless it does. From any thread."""
        with self._something:
            if stream in self._streams and stream not in self._queued:
                self._queue.append(stream)
                self._queued.add(stream)
                self._something.notify()

    def retire(self) -> None:
        """End the thread once the streams that it has are over."""
        with self._something:
            self._retired = True
            self._something.notify()

    @property
    def dropped(self) -> float:
        """Seconds of audio that its streams have lost so far."""
        with self._something:
            drops = self._past_drops + sum(stream.feed.dropped for stream in self._streams)
        return drops / SAMPLE_RATE

    def failure(self) -> str | None:
        """Return why it cannot go on, if so."""
        if (cause := self._thread.failure()) is not None:
            return f"the thread streams died: {cause}"
        hangs = self._slice.look()
        return f"the analysis of a stream hangs since {hangs:.0f} s" if hangs > STALLED else None

    def _run(self) -> None:
        try:
            self._take_turns()
        finally:
            with self._something:
                left = list(self._streams)  # none, unless the thread dies
            for stream in left:
                stream.fail()

    def _take_turns(self) -> None:
        while (stream := self._next()) is not None:
            self._slice.begin()
            try:
                stream.turn(self._bundle, self._settings)
            except Exception as error:  # it costs the other streams nothing
                _log.error("a stream failed", stream=stream.name, error=error)
                stream.fail()
            self._slice.end()
            if stream.over:
                self._forget(stream)
            elif stream.busy:
                self.wake(stream)

    def _next(self) -> Stream | None:
        """Wait for the next stream in the queue; None when there will be none."""
        with self._something:
            while not self._queue:
                if self._retired and not self._streams:
                    return None
                self._something.wait()
            stream = self._queue.popleft()
            self._queued.remove(stream)
            return stream

    def _forget(self, stream: Stream) -> None:
        with self._something:
            self._past_drops += stream.feed.dropped
            self._streams.discard(stream)
            if stream in self._queued:
                self._queued.remove(stream)
                self._queue.remove(stream)
