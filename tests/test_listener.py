"""A session is complete and its clock true, whatever becomes of the source; no test waits."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamser.audio.source import NO_SAMPLES, Samples, SourceError, UnreadableError
from streamser.clip import demo_clip
from streamser.events import Event, ModelInfo, Session, Utterance
from streamser.latency import LatencyWindow
from streamser.listener import Listener

BLOCK = np.zeros(320, dtype=np.int16)
STARTED = datetime(2030, 1, 1, tzinfo=UTC)


class Clock:
    """Time that passes when somebody waits."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Scripted:
    """A source that does, one `read` after the other, what `script` says.

    Samples are returned once the time that they last has passed, those in a list at once; `None`
    ends the input, an exception is raised, and a number is so many seconds without a sample.
    """

    def __init__(self, clock: Clock, *script: Any, live: bool = True) -> None:
        self.name = "mic:scripted"
        self.live = live
        self.native_rate = 48_000
        self.dropped = self.overruns = self.waiting = 0
        self.opened: list[float] = []
        self.waited_for: list[int] = []
        self.absent: Callable[[], str | None] = lambda: None
        self.is_open = False
        self._clock = clock
        self._script = list(script)

    def open(self) -> None:
        self.opened.append(self._clock.now)
        if reason := self.absent():
            raise SourceError(reason)
        self.is_open = True

    def read(self, timeout: float, hops: int = 1) -> Samples | None:
        assert self.is_open
        self.waited_for.append(hops)
        step = self._script.pop(0) if self._script else 1e9
        if isinstance(step, Exception):
            raise step
        if isinstance(step, (int, float)):
            if step > timeout:
                self._script.insert(0, step - timeout)
            self._clock.sleep(min(step, timeout))
            return NO_SAMPLES
        if isinstance(step, list):
            return step[0]
        if step is not None:
            self._clock.sleep(len(step) / 16_000)
        return step

    def close(self) -> None:
        self.is_open = False


class Model:
    info = ModelInfo(name="none", version="0", sha256="0" * 64, labels=("neutral", "unknown"))


class Ear:
    """Stands in for the analyzer: counts samples, and calls everything between skips speech."""

    model = Model()
    level_dbfs = None
    profile = None
    hops_to_event = 2

    def __init__(self, session: Session) -> None:
        self.samples = 0
        self.speaking = False
        self.pushed: list[tuple[float, int]] = []
        self._session = session

    @property
    def t(self) -> float:
        return self.samples / 16_000

    def push(self, samples: Samples) -> list[Event]:
        self.pushed.append((self.t, len(samples)))
        self.samples += len(samples)
        self.speaking = True
        return []

    def skip(self, samples: int) -> list[Event]:
        assert samples > 0
        events = self.finish()
        self.samples += samples
        return events

    def finish(self) -> list[Event]:
        if not self.speaking:
            return []
        self.speaking = False
        verdict = Utterance(
            t=self.t,
            utterance=0,
            start=0.0,
            end=self.t,
            status="unknown",
            label=None,
            confidence=1.0,
            scores={"neutral": 0.0, "unknown": 1.0},
            valence=0.0,
            arousal=0.0,
            speech_seconds=self.t,
        )
        return [self._session.stamp(verdict)]


class Scene:
    """A listener to a scripted source, by a clock of its own."""

    def __init__(self, *script: Any, live: bool = True, wait: bool = False) -> None:
        self.clock = Clock()
        self.source = Scripted(self.clock, *script, live=live)
        session = Session()
        self.ear = Ear(session)
        self.events: list[Event] = []
        self.listener = Listener(
            self.source,
            analyzer=self.ear,  # type: ignore[arg-type]
            session=session,
            wait=wait,
            clock=self.clock,
            sleep=self.clock.sleep,
            now=lambda: STARTED,
        )

    def poll(self, timeout: float = 0.1) -> list[str]:
        events = self.listener.poll(timeout)
        self.events += events
        return [event.type for event in events]

    def run(self, seconds: float) -> list[str]:
        """Poll until so much time has passed or the session ended; return the events' types."""
        before, end = len(self.events), self.clock.now + seconds
        while self.clock.now < end - 1e-9 and not self.listener.ended:
            self.poll()
        return self.types(self.events[before:])

    @staticmethod
    def types(events: list[Event]) -> list[str]:
        return [event.type for event in events if event.type != "health"]

    def of(self, kind: str) -> list[Any]:
        return [event for event in self.events if event.type == kind]


