"""The commands, as a user meets them: most tests run the real process."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import events_schema
import numpy as np
import pytest
import soundfile

from streamser.cli import COMMANDS, main
from streamser.cli.analyze import _find
from streamser.cli.keyboard import Keyboard
from streamser.clip import demo_clip
from streamser.events import Utterance
from streamser.model.bundle import find
from streamser.outputs.emotionml import EmotionMl
from streamser.outputs.records import Csv, Jsonl, Record, Table

ROOT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-m", "streamser"]
CLIP = str(demo_clip())
EMOTIONML = "{http://www.w3.org/2009/10/emotionml}"


def streamser(*args: str, **more: Any) -> subprocess.CompletedProcess[str]:
    options: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 60, "cwd": ROOT}
    return subprocess.run([*COMMAND, *args], **(options | more))


def begin(*args: str, **more: Any) -> subprocess.Popen[str]:
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*COMMAND, *args], text=True, cwd=ROOT, **(options | more))


def events(lines: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.splitlines()]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder: two recordings with speech, one of them deeper, a silent one, and no recording."""
    folder = tmp_path_factory.mktemp("clips")
    samples, rate = soundfile.read(CLIP, dtype="int16")
    (folder / "deep").mkdir()
    soundfile.write(folder / "a.wav", samples[: 9 * rate], rate)
    soundfile.write(folder / "deep" / "b & <c> é.flac", samples[: 5 * rate], rate)
    soundfile.write(folder / "silent.wav", np.zeros(2 * rate, dtype=np.int16), rate)
    (folder / "notes.txt").write_text("no audio")
    return folder


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_helps_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"streamser {'' if name == 'live' else name}".strip() in text.split("examples:")[1]


def test_help_lists_all_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n    {name}" in text for name in COMMANDS)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("streamser ")


@pytest.mark.parametrize(
    "args",
    [
        ["sing"],
        ["listen", "--rate", "fast"],
        ["listen", "--rate", "8000"],
        ["listen", "--rate", "8000", "--input", "x.wav"],
        ["listen", "--interval", "0"],
        ["listen", "--interval", "nan"],
        ["listen", "--aggressiveness", "4"],
        ["listen", "--input", ""],
        ["listen", "--inp", "x.wav"],
        ["analyze"],
        ["analyze", "x.wav", "--format", "yaml"],
        ["--fast"],
    ],
)
def test_wrong_usage_is_2(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(args) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("usage: ") and "error: " in told.err


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from streamser.cli import main; main(['listen', '--help']);"
        "print(sorted({'numpy', 'rich', 'sounddevice', 'ai_edge_litert'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.endswith("[]\n")


def test_listen_imports_what_it_needs_only() -> None:
    code = (
        f"import sys; from streamser.cli import main; main(['listen', '--fast', '-i', {CLIP!r}]);"
        "bad = {'rich', 'sounddevice', 'scipy', 'librosa', 'tensorflow'};"
        "print(sorted(bad & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.endswith("[]\n")


def test_listen_writes_a_session() -> None:
    done = streamser("listen", "--input", CLIP, "--fast")
    assert (done.returncode, done.stderr) == (0, "")
    session = [events_schema.check(event) for event in events(done.stdout)]
    assert [event["seq"] for event in session] == list(range(len(session)))
    kinds = [event["type"] for event in session]
    assert kinds[0] == "session.started" and kinds[-1] == "session.ended"
    assert kinds.count("speech.started") == kinds.count("utterance") > 0
    assert session[0]["source"] == CLIP
    assert session[-1]["reason"] == "end of input"


def test_listen_hears_raw_pcm() -> None:
    samples, rate = soundfile.read(CLIP, dtype="int16")
    raw = samples[: 5 * rate].astype("<i2").tobytes()
    done = streamser("listen", "--input", "-", "--rate", "16000", input=raw, text=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "utterance" in [event["type"] for event in events(done.stdout.decode())]


def test_listen_follows_the_settings() -> None:
    kinds = {}
    for interval in ("0.24", "2.4"):
        done = streamser("listen", "-i", CLIP, "--fast", "--interval", interval, "-a", "1")
        kinds[interval] = [event["type"] for event in events(done.stdout)].count("emotion")
    assert kinds["0.24"] > 3 * kinds["2.4"]


def test_each_event_comes_at_once() -> None:
    with begin("listen", "--input", CLIP) as process:
        assert process.stdout is not None
        started = time.monotonic()
        kinds = [json.loads(process.stdout.readline())["type"] for _ in range(2)]
        elapsed = time.monotonic() - started
        process.terminate()
        process.wait(10)
    assert kinds == ["session.started", "speech.started"]
    assert elapsed < 8.0  # the clip goes on for 25 s


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGINT, "interrupted"),
        (signal.SIGTERM, "terminated"),
        (signal.SIGHUP, "terminal closed"),
    ],
)
def test_signals_end_listen_cleanly(number: signal.Signals, reason: str) -> None:
    with begin("listen", "--input", CLIP) as process:
        assert process.stdout is not None and process.stderr is not None
        while json.loads(process.stdout.readline())["type"] != "emotion":
            pass
        process.send_signal(number)
        rest = events(process.stdout.read())
        assert process.wait(10) == 0
        assert process.stderr.read() == ""
    assert [event["type"] for event in rest][-3:] == ["utterance", "health", "session.ended"]
    assert rest[-1]["reason"] == reason


