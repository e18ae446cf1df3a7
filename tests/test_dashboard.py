"""The dashboard: state from events, a picture of any size, few bytes on the terminal."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from streamser.cli.live import _conclude
from streamser.events import (
    Emotion,
    Event,
    Health,
    Latency,
    ModelInfo,
    SessionEnded,
    SessionStarted,
    SourceLost,
    SourceRestored,
    SpeechStarted,
    Utterance,
)
from streamser.outputs.dashboard import render
from streamser.outputs.meter import Level, bar, gauge
from streamser.outputs.palette import ASCII, UNICODE, Line, inks
from streamser.outputs.plain import PlainLines
from streamser.outputs.screen import Screen
from streamser.outputs.state import State
from streamser.outputs.timeline import Mark, Timeline, row

LABELS = ("neutral", "happy", "sad", "angry", "fearful", "disgust", "surprised", "unknown")
MODEL = ModelInfo(name="tcn", version="1.2.3", sha256="0" * 64, labels=LABELS)
SIZES = [(80, 24), (120, 40), (40, 24), (40, 10), (100, 8), (60, 12), (20, 6), (200, 60), (7, 2)]


def started(source: str = "mic:USB Audio") -> SessionStarted:
    return SessionStarted(t=0.0, version="0.1.0", model=MODEL, source=source, sample_rate=48_000)


def emotion(t: float, label: str | None, status: str = "steady", **more: Any) -> Emotion:
    scores = dict.fromkeys(LABELS, 0.2 / 7) | {label or "unknown": 0.8}
    fields: dict[str, Any] = {"utterance": 0, "start": 1.0, "end": t, "status": status}
    fields |= {"label": label, "confidence": 0.8, "scores": scores, "valence": 0.5}
    kind = Utterance if "speech_seconds" in more else Emotion
    return kind(t=t, arousal=-0.25, **fields, **more)


def health(t: float, **more: Any) -> Health:
    fields: dict[str, Any] = {"lag_s": 0.0, "overruns": 0, "dropped_s": 0.0, "level_dbfs": -20.0}
    fields |= {
        "latency_ms": Latency(p50=0.5, p95=0.9, p99=1.3),
        "cpu": 0.03,
        "rss_mb": 64.0,
        "speech": True,
    }
    return Health(t=t, **(fields | more))


def state_after(*events: Event, notice: str = "") -> State:
    state = State(notice=notice)
    for event in events:
        state.push(event)
    return state


def speaking() -> State:
    state = state_after(
        started(),
        SpeechStarted(t=1.2, utterance=0, start=1.0),
        emotion(1.5, None, "warming_up"),
        emotion(2.0, "happy", "provisional"),
        emotion(6.0, "happy"),
        health(6.0),
    )
    state.hear(6.0, -20.0)
    return state


def text(lines: list[Line]) -> str:
    return "\n".join("".join(part for part, _ in line) for line in lines)


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("state", [State(), speaking()], ids=["empty", "speaking"])
def test_a_picture_has_the_size_of_the_terminal(state: State, width: int, height: int) -> None:
    lines = render(state, width, height)
    assert len(lines) == height
    assert {sum(cell_len(part) for part, _ in line) for line in lines} == {width}


def test_all_that_matters_is_in_80x24() -> None:
    picture = text(render(speaking(), 80, 24))
    for part in (
        "● LISTENING  mic:USB Audio",
        "tcn 1.2.3",
        "HAPPY",
        "steady 80 %",
        "valence",
        "+0.50",
        "−0.25",  # noqa: RUF001
        "● voice",
        "−20 dBFS",  # noqa: RUF001
        "p50 0.5  p95 0.9  p99 1.3 ms",
        "lag 0.00 s  overruns 0",
        "q quits",
        *(f"{look.letter} {label}" for label, look in inks(LABELS).items()),
    ):
        assert part in picture


@pytest.mark.parametrize(("width", "height"), [(40, 15), (40, 24), (60, 12)])
def test_a_small_terminal_keeps_the_essentials(width: int, height: int) -> None:
    picture = text(render(speaking(), width, height))
    for part in ("LISTENING", "mic:USB", "tcn", "HAPPY", "80 %", "voice", "p99", "overruns"):
        assert part in picture


def test_a_short_terminal_shows_the_likeliest_bars() -> None:
    picture = text(render(speaking(), 80, 7))
    assert "H happy" in picture
    assert "A angry" not in picture


def test_silence_is_no_emotion() -> None:
    state = state_after(started(), health(5.0, speech=False))
    state.hear(5.0, None)
    picture = text(render(state, 80, 24))
    assert "no speech" in picture and "waiting for a voice" in picture and "silent" in picture
    assert "HAPPY" not in picture and "█" not in picture


def test_after_speech_the_verdict_is_of_the_past() -> None:
    state = speaking()
    state.push(emotion(7.0, "happy", speech_seconds=5.0))
    state.hear(12.0, -50.0)
    picture = text(render(state, 80, 24))
    assert "no speech" in picture
    assert "before: HAPPY 80 %, 5 s ago" in picture
    bars = next(line for line in picture.splitlines() if "H happy" in line)
    assert "░" in bars and "█" not in bars


def test_a_new_utterance_forgets_the_one_before() -> None:
    state = speaking()
    state.push(emotion(7.0, "happy", speech_seconds=5.0))
    state.push(SpeechStarted(t=9.2, utterance=1, start=9.0))
    head = text(render(state, 80, 24)[:6])
    assert "too little to judge" in head and "HAPPY" not in head


def test_abstention_names_no_emotion() -> None:
    state = state_after(started(), SpeechStarted(t=1.2, utterance=0, start=1.0))
    state.push(emotion(3.0, None, "unknown"))
    assert "no clear emotion" in text(render(state, 80, 24))


def test_a_lost_source_is_told_until_it_is_back() -> None:
    state = speaking()
    state.push(SourceLost(t=8.0, source="mic:USB Audio", reason="no audio for 1 s"))
    picture = text(render(state, 80, 24))
    assert "NO AUDIO" in picture and "no audio for 1 s" in picture and "LISTENING" not in picture
    assert "no speech" in picture
    state.push(SourceRestored(t=12.0, source="mic:USB Audio", reason="audio comes again"))
    state.hear(12.0, -30.0)
    picture = text(render(state, 80, 24))
    assert "LISTENING" in picture
    assert "✕" in picture  # in the timeline


def test_recordings_play_and_sessions_end() -> None:
    state = state_after(started("/some/where/talk.wav"))
    assert "▶ PLAYING  talk.wav" in text(render(state, 80, 24))
    assert "▶ PLAYING  mic.wav" in text(render(state_after(started("mic.wav")), 80, 24))
    assert "● LISTENING  standard input" in text(render(state_after(started("-")), 80, 24))
    state.push(SessionEnded(t=3.0, reason="end of input"))
    assert "ENDED" in text(render(state, 80, 24))


def test_trouble_stands_out() -> None:
    state = state_after(started(), health(5.0, lag_s=1.5, overruns=3, dropped_s=2.25))
    lines = render(state, 120, 24)
    assert "lag 1.50 s  overruns 3 (2.2 s lost)" in text(lines)
    assert any("overruns 3" in part and "bold" in style for line in lines for part, style in line)


def test_names_from_outside_cannot_control_the_terminal() -> None:
    state = state_after(started("mic:\x1b]0;evil\x07\nX"), notice="")
    state.push(SourceLost(t=1.0, source="mic:\x1b[2J", reason="\x1b[31mred"))
    assert not any(ord(char) < 32 for line in render(state, 80, 24) for p, _ in line for char in p)


def test_wide_names_do_not_break_the_lines() -> None:
    for line in render(state_after(started("mic:マイク(高品質)のとても長い名前")), 40, 12):
        assert sum(cell_len(part) for part, _ in line) == 40


def test_ascii_terminals_get_ascii() -> None:
    state = speaking()
    state.push(emotion(7.0, "sad", speech_seconds=5.0))
    assert text(render(state, 80, 24, ASCII)).isascii()


def test_letters_are_unique_and_colours_differ() -> None:
    look = inks(LABELS)
    assert len({ink.letter for ink in look.values()}) == len(LABELS)
    assert len({look[label].colour for label in LABELS[:-1]}) == len(LABELS) - 1
    assert len({ink.letter for ink in inks(["sad", "safe", "sane", "s", "x"]).values()}) == 5


def test_the_timeline_reads_without_colour() -> None:
    timeline = Timeline()
    timeline.add(1.0, 2.0, Mark("warming_up"))
    timeline.add(2.0, 4.0, Mark("provisional", "happy"))
    timeline.add(4.0, 6.0, Mark("steady", "happy"))
    timeline.add(6.0, 8.0, Mark("unknown"))
    drawn = row(timeline.cells(9.5, 60), inks(LABELS), UNICODE)
    assert "".join(part for part, _ in drawn) == " " * 50 + "·-hhHH??··"


def test_timeline_cells_scroll_without_flicker() -> None:
    timeline = Timeline()
    timeline.add(0.3, 7.7, Mark("steady", "sad"))
    first = timeline.cells(20.0, 60)
    assert timeline.cells(20.9, 60) == first
    assert timeline.cells(21.0, 60)[:-1] == first[1:]


def test_the_state_does_not_grow() -> None:
    state = state_after(started())
    for number in range(3000):
        begin = 2.0 * number
        state.push(SpeechStarted(t=begin + 0.2, utterance=number, start=begin))
        state.push(emotion(begin + 1.0, LABELS[number % 7]))
        state.push(emotion(begin + 1.5, LABELS[number % 7], speech_seconds=1.0))
    assert len(state.verdicts) <= len(LABELS)
    assert len(state.utterances) <= 50
    assert len(state.timeline._spans) <= 300


def test_the_farewell_counts_all_that_was_heard(capsys: pytest.CaptureFixture[str]) -> None:
    verdicts = [*["sad"] * 70, *[None] * 40, "happy"]
    _conclude(state_after(*(emotion(4000.0, label, speech_seconds=1.0) for label in verdicts)))
    assert capsys.readouterr().out == "66:40.0 heard, 111 utterances: sad 70, unknown 40, happy 1\n"


@pytest.mark.parametrize(
    ("fraction", "drawn"),
    [(0.0, "    "), (0.5, "██  "), (1.0, "████"), (0.53, "██▏ "), (7.0, "████"), (-1.0, "    ")],
)
def test_bars(fraction: float, drawn: str) -> None:
    assert bar(fraction, 4, UNICODE) == drawn


def test_gauges_span_minus_one_to_one() -> None:
    assert gauge(-1, 5, UNICODE) == "●·┼··"
    assert gauge(0, 5, UNICODE) == "··●··"
    assert gauge(9, 5, UNICODE) == "··┼·●"


def test_the_meter_holds_its_peak() -> None:
    level = Level()
    level.push(-12.0, 1.0)
    level.push(-48.0, 1.5)
    assert "".join(part for part, _ in level.row(20, UNICODE)) == "████            ▏   "
    level.push(-48.0, 3.0)
    assert "▏" not in "".join(part for part, _ in level.row(20, UNICODE))


def console(**more: Any) -> Console:
    options: dict[str, Any] = {"file": io.StringIO(), "force_terminal": True, "width": 80}
    options |= {"height": 24, "color_system": "truecolor", "legacy_windows": False, "_environ": {}}
    return Console(**(options | more))


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    value = console.file.getvalue()
    console.file.seek(0)
    console.file.truncate()
    return value


def test_only_changed_lines_are_written() -> None:
    terminal = console()
    state = speaking()
    with Screen(terminal) as screen:
        screen.draw(render(state, *screen.size))
        whole = written(terminal)
        screen.draw(render(state, *screen.size))
        assert written(terminal) == ""
        state.hear(6.08, -30.0)
        screen.draw(render(state, *screen.size))
        changed = written(terminal)
    assert "dBFS" in changed and "neutral" not in changed
    assert len(changed) < len(whole) / 3
    assert written(terminal).endswith("\x1b[?1049l")


def test_without_colour_no_colour_is_written() -> None:
    terminal = console(no_color=True)
    with Screen(terminal) as screen:
        screen.draw(render(speaking(), *screen.size))
    drawn = written(terminal)
    assert "38;" not in drawn and "48;" not in drawn and "HAPPY" in drawn


def test_plain_lines_tell_changes_only() -> None:
    plain = PlainLines()
    assert plain.opening(speaking()) == " 0:06.0  listening to mic:USB Audio with tcn 1.2.3"
    told = [
        plain.push(event)
        for event in (
            emotion(1.5, None, "warming_up"),
            emotion(2.0, "happy", "provisional"),
            emotion(2.2, "happy", "provisional"),
            emotion(3.0, "happy"),
            health(4.0),
            emotion(6.0, "happy", speech_seconds=4.0),
            SourceLost(t=8.0, source="mic", reason="unplugged"),
            SessionEnded(t=61.25, reason="interrupted"),
        )
    ]
    assert told == [
        " 0:01.5    warming up",
        " 0:02.0    happy provisional 80 %",
        None,
        " 0:03.0    HAPPY steady 80 %",
        None,
        " 0:06.0  HAPPY 80 %, 5.0 s of speech",
        " 0:08.0  no audio: unplugged",
        " 1:01.2  ended: interrupted",
    ]