def test_a_session_from_start_to_end_of_input() -> None:
    scene = Scene(*[BLOCK] * 10, None, live=False)
    assert scene.poll() == ["session.started"]
    assert scene.run(10.0) == ["utterance", "session.ended"]
    started, ended = scene.events[0], scene.events[-1]
    assert started.sample_rate == 48_000  # type: ignore[attr-defined]
    assert started.source == "mic:scripted"  # type: ignore[attr-defined]
    assert ended.reason == "end of input"  # type: ignore[attr-defined]
    assert ended.t == 0.2
    assert [event.seq for event in scene.events] == list(range(len(scene.events)))
    assert scene.events[0].time == "2030-01-01T00:00:00.000Z"
    assert ended.time == "2030-01-01T00:00:00.200Z"
    assert scene.events[-2].type == "health"
    assert scene.listener.ended
    assert not scene.source.is_open
    assert scene.listener.poll(1.0) == []


def test_a_path_is_that_of_a_recording_whatever_its_name() -> None:
    with Listener(demo_clip()) as listener:
        assert next(listener).source == str(demo_clip())  # type: ignore[attr-defined]
    with pytest.raises(SourceError, match="mic cannot be read"):
        next(Listener(Path("mic")))


def test_stop_closes_the_utterance_and_tells_the_reason() -> None:
    scene = Scene(*[BLOCK] * 1000)
    scene.run(1.0)
    threading.Thread(target=scene.listener.stop, args=["terminated"]).run()
    scene.listener.stop("later")
    assert scene.poll() == ["utterance", "health", "session.ended"]
    assert scene.events[-1].reason == "terminated"  # type: ignore[attr-defined]
    assert not scene.source.is_open


def test_audio_is_waited_for_until_an_event_can_come_or_hop_by_hop() -> None:
    scene = Scene(*[BLOCK] * 3)
    scene.poll()
    scene.poll()
    scene.listener.poll(0.1, each_hop=True)
    scene.ear.hops_to_event = 8
    scene.poll()
    assert scene.source.waited_for == [2, 1, 3]


def test_health_comes_every_five_seconds_and_at_the_end() -> None:
    scene = Scene(*[BLOCK] * 600, None)
    scene.source.waiting, scene.source.overruns = 1600, 2
    scene.run(60.0)
    assert [round(event.t, 1) for event in scene.of("health")] == [5.0, 10.0, 12.0]
    health = scene.of("health")[0]
    assert health.lag_s == 0.1
    assert health.overruns == 2
    assert health.speech
    assert health.rss_mb is None or health.rss_mb > 1
    assert health.latency_ms is not None


def test_what_the_source_dropped_is_skipped_before_what_came_after_it() -> None:
    scene = Scene(*[BLOCK] * 3)
    scene.poll()
    scene.poll()
    scene.source.dropped, scene.source.overruns = 8000, 1
    assert scene.poll() == ["utterance"]
    scene.poll()
    assert [at for at, _ in scene.ear.pushed] == [0.0, 0.52, 0.54]
    scene.listener.stop()
    scene.poll()
    assert scene.of("health")[-1].dropped_s == 0.5


def test_what_is_dropped_of_a_source_that_is_back_is_not_skipped_twice() -> None:
    scene = Scene(*[BLOCK] * 100, 7.0)
    scene.run(9.0)
    assert scene.listener._line.lost
    scene.clock.now += 20.0
    scene.source.dropped, scene.source.overruns = 18 * 16_000, 1
    scene.source._script[:] = [BLOCK] * 300
    assert scene.run(5.0) == ["source.restored"]
    assert scene.ear.t == pytest.approx(scene.clock.now - 50.0, abs=0.05)
    assert scene.of("health")[-1].dropped_s == 18.0


@pytest.mark.parametrize("fault", [30.0, SourceError("the device went away")])
def test_a_lost_source_is_reported_looked_for_and_reported_back(fault: Any) -> None:
    scene = Scene(*[BLOCK] * 50, fault)
    scene.poll()
    scene.run(1.0)
    lost_at = scene.clock.now
    assert scene.run(1.1) == ["utterance", "source.lost"]
    lost = scene.of("source.lost")[0]
    if isinstance(fault, float):
        assert lost.reason == "no audio for 1 s"
        assert lost.t == pytest.approx(2.0)
    else:
        assert lost.reason == "the device went away"
        assert lost.t == pytest.approx(1.0)

    scene.source.absent = lambda: "no such device"
    scene.source._script.clear()
    scene.run(18.0)
    scene.source.absent = lambda: None
    scene.source._script[:] = [BLOCK] * 400
    assert "source.restored" in scene.run(6.0)
    restored = scene.of("source.restored")[0]
    assert restored.t == pytest.approx(scene.source.opened[-1] - lost_at + 1.0, abs=0.03)
    assert scene.types(scene.events).count("source.lost") == 1
    assert scene.types(scene.events).count("source.restored") == 1


