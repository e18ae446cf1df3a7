"""A source and an analyzer joined: audio that comes and goes in, one session of events out."""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from streamser.analysis.analyzer import Analyzer
from streamser.analysis.hops import HOP
from streamser.analysis.profile import Profile
from streamser.analysis.settings import Settings
from streamser.audio.inputs import open_source
from streamser.audio.reconnect import QUIET_SECONDS, LostError, Reconnecting
from streamser.audio.source import SAMPLE_RATE, Samples, Source, SourceError
from streamser.events import (
    Event,
    Health,
    Session,
    SessionEnded,
    SessionStarted,
    SourceLost,
    SourceRestored,
)
from streamser.latency import LatencyWindow
from streamser.model.bundle import Bundle
from streamser.process import CpuShare, resident_mb
from streamser.version import __version__
from streamser.walltime import WallTime

if TYPE_CHECKING:
    from concurrent.futures import Future

HEALTH_SECONDS = 5.0
"""Between two `health` events."""

MOST_HOPS = 3
"""Of audio that is waited for at once: a quarter of a second."""

POLL_SECONDS = 0.25
"""What iteration waits at once, so that a stop is noticed."""


class Listener:
    """The events of one source, from `session.started` to `session.ended`.

    Pull-based and without a thread of its own: audio waits in the source for the next `poll`, and
    what the source had to drop is skipped on the sample clock. A live source that gives nothing
    for a second, or fails, is lost; it is looked for until it gives samples again, and the time
    away is skipped, too. If what was held back meanwhile, as by a network, comes after all, the
    sample clock is ahead by it until the next loss.

    `poll` is the primitive; iterate, also with `async for`, for one event at a time. One reader.
    """

    def __init__(
        self,
        source: Source | str | os.PathLike[str] | None = None,
        *,
        model: Bundle | str | Path | None = None,
        settings: Settings | None = None,
        profile: Profile | str | None = None,
        analyzer: Analyzer | None = None,
        session: Session | None = None,
        wait: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Prepare to listen to `source`, or to what `open_source` makes of it.

        `profile` is of the one who speaks, or its name. `analyzer`, which stamps its events with
        `session`, replaces the one that `model`, `settings` and `profile` would give. With `wait`,
        a live source that is absent at the start is a lost one, not an error. Raises BundleError
        and ProfileError.
        """
        if source is None or isinstance(source, str | os.PathLike):
            source = open_source(source, clock=clock, sleep=sleep)
        self._session = session or Session()
        self.source: Source = source
        self.analyzer = analyzer or Analyzer(
            model=model,
            settings=settings,
            profile=profile,
            session=self._session,
        )
        self.ended = False
        """Whether no event will come any more, and no error is left to be raised."""
        self._line = Reconnecting(source, clock=clock, sleep=sleep)
        self._wait = wait
        self._clock = clock
        self._now = now
        self._reason: str | None = None
        self._failure: SourceError | None = None
        self._started = False
        self._heard = (0.0, 0.0)  # clock and sample clock at the last sample
        self._ahead = 0.0  # seconds of audio more than time that passed: it was held back
        self._longest = 0.0  # seconds that the source was lost for, so that no more was held back
        self._filled = 0  # samples since the last whole hop
        self._dropped = 0  # of what the source dropped, the samples that were skipped
        self._latency = LatencyWindow()
        self._pending: deque[Event] = deque()
        self._polling: Future[list[Event]] | None = None

    def poll(self, timeout: float, *, each_hop: bool = False) -> list[Event]:
        """Wait up to `timeout` seconds for audio; return the events it led to, often none.

        Audio that cannot yet lead to one is waited for as well, unless `each_hop` is wanted, as by
        who shows its level.

        The first call opens the source and returns `session.started`. Raises SourceError when the
        source cannot be opened; one that cannot be read on ends the session, and the call after
        the one that returned `session.ended` raises.
        """
        if self.ended:
            return []
        if self._failure is not None:
            failure, self._failure = self._failure, None
            self.ended = True
            raise failure
        if not self._started:
            return self._start()
        if self._reason is not None:
            return self._end(self._reason)
        lost = self._line.lost
        hops = 1 if each_hop else min(self.analyzer.hops_to_event, MOST_HOPS)
        try:
            samples = self._line.read(timeout, hops)
        except SourceError as error:
            return self._fail(error)
        if self.ended:  # closed meanwhile, by another thread
            self.close()
            return []
        if samples is None:
            return self._end("end of input")
        if not len(samples):
            return self._health_if_due()
        restored = self._restore(samples) if lost else []
        return restored + self._hear(samples) + self._health_if_due()

    def stop(self, reason: str = "stopped") -> None:
        """Let the next poll end the session. From any thread or signal handler."""
        if self._reason is None:
            self._reason = reason

    def close(self) -> None:
        """Free the source, without further events. Safe to call twice, and from any thread."""
        self.ended = self._failure is None
        self._line.close()

    def _start(self) -> list[Event]:
        loss = None
        try:
            self._line.open()
        except LostError as error:
            if not self._wait:
                raise
            loss = error
        self._started = True
        self._wall = WallTime(self.analyzer.t, clock=self._clock, now=self._now)
        self._session.started = self._wall.zero
        self._cpu = CpuShare(self._clock)
        self._heard = (self._clock(), self.analyzer.t)
        self._health_at = self._clock() + HEALTH_SECONDS
        started = SessionStarted(
            t=self.analyzer.t,
            version=__version__,
            model=self.analyzer.model.info,
            source=self.source.name,
            sample_rate=self.source.native_rate,
            profile=self.analyzer.profile.name if self.analyzer.profile else None,
        )
        return [self._session.stamp(started), *(self._lose(loss) if loss else ())]

    def _hear(self, samples: Samples) -> list[Event]:
        arrived = self._clock()
        dropped = self.source.dropped - self._dropped
        self._dropped += dropped
        events = [*self._skip(dropped), *self.analyzer.push(samples)]
        now = self._clock()
        ahead = self._ahead - self._unheard(now)
        self._ahead = min(max(-QUIET_SECONDS, ahead), self._longest)
        self._heard = (now, self.analyzer.t)
        hops, self._filled = divmod(self._filled + len(samples), HOP)
        if hops:
            self._latency.add(now - arrived)
        return events

    def _skip(self, samples: int) -> list[Event]:
        if samples <= 0:
            return []
        self._filled = 0
        return self.analyzer.skip(samples)

    def _fail(self, error: SourceError) -> list[Event]:
        if self.ended:  # for it was closed meanwhile, by another thread
            return []
        if isinstance(error, LostError):
            return self._lose(error) + self._health_if_due()
        self._failure = error
        return self._end(str(error))

    def _lose(self, loss: LostError) -> list[Event]:
        events = [*self.analyzer.finish(), *self._pass_time()]
        lost = SourceLost(t=self.analyzer.t, source=self.source.name, reason=str(loss))
        return [*events, self._session.stamp(lost)]

    def _restore(self, samples: Samples) -> list[Event]:
        events = self._pass_time(until=len(samples))
        reason = "audio comes again"
        restored = SourceRestored(t=self.analyzer.t, source=self.source.name, reason=reason)
        return [*events, self._session.stamp(restored)]

    def _pass_time(self, *, until: int = 0) -> list[Event]:
        """Skip the time since the last sample, but for the `until` samples that came just now.

        What the source dropped meanwhile is a part of it.
        """
        self._dropped = self.source.dropped
        now = self._clock()
        self._longest = max(self._longest, now - self._heard[0])
        away = self._unheard(now) - max(0.0, self._ahead)
        return self._skip(round(away * SAMPLE_RATE) - until)

    def _unheard(self, now: float) -> float:
        """Return the seconds since the last sample that the sample clock has not passed."""
        clock, t = self._heard
        return now - clock - (self.analyzer.t - t)

    def _health_if_due(self) -> list[Event]:
        if self._clock() < self._health_at:
            return []
        self._health_at = self._clock() + HEALTH_SECONDS
        passed = self._pass_time() if self._line.lost else []
        return [*passed, self._health()]

    def _health(self) -> Event:
        source, analyzer = self.source, self.analyzer
        lag = source.waiting / SAMPLE_RATE
        self._wall.follow(analyzer.t + lag)
        self._session.started = self._wall.zero
        health = Health(
            t=analyzer.t,
            lag_s=lag,
            overruns=source.overruns,
            dropped_s=source.dropped / SAMPLE_RATE,
            level_dbfs=analyzer.level_dbfs,
            latency_ms=self._latency.percentiles(),
            cpu=self._cpu.since_last(),
            rss_mb=resident_mb(),
            speech=analyzer.speaking,
        )
        return self._session.stamp(health)

    def _end(self, reason: str) -> list[Event]:
        events = [*self.analyzer.finish(), *(self._pass_time() if self._line.lost else ())]
        events.append(self._health())
        events.append(self._session.stamp(SessionEnded(t=self.analyzer.t, reason=reason)))
        self.close()
        return events

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        while not self._pending:
            if self.ended:
                raise StopIteration
            self._pending.extend(self.poll(POLL_SECONDS))
        return self._pending.popleft()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        import asyncio

        if self._polling is None:
            await asyncio.to_thread(self.close)
            return
        # It is closed behind the poll, even if who waits for it is cancelled.
        self._polling.add_done_callback(lambda _: self.close())
        with contextlib.suppress(Exception):
            await asyncio.wrap_future(self._polling)

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        import asyncio  # 30 ms that only those who await have to spend

        while not self._pending:
            if self.ended:
                raise StopAsyncIteration
            if self._polling is None:
                self._polling = self._poll_aside()
            # A poll outlives the cancellation of who waits for it, and the event loop: the next
            # call gets its events.
            with contextlib.suppress(Exception):
                await asyncio.wrap_future(self._polling)
            polled, self._polling = self._polling, None
            self._pending.extend(polled.result())
        return self._pending.popleft()

    def _poll_aside(self) -> Future[list[Event]]:
        """Begin a poll on a thread of the running loop's, that nobody can cancel."""
        import asyncio
        from concurrent.futures import Future

        polling: Future[list[Event]] = Future()
        polling.set_running_or_notify_cancel()

        def poll() -> None:
            try:
                polling.set_result(self.poll(POLL_SECONDS))
            except BaseException as error:
                polling.set_exception(error)

        asyncio.get_running_loop().run_in_executor(None, poll)
        return polling
