"""An event as a line of JSON: any reader gets back what was said, to a millionth."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamser.events import Emotion, Health, Latency, ModelInfo, SessionStarted, as_dict, to_json

numbers = st.floats(allow_nan=True, allow_infinity=True)


def told(value: float) -> float | None:
    if not math.isfinite(value):
        return None
    return pytest.approx(value, abs=5.1e-7) if abs(value) < 1e9 else value


@given(confidence=numbers, valence=numbers, name=st.text(), t=st.floats(0, 1e8))
def test_any_reader_gets_back_what_an_event_says(
    confidence: float, valence: float, name: str, t: float
) -> None:
    event = Emotion(
        t=t,
        seq=3,
        utterance=0,
        start=0.5,
        end=1.0,
        status="unknown",
        label=None,
        confidence=confidence,
        scores={"happy": 1e-7, name: 1.0},
        valence=valence,
        arousal=-1e-9,
    )
    line = to_json(event)
    assert "\n" not in line
    read = json.loads(line)
    assert list(read)[:4] == ["type", "seq", "t", "time"] and read["type"] == "emotion"
    assert read["seq"] == 3 and read["time"] is read["label"] is None
    assert math.copysign(1, read["arousal"]) == 1, "a negative zero"
    assert read["scores"] == {"happy": told(1e-7), name: 1.0}
    for key, value in {"t": t, "confidence": confidence, "valence": valence}.items():
        assert read[key] == told(value)


@given(name=st.text(), labels=st.lists(st.text()))
def test_what_stands_within_an_event_is_told_as_well(name: str, labels: list[str]) -> None:
    model = ModelInfo(name=name, version="1", sha256="0", labels=tuple(labels))
    started = SessionStarted(t=0.0, version="1", model=model, source=name, sample_rate=16_000)
    assert as_dict(started)["model"] == {
        "name": name, "version": "1", "sha256": "0", "labels": labels
    }  # fmt: skip
    health = Health(
        t=1.0,
        lag_s=0.0,
        overruns=2,
        dropped_s=0.0,
        level_dbfs=None,
        latency_ms=Latency(p50=0.25, p95=1.0, p99=2.0),
        cpu=0.004,
        rss_mb=46.25,
        speech=True,
    )
    read = as_dict(health)
    assert read["latency_ms"] == {"p50": 0.25, "p95": 1.0, "p99": 2.0}
    assert read["speech"] is True and read["overruns"] == 2 and read["rss_mb"] == 46.25