def test_attempts_to_open_back_off_from_half_a_second_to_five() -> None:
    scene = Scene(BLOCK, SourceError("gone"))
    scene.poll()
    scene.poll()
    scene.source.absent = lambda: "no such device"
    scene.poll()
    lost_at = scene.clock.now
    scene.run(30.0)
    attempts = np.diff([lost_at, *scene.source.opened[1:]])
    assert attempts == pytest.approx([0.5, 1, 2, 4, 5, 5, 5, 5], abs=0.11)


def test_a_source_that_opens_but_stays_silent_is_not_restored_and_is_opened_again() -> None:
    scene = Scene(BLOCK)
    scene.poll()
    scene.run(20.5)
    assert scene.types(scene.events) == ["session.started", "utterance", "source.lost"]
    waits = np.diff(scene.source.opened[1:])
    assert min(waits) >= 1.0
    assert max(waits) <= 5.2
    assert [event.t for event in scene.of("health")] == pytest.approx([5, 10, 15, 20], abs=0.3)
    scene.source._script[:] = [BLOCK]
    assert scene.poll() == ["source.restored"]
    assert scene.ear.t == pytest.approx(scene.clock.now - 50.0, abs=0.01)


def test_a_stall_of_this_process_is_not_the_sources_silence() -> None:
    scene = Scene(BLOCK, 0.1, BLOCK, *[0.02, BLOCK] * 20)
    scene.poll()
    scene.poll()
    scene.clock.now += 60.0
    assert "source.lost" not in scene.run(1.0)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(2, 30), st.booleans()), max_size=6))
def test_audio_that_was_held_back_counts_once_and_its_time_stays_true(
    stalls: list[tuple[int, bool]],
) -> None:
    # A network: what it held back comes all at once after a stall, or never.
    half = np.zeros(8000, dtype=np.int16)
    script: list[Any] = [half] * 20
    for seconds, held in stalls:
        script += [float(seconds), *[[half]] * (2 * seconds * held), *[half] * 20]
    scene = Scene(*script, *[half] * 400)
    scene.listener._now = lambda: STARTED + timedelta(seconds=scene.clock.now)
    while scene.source._script:
        scene.poll()
    ahead = scene.ear.t - (scene.clock.now - 50.0)
    assert -0.6 <= ahead <= max((seconds for seconds, held in stalls if held), default=0) + 0.6
    last = scene.of("health")[-1]
    behind = scene.ear.t - last.t
    wall = datetime.fromisoformat(last.time) + timedelta(seconds=behind)
    assert abs((wall - scene.listener._now()).total_seconds()) <= 1.1


def test_without_an_ear_time_passes_all_the_same() -> None:
    scene = Scene(live=False)
    scene.listener._now = lambda: STARTED + timedelta(seconds=scene.clock.now)
    scene.poll()
    scene.run(3600.0)
    scene.listener.stop()
    scene.poll()
    ended = datetime.fromisoformat(scene.of("session.ended")[0].time)
    assert abs((ended - scene.listener._now()).total_seconds()) <= 1.0


def test_polling_without_waiting_notices_a_loss() -> None:
    scene = Scene(BLOCK)
    scene.poll()
    scene.poll()
    for _ in range(200):
        scene.clock.now += 0.01
        scene.poll(0.0)
    assert scene.types(scene.events)[-1] == "source.lost"


def test_a_recording_may_pause_without_being_lost() -> None:
    scene = Scene(BLOCK, 30.0, BLOCK, None, live=False)
    assert scene.run(40.0) == ["session.started", "utterance", "session.ended"]


def test_absence_at_the_start_is_an_error_or_a_loss_as_asked() -> None:
    scene = Scene()
    scene.source.absent = lambda: "no microphone is there"
    with pytest.raises(SourceError, match="no microphone is there"):
        scene.poll()

    scene = Scene(wait=True)
    scene.source.absent = lambda: "no microphone is there"
    assert scene.poll() == ["session.started", "source.lost"]
    assert scene.events[-1].reason == "no microphone is there"  # type: ignore[attr-defined]
    scene.run(9.0)
    scene.source.absent = lambda: None
    scene.source._script[:] = [BLOCK] * 10
    assert scene.run(6.0)[0] == "source.restored"
    scene.listener.stop()
    scene.poll()
    assert scene.events[-1].type == "session.ended"


@pytest.mark.parametrize("live", [False, True])
def test_what_no_attempt_can_mend_ends_the_session_and_is_raised(live: bool) -> None:
    error = UnreadableError("not audio") if live else SourceError("damaged after 0.02 s")
    scene = Scene(BLOCK, error, live=live, wait=True)
    scene.poll()
    scene.poll()
    assert scene.poll() == ["utterance", "health", "session.ended"]
    assert scene.events[-1].reason == str(error)  # type: ignore[attr-defined]
    assert not scene.listener.ended
    scene.listener.close()
    with pytest.raises(SourceError, match=str(error)):
        scene.poll()
    scene.listener.close()
    assert scene.listener.ended
    assert scene.poll() == []


