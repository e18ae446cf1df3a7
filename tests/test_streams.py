"""Many streams in one process: each as if it were alone, none at another's cost."""

from __future__ import annotations

import gc
import itertools
import threading
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving import speech, until
from streaming import alone, plain, spoken

from streamser import config
from streamser.analysis.settings import Settings
from streamser.events import Event, Health, SessionEnded, SessionStarted, Utterance
from streamser.listener import Listener
from streamser.model.bundle import load
from streamser.streams.feed import Feed
from streamser.streams.format import AudioFormat
from streamser.streams.pace import Pace
from streamser.streams.pool import Streams, StreamsFullError
from streamser.streams.stream import Stream
from streamser.streams.worker import Worker

MONO = AudioFormat(rate=16_000)
BUNDLE = load()
SPEECH = speech()[: 2 * 16_000 * 4]


class Heard:
    """What a stream delivers."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.over = threading.Event()

    def __call__(self, events: Sequence[Event], last: bool) -> None:
        self.events += events
        if last:
            self.over.set()

    @property
    def spoken(self) -> list[dict[str, Any]]:
        """What was said about the voice."""
        return spoken(plain(self.events))


ALONE = alone(SPEECH)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, len(SPEECH)), max_size=12), channels=st.integers(1, 3))
def test_whatever_the_messages_the_events_are_those_of_the_whole(
    cuts: list[int], channels: int
) -> None:
    samples = np.frombuffer(SPEECH, np.int16)
    noise = np.random.default_rng(0).integers(-9999, 9999, (len(samples), channels), np.int16)
    noise[:, 0] = samples
    data = noise.tobytes()
    heard = Heard()
    audio = AudioFormat(rate=16_000, channels=channels)
    stream = Stream(Feed("test:1", audio, backlog=10.0), heard, lambda stream: None)
    edges = [0, *sorted(channels * cut for cut in cuts), len(data)]
    for begin, end in itertools.pairwise(edges):
        stream.put(data[begin:end])
        if begin % 3:
            stream.turn(BUNDLE, Settings())
    stream.end()
    while not stream.over:
        assert stream.busy
        stream.turn(BUNDLE, Settings())
    assert heard.spoken == ALONE
    assert [event.seq for event in heard.events] == list(range(len(heard.events)))
    first, last = heard.events[0], heard.events[-1]
    assert isinstance(first, SessionStarted) and first.source == "test:1"
    assert isinstance(last, SessionEnded) and last.reason == "end of input"
    assert heard.over.is_set()


@pytest.mark.parametrize("how", ["end", "stop", "abandon", "fail"])
def test_a_stream_that_is_over_frees_its_analysis_at_once(how: str) -> None:
    heard = Heard()
    stream = Stream(Feed("test:1", MONO, backlog=1.0), heard, lambda stream: None)
    stream.put(SPEECH[:32_000])
    stream.turn(BUNDLE, Settings())
    [listener] = [obj for obj in gc.get_referents(stream) if isinstance(obj, Listener)]
    freed = weakref.ref(listener)
    del listener
    if how == "fail":
        stream.fail()
    else:
        stream.stop("test") if how == "stop" else getattr(stream, how)()
    gc.disable()
    try:
        while not stream.over:
            stream.turn(BUNDLE, Settings())
        assert freed() is None
        assert heard not in gc.get_referents(stream)
    finally:
        gc.enable()


def test_another_rate_is_resampled_to_the_last_sample() -> None:
    heard = Heard()
    feed = Feed("test:1", AudioFormat(rate=44_100), backlog=10.0)
    stream = Stream(feed, heard, lambda stream: None)
    stream.put(bytes(2 * 44_100 * 3))
    stream.end()
    while not stream.over:
        stream.turn(BUNDLE, Settings())
    assert heard.events[-1].t == 3.0
    assert isinstance(heard.events[0], SessionStarted) and heard.events[0].sample_rate == 44_100


def test_a_full_backlog_loses_its_oldest_audio_and_says_so() -> None:
    heard = Heard()
    stream = Stream(Feed("test:1", MONO, backlog=1.0), heard, lambda stream: None)
    for _ in range(30):
        stream.put(bytes(3200))
    assert stream.feed.full
    stream.end()
    while not stream.over:
        stream.turn(BUNDLE, Settings())
    (health,) = [event for event in heard.events if isinstance(event, Health)]
    assert (health.dropped_s, health.overruns) == (2.0, 1)
    assert heard.events[-1].t == 3.0  # time goes on over what was lost


@given(pieces=st.lists(st.tuples(st.integers(1, 1600), st.booleans()), max_size=80))
def test_who_waits_while_it_is_full_loses_nothing(pieces: list[tuple[int, bool]]) -> None:
    feed = Feed("test:1", MONO, backlog=0.5)
    put = read = 0
    for size, turn in pieces:
        if not feed.full:
            feed.put(bytes(2 * size))
            put += size
        if turn:
            read += len(feed.read(0.0) if put else [])
    feed.end()
    while (samples := feed.read(0.0)) is not None:
        read += len(samples)
    assert read == put and feed.dropped == 0


def test_streams_do_not_hear_each_other_and_none_waits_for_the_greedy() -> None:
    streams = Streams()
    streams.configure(config.Streams(limit=4, backlog=60.0), None, Settings())
    greedy, heards = Heard(), [Heard() for _ in range(3)]
    hog = streams.open("test", MONO, greedy)
    hog.put(SPEECH * 14)
    for heard in heards:
        stream = streams.open("test", MONO, heard)
        stream.put(SPEECH)
        stream.end()
    for heard in heards:
        assert heard.over.wait(60)
        assert heard.spoken == ALONE
    assert not greedy.over.is_set() and hog.feed.waiting > 20 * 16_000
    names = {h.events[0].source for h in heards if isinstance(h.events[0], SessionStarted)}
    assert len(names) == 3
    hog.abandon()
    until(lambda: streams.tally().open == 0)
    streams.close()


def test_more_streams_than_may_be_are_refused_in_words_until_one_is_over() -> None:
    streams = Streams()
    with pytest.raises(StreamsFullError):
        streams.open("test", MONO, Heard())
    streams.configure(config.Streams(limit=2), None, Settings())
    heards = [Heard(), Heard()]
    opened = [streams.open("test", MONO, heard) for heard in heards]
    with pytest.raises(StreamsFullError, match="all 2 streams are taken: try again"):
        streams.open("test", MONO, Heard())
    opened[0].stop("enough")
    assert heards[0].over.wait(60)
    assert [event.type for event in heards[0].events][-1] == "session.ended"
    until(lambda: streams.tally().open == 1)
    streams.open("test", MONO, Heard()).abandon()
    opened[1].abandon()
    until(lambda: streams.tally().open == 0)
    assert streams.tally().refused == 2 and streams.failure() is None
    streams.close()


def test_new_settings_are_for_new_streams_and_old_threads_end() -> None:
    streams = Streams()
    limits = config.Streams()
    streams.configure(limits, None, Settings())
    heards = [Heard(), Heard()]
    old = streams.open("test", MONO, heards[0])
    streams.configure(limits, None, Settings(interval=0.08))
    new = streams.open("test", MONO, heards[1])
    for stream in (old, new):
        stream.put(SPEECH)
        stream.end()
    assert all(heard.over.wait(60) for heard in heards)
    assert heards[0].spoken == ALONE and len(heards[1].spoken) > 2 * len(ALONE)
    streams.close()
    until(lambda: not any(thread.name == "streams" for thread in threading.enumerate()))


def test_a_stream_that_cannot_be_analysed_costs_the_others_nothing() -> None:
    streams = Streams()
    streams.configure(config.Streams(), None, Settings())
    broken, heard = Heard(), Heard()

    def deliver(events: Sequence[Event], last: bool) -> None:
        if events:
            raise ZeroDivisionError
        broken(events, last)

    streams.open("test", MONO, deliver)
    assert broken.over.wait(60)
    stream = streams.open("test", MONO, heard)
    stream.put(SPEECH)
    stream.end()
    assert heard.over.wait(60) and heard.spoken == ALONE
    assert any(isinstance(event, Utterance) for event in heard.events)
    streams.close()


def test_a_thread_that_dies_is_told_to_the_house_and_ends_all_its_streams() -> None:
    streams = Streams()
    streams.configure(config.Streams(), None, Settings())
    heard = Heard()

    def deliver(events: Sequence[Event], last: bool) -> None:
        if not last:
            raise SystemExit

    streams.open("test", MONO, heard)
    assert until(lambda: heard.events) and streams.failure() is None
    streams.open("test", MONO, deliver)
    assert heard.over.wait(60)
    assert until(streams.failure) == "the thread streams died: SystemExit: "
    streams.close()


def test_an_analysis_that_hangs_is_told_and_one_that_was_suspended_is_not() -> None:
    now = 0.0
    hanging, go_on = threading.Event(), threading.Event()

    def deliver(events: Sequence[Event], last: bool) -> None:
        hanging.set()
        go_on.wait(60)

    worker = Worker(BUNDLE, Settings(), clock=lambda: now)
    stream = Stream(Feed("test:1", MONO, backlog=1.0), deliver, worker.wake)
    worker.add(stream)
    worker.wake(stream)
    assert hanging.wait(60) and worker.failure() is None
    now += 3600
    assert worker.failure() is None
    while now < 3640 and worker.failure() is None:
        now += 0.25
    assert worker.failure() == "the analysis of a stream hangs since 30 s" and now < 3632
    go_on.set()
    until(lambda: worker.failure() is None)
    stream.abandon()
    worker.retire()


@settings(max_examples=200, deadline=None)
@given(
    pieces=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 3), st.booleans()), max_size=60),
    speed=st.floats(1, 8),
    burst=st.floats(0.25, 5),
)
def test_a_client_is_held_to_its_pace_and_a_live_one_is_never_held(
    pieces: list[tuple[float, float, bool]], speed: float, burst: float
) -> None:
    now = 0.0
    pace = Pace(speed=speed, burst=burst, clock=lambda: now)
    live = Pace(speed=speed, burst=burst, clock=lambda: now)
    sent = told = 0.0
    for seconds, pause, full in pieces:
        now += pause
        sent += seconds
        pace.add(seconds)
        now += pace.delay(full=full)
        assert sent <= speed * now + burst + 1e-6
        assert not full or pace.delay(full=True) < 1e-6
        # A live one has told at any time what there was to hear, if in bursts after stalls.
        live.add(max(0.0, now - told))
        told = now
        assert live.delay(full=True) == live.delay(full=False)


@pytest.mark.parametrize(("rate", "channels"), [(7999, 1), (192_001, 1), (16_000, 0), (8000, 17)])
def test_what_is_no_audio_is_refused(rate: int, channels: int) -> None:
    with pytest.raises(ValueError, match="has to be from"):
        AudioFormat(rate=rate, channels=channels)