def test_a_full_pipe_does_not_hold_sigterm_up() -> None:
    with begin("listen", "--input", CLIP, "--fast", "--interval", "0.08") as process:
        assert process.stdout is not None
        time.sleep(2.0)  # more than a pipe holds was heard; nobody reads
        assert process.poll() is None
        process.terminate()
        assert process.wait(5) == 0


def test_a_closed_pipe_is_noticed_without_an_event() -> None:
    reader, writer = os.pipe()
    hold_reader, hold_writer = os.pipe()  # audio that never comes
    with begin("listen", "--input", "-", stdin=hold_reader, stdout=writer) as process:
        os.close(writer)
        assert b"session.started" in os.read(reader, 4096)
        os.close(reader)
        assert process.wait(3) == 0
        assert process.stderr is not None and process.stderr.read() == ""
    os.close(hold_reader)
    os.close(hold_writer)


@pytest.mark.parametrize(
    "args", [["analyze", CLIP], ["listen", "--fast", "--input", CLIP], ["models"], ["--help"]]
)
def test_a_reader_that_left_is_no_error(args: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = streamser(*args, capture_output=False, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_analyze_gives_a_row_for_each_utterance(clips: Path) -> None:
    done = streamser("analyze", str(clips))
    assert (done.returncode, done.stderr) == (0, "")
    head, *rows = done.stdout.splitlines()
    assert head.split() == ["start", "s", "end", "s", "status", "label", "conf", "path"]
    assert rows[-1].endswith(str(clips / "silent.wav"))
    assert "no_speech" in rows[-1]
    assert sum(str(clips / "a.wav") in row for row in rows) == 2


def test_analyze_writes_jsonl(clips: Path) -> None:
    done = streamser("analyze", "--json", str(clips / "a.wav"), str(clips / "silent.wav"))
    spoken, *_, silent = events(done.stdout)
    assert list(spoken) == ["path", "start", "end", "status", "label", "confidence", "scores"]
    assert spoken["path"] == str(clips / "a.wav")
    assert 0 <= spoken["start"] < spoken["end"] <= 9
    assert sum(spoken["scores"].values()) == pytest.approx(1, abs=1e-4)
    assert silent["status"] == "no_speech"
    assert (silent["start"], silent["end"]) == (0.0, 2.0)
    assert silent["label"] is silent["confidence"] is silent["scores"] is None


def test_analyze_writes_csv(clips: Path) -> None:
    done = streamser("analyze", "--format", "csv", str(clips))
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert {row["path"] for row in rows} == {
        str(clips / name) for name in ("a.wav", "deep/b & <c> é.flac", "silent.wav")
    }
    scores = [float(value) for name, value in rows[0].items() if name.startswith("score_")]
    assert sum(scores) == pytest.approx(1, abs=1e-4)
    assert rows[-1]["status"] == "no_speech" and rows[-1]["confidence"] == ""


def test_analyze_writes_emotionml(clips: Path) -> None:
    done = streamser("analyze", "--format", "emotionml", str(clips))
    root = ET.fromstring(done.stdout)
    assert root.tag == f"{EMOTIONML}emotionml" and root.get("version") == "1.0"
    (vocabulary,) = root.findall(f"{EMOTIONML}vocabulary")
    assert root.get("category-set") == f"#{vocabulary.get('id')}"
    names = {item.get("name") for item in vocabulary}
    emotions = root.findall(f"{EMOTIONML}emotion")
    assert len(emotions) == 4
    for emotion in emotions:
        tags = [child.tag.removeprefix(EMOTIONML) for child in emotion]
        order = ["info", "category", "dimension", "reference"]
        assert tags == sorted(tags, key=order.index)
        categories = emotion.findall(f"{EMOTIONML}category")
        found = [category.get("name") for category in categories]
        assert set(found) <= names and len(set(found)) == len(found)
        for child in (*categories, *emotion.findall(f"{EMOTIONML}dimension")):
            assert 0 <= float(child.get("confidence") or child.get("value") or "nan") <= 1
        assert int(emotion.get("duration") or -1) > 0
    (reference,) = emotions[2].findall(f"{EMOTIONML}reference")
    assert reference.get("uri", "").endswith("/b%20%26%20%3Cc%3E%20%C3%A9.flac#t=0.72,4.08")


def test_analyze_whole_gives_one_record_each(clips: Path) -> None:
    done = streamser("analyze", "--whole", "--json", str(clips))
    assert done.returncode == 0
    records = events(done.stdout)
    assert [Path(record["path"]).name for record in records] == [
        "a.wav",
        "b & <c> é.flac",
        "silent.wav",
    ]
    assert [record["status"] == "no_speech" for record in records] == [False, False, True]
    assert [record["end"] for record in records] == [9.0, 5.0, 2.0]


def test_a_strange_name_is_no_trouble(tmp_path: Path) -> None:
    path = tmp_path / "\x1b[31m\n.wav"
    soundfile.write(path, np.zeros(1600, dtype=np.int16), 16_000)
    for form in ("table", "jsonl", "csv", "emotionml"):
        done = streamser("analyze", "-f", form, str(tmp_path))
        assert (done.returncode, done.stderr) == (0, "")
        assert "no_speech" in done.stdout
        assert form == "csv" or "\x1b" not in done.stdout


def test_a_name_that_is_no_text_can_be_written() -> None:
    record = Record(path=os.fsdecode(b"\xff.wav"), start=0.0, end=1.0, utterance=None)
    for write in (Table, Jsonl, partial(Csv, labels=["sad"]), partial(EmotionMl, labels=["sad"])):
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, "utf-8", errors="backslashreplace")
        write(stream).write(record)
        stream.flush()
        assert "ff.wav" in raw.getvalue().decode().lower() or write is Table


def test_a_carriage_return_does_not_split_a_row() -> None:
    record = Record(path="c\rr.wav", start=0.0, end=1.0, utterance=None)
    stream = io.StringIO()
    Csv(stream, ["sad"]).write(record)
    head, row = csv.reader(io.StringIO(stream.getvalue(), newline=""))
    assert row[0] == record.path and len(row) == len(head)
    assert stream.getvalue().splitlines()[-1].endswith("no_speech,,,")


def test_a_label_stays_in_its_row() -> None:
    heard: dict[str, Any] = {"t": 1.0, "utterance": 0, "start": 0.0, "end": 1.0}
    heard |= {"status": "steady", "confidence": 1.0, "valence": 0.0, "arousal": 0.0}
    label = "\x1b[31m\n"
    utterance = Utterance(**heard, label=label, scores={label: 1.0}, speech_seconds=1.0)
    stream = io.StringIO()
    Table(stream).write(Record(path="x.wav", start=0.0, end=1.0, utterance=utterance))
    assert stream.getvalue().count("\n") == 2 and "\x1b" not in stream.getvalue()


def test_a_deep_folder_does_not_hide_the_others(tmp_path: Path) -> None:
    deep = tmp_path / "deep" / "/".join("d" * 1500)
    subprocess.run(["mkdir", "-p", deep], check=True)
    try:
        for folder in (tmp_path, deep):
            (folder / "a.wav").touch()
        found, useless = _find([str(tmp_path)])
        assert found == [str(tmp_path / "a.wav"), str(deep / "a.wav")] and not useless
    finally:  # pytest's own way is not deep enough
        subprocess.run(["rm", "-rf", tmp_path / "deep"], check=True)


def test_models_as_json() -> None:
    models = json.loads(streamser("models", "--json").stdout)
    assert [model["default"] for model in models].count(True) == 1
    for model in models:
        assert (Path(model["path"]) / "manifest.json").is_file() and len(model["labels"]) > 1


def test_models_tells_the_damaged_ones_and_lists_the_others(tmp_path: Path) -> None:
    folder = tmp_path / "streamser" / "models"
    for name in ("short", "unread", "whole"):
        shutil.copytree(find(), folder / name)
    os.truncate(folder / "short" / "encoder.tflite", 1000)
    (folder / "unread" / "manifest.json").write_text("{")
    env = os.environ | {"XDG_DATA_HOME": str(tmp_path)}
    for options in ([], ["--json"]):
        done = streamser("models", *options, env=env)
        short, unread = done.stderr.splitlines()
        assert done.returncode == 1
        assert f"{folder}/short/encoder.tflite: SHA-256 differs" in short
        assert f"{folder}/unread/manifest.json: not JSON" in unread
        assert str(folder / "whole") in done.stdout and str(find()) in done.stdout
        assert str(folder / "short") not in done.stdout
    assert "whole" in [model["name"] for model in json.loads(done.stdout)]


def test_doctor_finds_the_installation_well() -> None:
    done = streamser("doctor", "--json")
    told = json.loads(done.stdout)
    states = {finding["check"]: finding["state"] for finding in told["findings"]}
    for check in ("python", "numpy", "webrtcvad", "soundfile", "soxr", "rich", "interpreter"):
        assert states[check] == "ok"
    assert states["model"] == states["self-test"] == "ok"
    assert done.returncode == (0 if told["ok"] else 1)


def test_doctor_says_how_to_mend(tmp_path: Path) -> None:
    (tmp_path / "soxr.py").write_text("raise ImportError('libsoxr.so.0 is missing')")
    done = streamser("doctor", env=os.environ | {"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    (at,) = [n for n, line in enumerate(lines) if line.startswith("BROKEN") and "soxr  " in line]
    assert "libsoxr.so.0 is missing" in lines[at]
    assert "mend: pip install" in lines[at + 1]


class Terminal:
    """A process on a pseudo-terminal; what it writes is collected."""

    def __init__(self, args: Sequence[str], columns: int = 80, rows: int = 24, **env: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        env = dict(os.environ) | {"TERM": "xterm-256color"} | env
        self.process = subprocess.Popen(
            [*COMMAND, *args],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=ROOT,
            env=env,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that Ctrl-C is a signal
        )
        self.before = termios.tcgetattr(self.master)
        os.close(slave)
        self.written = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            while data := os.read(self.master, 65536):
                self.written += data
        except OSError:  # how Linux tells that the other side is closed
            pass

    def wait_for(self, text: str, seconds: float = 15.0) -> None:
        deadline = time.monotonic() + seconds
        while text.encode() not in self.written:
            assert time.monotonic() < deadline, self.written[-2000:]
            time.sleep(0.05)

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def end(self) -> int:
        code = self.process.wait(10)
        self._reader.join(5)
        return code


@pytest.fixture
def terminal() -> Iterator[Any]:
    begun: list[Terminal] = []

    def start(*args: str, **more: Any) -> Terminal:
        begun.append(Terminal(args, **more))
        return begun[-1]

    yield start
    for each in begun:
        each.process.kill()
        each.process.wait()
        os.close(each.master)


@pytest.mark.parametrize("key", ["q", "hq", "\x03"])
def test_live_draws_and_leaves_the_terminal_as_it_was(terminal: Any, key: str) -> None:
    live = terminal("live", "--input", CLIP)
    live.wait_for("PLAYING")
    live.wait_for("voice")
    live.type(key)
    assert live.end() == 0
    assert live.written.count(b"\x1b[?1049h") == live.written.count(b"\x1b[?1049l") == 1
    assert live.written.rindex(b"\x1b[?25h") > live.written.rindex(b"\x1b[?25l")
    assert b"heard, " in live.written and b"Traceback" not in live.written
    assert termios.tcgetattr(live.master)[3] == live.before[3]


def test_live_leaves_the_terminal_when_suspended(terminal: Any) -> None:
    live = terminal("live", "--input", CLIP)
    live.wait_for("voice")
    live.type("\x1a")
    live.wait_for("\x1b[?1049l")
    live.process.send_signal(signal.SIGCONT)
    deadline = time.monotonic() + 10
    while live.written.count(b"\x1b[?1049h") < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
        live.process.send_signal(signal.SIGCONT)
    live.type("q")
    assert live.end() == 0


def test_an_interrupt_of_the_imports_ends_as_any_other() -> None:
    code = """\
import sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "streamser.cli.failure":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
from streamser.__main__ import main
sys.exit(main())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "streamser: interrupted\n"


def test_keys_that_are_no_characters_are_none() -> None:
    read, write = os.pipe()
    keyboard = Keyboard()
    keyboard._fd = read
    os.write(write, b"h\x1bOQ\x1b[A\x1b[21;2~Q")
    assert keyboard.pressed() == "hQ"
    assert keyboard.pressed() == ""
    os.close(read)
    os.close(write)


def test_live_ends_with_its_terminal(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    with (tmp_path / "told").open("wb") as told:
        process = subprocess.Popen(
            [*COMMAND, "live", "--input", CLIP],
            stdin=slave,
            stdout=slave,
            stderr=told,
            cwd=ROOT,
            env=dict(os.environ) | {"TERM": "xterm-256color"},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
    os.close(slave)
    shown = b""
    while b"PLAYING" not in shown:
        shown += os.read(master, 65536)
    os.close(master)
    assert process.wait(10) == 1
    assert (tmp_path / "told").read_text() == "streamser: standard output: Input/output error\n"


def test_live_in_a_dumb_terminal_writes_lines(
    terminal: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["live", "--help"]) == 0
    assert "(TERM=dumb), plain lines tell what changes; Ctrl-C alone" in capsys.readouterr().out
    live = terminal("live", "--input", CLIP, TERM="dumb")
    live.wait_for("listening to demo.flac")
    live.type("\x03")
    assert live.end() == 0
    assert b"\x1b" not in live.written


def test_live_without_a_terminal_writes_lines(clips: Path) -> None:
    done = streamser("--input", str(clips / "deep" / "b & <c> é.flac"))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "listening to b & <c> é.flac with" in lines[0]
    assert "ended: end of input" in lines[-2]
    assert "heard, 1 utterance" in lines[-1]
    assert "\x1b" not in done.stdout


def test_live_without_a_microphone_plays_the_clip(tmp_path: Path) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    with begin("live", env=environment) as process:
        assert process.stdout is not None and process.stderr is not None
        assert "listening to demo.flac" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert "streamser devices" in process.stdout.read()
        assert process.wait(10) == 0
        (line,) = process.stderr.read().splitlines()
    assert "no microphone" in line and "synthesised clip" in line and "libportaudio2" in line


def test_analyze_shows_progress_on_a_terminal_only(terminal: Any, clips: Path) -> None:
    analyze = terminal("analyze", str(clips))
    assert analyze.end() == 0
    assert b"[...................." in analyze.written
    assert analyze.written.replace(b"\r\n", b"\n").splitlines()[-1].endswith(b"silent.wav")


def test_interrupted_analysis_is_a_failure(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", np.zeros(16_000 * 1200, dtype=np.int16), 16_000)
    with begin("analyze", *[str(tmp_path / "long.wav")] * 100) as process:
        time.sleep(1.5)
        process.terminate()
        assert process.wait(10) == 1
        assert process.stderr is not None
        assert process.stderr.read() == "streamser: interrupted\n"