def test_for_and_with() -> None:
    scene = Scene(*[BLOCK] * 10, None, live=False)
    with scene.listener as listener:
        types = [event.type for event in listener]
    assert types == ["session.started", "utterance", "health", "session.ended"]

    scene = Scene(*[BLOCK] * 10)
    with scene.listener as listener:
        next(listener)
        assert scene.source.is_open
    assert not scene.source.is_open


def test_who_closes_it_ends_iteration() -> None:
    scene = Scene(*[BLOCK] * 10)
    with scene.listener as listener:
        assert next(listener).type == "session.started"
    assert listener.ended
    assert list(listener) == []
    assert scene.poll() == []


@pytest.mark.parametrize("answer", [BLOCK, NO_SAMPLES, None, SourceError("it is not open")])
@pytest.mark.parametrize("live", [True, False])
def test_closed_by_another_thread_while_it_reads_it_ends_without_a_word(
    live: bool, answer: Any
) -> None:
    scene = Scene(live=live)
    scene.poll()

    def read(timeout: float, hops: int) -> Samples | None:
        threading.Thread(target=scene.listener.close).run()
        scene.source.is_open = True  # it was being opened again
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    scene.source.read = read  # type: ignore[method-assign]
    assert list(scene.listener) == []
    assert scene.listener.ended
    assert not scene.source.is_open


def test_async_for_and_async_with() -> None:
    async def types() -> list[str]:
        scene = Scene(*[BLOCK] * 10, None, live=False)
        async with scene.listener as listener:
            return [event.type async for event in listener]

    assert asyncio.run(types()) == ["session.started", "utterance", "health", "session.ended"]


def test_a_cancelled_wait_loses_no_event() -> None:
    async def types() -> list[str]:
        scene = Scene(*[BLOCK] * 10, None, live=False)
        begin = threading.Event()
        read = scene.source.read

        def slow(timeout: float, hops: int) -> Samples | None:
            begin.wait(30.0)
            return read(timeout)

        scene.source.read = slow  # type: ignore[method-assign]
        async with scene.listener as listener:
            seen = [(await anext(listener)).type]
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(listener), 0.01)
            begin.set()
            return seen + [event.type async for event in listener]

    assert asyncio.run(types()) == ["session.started", "utterance", "health", "session.ended"]


class Held:
    """A listener whose source answers a call only once it is let."""

    def __init__(self, call: str, *script: Any) -> None:
        self.scene = Scene(*script, live=False)
        self.let = threading.Event()
        held = getattr(self.scene.source, call)

        def waiting(*args: Any) -> Any:
            self.let.wait(30.0)
            return held(*args)

        setattr(self.scene.source, call, waiting)

    async def times_out(self) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(self.scene.listener), 0.01)
        threading.Timer(0.05, self.let.set).start()


def test_a_wait_is_taken_up_by_another_event_loop() -> None:
    held = Held("open", *[BLOCK] * 10, None)
    asyncio.run(held.times_out())

    async def types() -> list[str]:
        return [event.type async for event in held.scene.listener]

    assert asyncio.run(types()) == ["session.started", "utterance", "health", "session.ended"]


@pytest.mark.parametrize("call", ["open", "read"])
def test_cancelled_while_it_leaves_it_closes_the_source_all_the_same(call: str) -> None:
    held = Held(call, *[BLOCK] * 10)

    async def leave() -> None:
        async with held.scene.listener as listener:
            async for _ in listener:
                pass

    async def cancel() -> None:
        leaving = asyncio.create_task(leave())
        for _ in range(2):
            await asyncio.sleep(0.05)
            leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        held.let.set()

    asyncio.run(cancel())
    assert held.scene.listener.ended
    assert not held.scene.source.is_open


def test_an_error_that_nobody_waits_for_any_more_is_not_complained_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def leave() -> None:
        held = Held("open")
        held.scene.source.absent = lambda: "no such file"
        async with held.scene.listener:
            await held.times_out()

    asyncio.run(leave())
    gc.collect()
    assert caplog.records == []


def test_latency_percentiles_are_of_the_last_512() -> None:
    window = LatencyWindow()
    assert window.percentiles() is None
    for _ in range(1000):
        window.add(9.0)
    for milliseconds in range(512):
        window.add(milliseconds / 1e3)
    latency = window.percentiles()
    assert latency is not None
    assert (latency.p50, latency.p95) == pytest.approx((255.5, 485.45))
    assert latency.p50 < latency.p95 < latency.p99 < 512
