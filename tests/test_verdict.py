"""Calibrated, smoothed, hysteretic, and silent when it should be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamser.analysis.affect import COORDINATES, project
from streamser.analysis.verdict import MARGIN, Verdict
from streamser.model.manifest import VerdictSettings

LABELS = ("neutral", "happy", "sad", "unknown")


def verdict(
    temperature: float = 1.0, threshold: float = 0.0, unknown_above: float = 1.0
) -> Verdict:
    settings = VerdictSettings(
        temperature=temperature, threshold=threshold, unknown_above=unknown_above
    )
    return Verdict(LABELS, settings, interval=0.24)


def logits(*p: float) -> np.ndarray:
    return np.log(np.array(p, np.float32))


@given(st.lists(st.floats(-30, 30), min_size=4, max_size=4), st.floats(0.1, 10))
def test_probabilities_sum_to_one_and_keep_their_order(values: list[float], t: float) -> None:
    found = verdict(temperature=t).probabilities(np.array(values, np.float32))
    assert found.sum() == pytest.approx(1.0)
    assert found[np.array(values, np.float32).argmax()] == found.max()


def test_status_grows_with_the_speech() -> None:
    judge = verdict()
    sure = logits(0.05, 0.9, 0.03, 0.02)
    assert judge.push(sure, 0.3).status == "warming_up"
    assert judge.push(sure, 0.3).label is None
    assert judge.push(sure, 0.6).status == "provisional"
    assert judge.push(sure, 1.6).status == "steady"
    assert judge.push(sure, 1.6).label == "happy"


def test_unknown_and_unsure_name_no_emotion() -> None:
    unknown = verdict().finish(logits(0.1, 0.1, 0.1, 0.7), 3.0)
    assert (unknown.status, unknown.label) == ("unknown", None)
    assert unknown.confidence == pytest.approx(0.7)
    doubtful = verdict(unknown_above=0.2).finish(logits(0.5, 0.1, 0.1, 0.3), 3.0)
    assert (doubtful.status, doubtful.label) == ("unknown", None)
    unsure = verdict(threshold=0.5).finish(logits(0.4, 0.3, 0.2, 0.1), 3.0)
    assert (unsure.status, unsure.label) == ("unknown", None)


def test_the_label_does_not_flicker() -> None:
    judge = verdict()
    a = logits(0.45, 0.40, 0.10, 0.05)
    b = logits(0.41, 0.44, 0.10, 0.05)
    labels = [judge.push(x, 2.0).label for x in [a, b] * 10]
    assert set(labels) == {"neutral"}
    clear = logits(0.2, 0.2 + 3 * MARGIN, 0.2, 0.05)
    for _ in range(20):
        last = judge.push(clear, 2.0)
    assert last.label == "happy"


def test_an_utterance_knows_nothing_of_the_one_before() -> None:
    judge = verdict()
    for _ in range(5):
        judge.push(logits(0.9, 0.05, 0.03, 0.02), 2.0)
    judge.reset()
    assert judge.push(logits(0.05, 0.9, 0.03, 0.02), 2.0).label == "happy"


def test_affect_is_the_expected_coordinate() -> None:
    assert project({"neutral": 1.0}) == (0.0, 0.0)
    assert project({"angry": 1.0}) == COORDINATES["angry"]
    valence, arousal = project({"sad": 0.5, "unknown": 0.5})
    assert valence == pytest.approx(COORDINATES["sad"][0] / 2)
    assert arousal == pytest.approx(COORDINATES["sad"][1] / 2)
