"""Samples in, events out: what always holds, on synthesised and on real speech."""

from __future__ import annotations

import functools
import itertools
import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pytest
from corpora import needs_corpora, samples
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamser.analysis.analyzer import Analyzer
from streamser.analysis.evidence import Evidence
from streamser.analysis.hops import HOP
from streamser.analysis.settings import Settings
from streamser.analysis.whole import analyze_whole
from streamser.audio.recording import read_recording
from streamser.clip import demo_clip
from streamser.events import Emotion, Event, Session, SpeechStarted, Utterance, as_dict
from streamser.model.bundle import Bundle, load

Samples = NDArray[np.int16]


@functools.cache
def bundle() -> Bundle:
    return load()


@functools.cache
def clip() -> Samples:
    """Return the synthesised clip: sentences, pauses, noise."""
    return np.concatenate(list(read_recording(demo_clip())))


def analyze(audio: Samples, chunk: int = 1 << 30, **wanted: float) -> list[Event]:
    analyzer = Analyzer(model=bundle(), settings=Settings(**wanted))
    parts = [audio[i : i + chunk] for i in range(0, audio.size, chunk)]
    return [e for part in parts for e in analyzer.push(part)] + analyzer.finish()


def check_grammar(events: list[Event]) -> None:
    """What a consumer may rely on, whatever was heard."""
    assert [event.seq for event in events] == list(range(len(events)))
    assert all(a.t <= b.t for a, b in itertools.pairwise(events))
    is_open: int | None = None
    for event in events:
        if isinstance(event, SpeechStarted):
            assert is_open is None
            is_open = event.utterance
            assert 0 <= event.start < event.t
            continue
        assert isinstance(event, Emotion)
        assert event.utterance == is_open
        assert event.start < event.end <= event.t
        assert sum(event.scores.values()) == pytest.approx(1.0)
        assert (event.label is None) == (event.status in ("warming_up", "unknown"))
        assert event.label != "unknown"
        assert -1 <= event.valence <= 1 and -1 <= event.arousal <= 1
        if isinstance(event, Utterance):
            is_open = None
    assert is_open is None


def test_the_clip_gives_utterances_with_emotions() -> None:
    events = analyze(clip())
    check_grammar(events)
    utterances = [e for e in events if isinstance(e, Utterance)]
    assert len(utterances) >= 3
    assert [u.utterance for u in utterances] == list(range(len(utterances)))
    for utterance in utterances:
        assert utterance.speech_seconds <= utterance.end - utterance.start + 1e-9


@pytest.mark.parametrize("interval", [0.08, 0.24, 1.0])
@settings(max_examples=5, deadline=None)
@given(skipped=st.integers(0, 3 * 16_000))
def test_no_event_comes_before_the_hop_that_was_told(interval: float, skipped: int) -> None:
    analyzer = Analyzer(model=bundle(), settings=Settings(interval=interval))
    audio = clip()[skipped:]
    hops = audio.size // HOP
    earliest, woken_at, wakes = 0, analyzer.hops_to_event - 1, 0
    for number in range(hops):
        earliest = max(earliest, number + analyzer.hops_to_event - 1)
        events = analyzer.push(audio[number * HOP : (number + 1) * HOP])
        assert not events or number >= earliest
        if number == woken_at:
            woken_at += analyzer.hops_to_event
            wakes += 1
    assert wakes < {0.08: 0.9, 0.24: 0.5, 1.0: 0.4}[interval] * hops


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=40), st.integers(0, 200_000))
def test_any_chunking_gives_equal_events(cuts: list[int], start: int) -> None:
    audio = clip()[start : start + 96_000]
    bounds = sorted(set(np.minimum(np.cumsum(cuts), audio.size).tolist()))
    analyzer = Analyzer(model=bundle())
    found = [e for part in np.split(audio, bounds) for e in analyzer.push(part)]
    assert found + analyzer.finish() == analyze(audio)


def test_single_samples_give_equal_events() -> None:
    audio = clip()[: 16_000 * 4]
    assert analyze(audio, chunk=1) == analyze(audio)


@settings(max_examples=25, deadline=None)
@given(
    states=st.lists(st.sampled_from(["voiced", "unvoiced", "asked", "ended"]), max_size=30),
    start=st.integers(0, 100_000),
)
def test_asking_meanwhile_changes_nothing_that_is_heard(states: list[str], start: int) -> None:
    asked, alone = (Evidence(bundle(), half_life=20.0, profile=None) for _ in range(2))
    hops = np.resize(clip()[start:], (len(states) + 2) * HOP).reshape(-1, HOP)
    context = np.zeros(asked.context, np.int16)
    for evidence in (asked, alone):
        evidence.begin(context, hops[0])
    for state, hop in zip(states, hops[1:], strict=False):
        for evidence in (asked, alone):
            if state == "ended":
                evidence.rewind()
                evidence.begin(context, hop)
            else:
                evidence.push(hop, voiced=state != "unvoiced")
        if state == "asked":
            asked.logits()
    np.testing.assert_array_equal(asked.pooled(), alone.pooled())
    for evidence in (asked, alone):
        evidence.rewind()
    np.testing.assert_array_equal(asked.logits(), alone.logits())


