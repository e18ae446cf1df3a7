"""Events in a file: turned over, on a full disk, moved away, and never half a line."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import events_schema
import pytest
from serving import SECOND, Serving, speech, until

from streamser.config import File
from streamser.events import SessionEnded, to_json
from streamser.outputs.output import OutputError
from streamser.outputs.rotating import RotatingFile

EVENT = SessionEnded(t=0.0, reason="none")


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def writing(path: Path, **options: float) -> RotatingFile:
    output = RotatingFile(File(path=str(path), **options))  # type: ignore[arg-type]
    output.open()
    return output


def test_the_session_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "events.jsonl"
    with Serving(tmp_path, f"[file]\npath = '{path}'\n") as serving:
        serving.hear(SECOND + speech() + SECOND)
        until(lambda: any("utterance" in line for line in lines(path)))
        serving.end()
    events = [events_schema.check(json.loads(line)) for line in lines(path)]
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert events[-1]["reason"] == "terminated"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_is_turned_over_between_lines_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "e"
    output = writing(path, max_mb=0.001, keep=2)
    for number in range(100):
        output.push(EVENT, json.dumps({"number": number, "filling": "x" * 80}))
    output.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["e", "e.1", "e.2"]
    parts = [lines(tmp_path / name) for name in ("e.2", "e.1", "e")]
    numbers = [json.loads(line)["number"] for part in parts for line in part]
    assert numbers == list(range(numbers[0], 100))
    assert all((tmp_path / name).stat().st_size <= 1000 for name in ("e", "e.1", "e.2"))
    assert output.tally.lost == 0


def test_none_is_kept_where_none_is_wanted(tmp_path: Path) -> None:
    output = writing(tmp_path / "e", max_mb=0.001, keep=0)
    for _ in range(100):
        output.push(EVENT, "x" * 80)
    output.close()
    assert [file.name for file in tmp_path.iterdir()] == ["e"]


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "e"
    output = writing(path)
    output.push(EVENT, "1")
    until(lambda: lines(path) == ["1"])
    path.rename(tmp_path / "moved")
    output.push(EVENT, "2")
    until(lambda: lines(path) == ["2"])
    output.close()
    assert lines(tmp_path / "moved") == ["1"]


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="there is no /dev/full")
def test_a_full_disk_loses_and_counts_and_recovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "e"
    output = writing(path)
    output.push(EVENT, "1")
    until(lambda: lines(path) == ["1"])
    write, room = os.write, {"left": 10}

    def limited(descriptor: int, content: bytes) -> int:
        fits = content[: room["left"]]
        if not fits:
            with open("/dev/full", "wb", buffering=0) as full:  # noqa: PTH123
                full.write(content)
        room["left"] -= len(fits)
        return write(descriptor, fits)

    monkeypatch.setattr(os, "write", limited)
    for _ in range(3):
        output.push(EVENT, "a line that does not fit")
    until(lambda: output.tally.lost == 3)
    assert lines(path) == ["1"] and output.failure() is None
    room["left"] = 1 << 20
    output.push(EVENT, "2")
    until(lambda: lines(path) == ["1", "2"])
    output.close()
    assert output.tally.lost == 3


@pytest.mark.parametrize("zeros", ["", "\0\0\0"])
def test_half_a_line_that_a_loss_of_power_left_is_cut_off(tmp_path: Path, zeros: str) -> None:
    path = tmp_path / "e"
    line = to_json(EVENT)
    for length in range(len(line)):
        path.write_text(f"1\n{line[:length]}{zeros}")
        output = writing(path)
        output.push(EVENT, "2")
        output.close()
        assert lines(path) == ["1", "2"]


@pytest.mark.parametrize("kind", events_schema.KINDS)
def test_half_of_any_event_is_cut_off(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "e"
    path.write_text(f'{{"type":"{kind}","seq":1,"t":0.')
    writing(path).close()
    assert lines(path) == []


@pytest.mark.parametrize("zeros", ["", "\0\0\0"])
def test_a_line_that_lost_its_end_alone_is_kept(tmp_path: Path, zeros: str) -> None:
    path = tmp_path / "e"
    path.write_text("1\n" + to_json(EVENT) + zeros)
    output = writing(path)
    output.push(EVENT, "2")
    output.close()
    assert lines(path) == ["1", to_json(EVENT), "2"]


@pytest.mark.parametrize(
    "content",
    ["my diary\nToday", '{"a":1}', '{"type":"FeatureCollection","features":[]}'],
)
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "e"
    path.write_text(content)
    with pytest.raises(OutputError, match="not of lines of JSON"):
        writing(path)
    assert path.read_text() == content


def test_where_no_file_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file/e"):
        writing(tmp_path / "file" / "e")
    with pytest.raises(OutputError, match="Is a directory"):
        writing(tmp_path)
