"""What a hop and a second of audio cost in instructions, a figure that repeats: no regression."""

from __future__ import annotations

import json

import pytest

from benchmarks.instructions import BUDGET, missing, on_x86, versions

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))

TOLERANCE = 0.05


def test_nothing_takes_more_instructions_than_its_budget() -> None:
    budget = json.loads(BUDGET.read_text())
    if versions() != budget["versions"]:
        pytest.skip(f"the budget was counted with other versions: {budget['versions']}")
    counted = on_x86()
    assert counted.keys() == budget["instructions"]["x86-64"].keys()
    over = {
        part: f"{counted[part] / allowed - 1:+.1%}"
        for part, allowed in budget["instructions"]["x86-64"].items()
        if counted[part] > (1 + TOLERANCE) * allowed
    }
    assert not over, "if that has to be: python -m benchmarks.instructions --budget"