def test_intervals_come_when_they_should() -> None:
    events = analyze(clip(), interval=0.24)
    for number in {e.utterance for e in events if isinstance(e, Utterance)}:
        own = [e for e in events if type(e) is Emotion and e.utterance == number]
        if own:
            assert own[0].end - own[0].start >= 0.5
            assert own[0].status in ("provisional", "unknown")
        gaps = [b.t - a.t for a, b in itertools.pairwise(own)]
        assert all(gap >= 0.24 - 1e-9 for gap in gaps)
    assert len(analyze(clip(), interval=0.8)) < len(events)


def test_the_verdict_over_an_utterance_does_not_depend_on_the_hangover() -> None:
    short, long = (
        [e for e in analyze(clip(), hangover=h) if isinstance(e, Utterance)] for h in (0.64, 0.72)
    )
    for a, b in zip(short, long, strict=True):
        assert (a.start, a.end, a.scores) == (b.start, b.end, b.scores)


def test_one_utterance_alone_equals_the_whole_recording() -> None:
    """A recording with a single utterance gets the same verdict streamed and as a whole."""
    first = next(e for e in analyze(clip()) if isinstance(e, Utterance))
    audio = clip()[: int((first.t + 0.08) * 16_000)]
    streamed = [e for e in analyze(audio) if isinstance(e, Utterance)]
    whole = analyze_whole([audio], model=bundle())
    assert whole is not None
    assert len(streamed) == 1
    for name in ("start", "end", "status", "label", "scores", "speech_seconds"):
        assert getattr(whole, name) == getattr(streamed[0], name)


def test_a_whole_recording_without_voice_is_none() -> None:
    assert analyze_whole([np.zeros(16_000, np.int16)], model=bundle()) is None
    assert analyze_whole([], model=bundle()) is None


def test_lost_audio_ends_the_utterance_and_moves_the_clock() -> None:
    analyzer = Analyzer(model=bundle())
    speech = clip()[: 16_000 * 3]
    analyzer.push(speech)
    assert analyzer.speaking
    before = analyzer.t
    events = analyzer.skip(8_000)
    assert [type(e) for e in events] == [Utterance]
    assert analyzer.t == pytest.approx(before + 0.5)
    assert not analyzer.speaking
    again = analyzer.push(speech)
    assert again[0].t > before + 0.5
    check_grammar(events=[*_renumbered([*again, *analyzer.finish()])])


def _renumbered(events: list[Event]) -> list[Event]:
    session = Session()
    return [session.stamp(event) for event in events]


def test_reset_starts_over() -> None:
    analyzer = Analyzer(model=bundle())
    first = analyzer.push(clip()[:64_000]) + analyzer.finish()
    analyzer.reset()
    assert analyzer.t == 0
    second = analyzer.push(clip()[:64_000]) + analyzer.finish()
    assert _renumbered(second) == _renumbered(first)


def test_wall_time_is_the_sample_clock() -> None:
    session = Session(started=datetime(2026, 1, 1, tzinfo=UTC))
    analyzer = Analyzer(model=bundle(), session=session)
    event = analyzer.push(clip()[: 16_000 * 3])[0]
    assert event.time is not None
    told = datetime.fromisoformat(event.time)
    assert (told - session.started).total_seconds() == pytest.approx(event.t, abs=1e-3)
    assert analyze(clip()[: 16_000 * 3])[0].time is None


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (np.zeros(10, np.float32), TypeError),
        (np.zeros((10, 2), np.int16), ValueError),
        ([1, 2], TypeError),
        (None, TypeError),
    ],
)
def test_wrong_samples_are_refused(bad: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="samples have to be"):
        Analyzer(model=bundle()).push(bad)  # type: ignore[arg-type]


def test_fewer_samples_than_none_cannot_be_lost() -> None:
    analyzer = Analyzer(model=bundle())
    with pytest.raises(ValueError, match="-5000 samples"):
        analyzer.skip(-5000)
    assert analyzer.t == 0


@pytest.mark.parametrize(
    "wrong", [{"interval": 0.0}, {"aggressiveness": 4}, {"hangover": -1.0}, {"half_life": 0.0}]
)
def test_senseless_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(**wrong)  # type: ignore[arg-type]


GROWTH = """
import gc, tracemalloc
import numpy as np
from streamser import Analyzer
from streamser.audio.recording import read_recording
from streamser.clip import demo_clip
analyzer, audio = Analyzer(), np.concatenate(list(read_recording(demo_clip())))
tracemalloc.start()
for _ in range(3):
    for _ in range(2):
        analyzer.push(audio)
    gc.collect()
    print(tracemalloc.get_traced_memory()[0])
"""


def test_nothing_grows() -> None:
    """A clean process holds after 150 s of audio, 1900 hops, what it held after 50 s."""
    command = [sys.executable, "-c", GROWTH]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    first, *_, last = map(int, done.stdout.split())
    assert last - first < 2048


@needs_corpora
@pytest.mark.parametrize(
    "name",
    [
        "ravdess/Actor_01/03-01-05-01-01-01-01.opus",
        "emodb/wav/03a01Fa.opus",
        "crema_d/AudioWAV/1001_DFA_ANG_XX.opus",
    ],
)
def test_real_speech_is_found_and_judged(name: str) -> None:
    audio = samples(name)
    events = analyze(audio)
    check_grammar(events)
    assert any(isinstance(e, Utterance) for e in events)
    assert events == analyze(audio, chunk=333)
    assert all(as_dict(e)["type"] == e.type for e in events)


def test_hops_are_counted_from_the_start() -> None:
    """Events lie on the grid of 80 ms, so two listeners of one stream agree."""
    assert all((e.t * 16_000) % HOP == pytest.approx(0.0, abs=1e-6) for e in analyze(clip()))
