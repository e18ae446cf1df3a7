"""What an emulated Pi says is held against what this machine says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.agreement import differences, read

RECORD: dict[str, Any] = {
    "type": "emotion",
    "t": 1.5,
    "label": "happy",
    "scores": {"happy": 0.75, "sad": 0.25},
    "time": "2026-01-01T00:00:00Z",
}


def test_rounding_and_clocks_are_no_difference() -> None:
    other = RECORD | {"scores": {"happy": 0.76, "sad": 0.24}, "time": "2026-01-02T00:00:00Z"}
    assert differences([RECORD], [other]) == []


@pytest.mark.parametrize(
    "other",
    [{"label": "sad"}, {"t": 1.58}, {"scores": {"happy": 0.7, "sad": 0.3}}, {"label": None}],
)
def test_what_is_said_otherwise_is_named(other: dict[str, Any]) -> None:
    (complaint,) = differences([RECORD], [RECORD | other])
    assert next(iter(other)) in complaint


def test_a_missing_line_is_a_difference() -> None:
    assert differences([RECORD], []) == ["1 lines here, 0 there"]


def test_health_comes_by_wall_time_and_is_left_out(tmp_path: Path) -> None:
    lines = [RECORD, {"type": "health", "t": 2.0}]
    (tmp_path / "told").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read(tmp_path / "told") == [RECORD]
