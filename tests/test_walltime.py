"""Wall time stays true when the clock is stepped, the machine sleeps or a quartz runs away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamser.walltime import SLACK, WallTime

NEW_YEAR = datetime(1970, 1, 1, tzinfo=UTC)


class Machine:
    """Its two clocks, and a sound card with one of its own."""

    def __init__(self) -> None:
        self.now = 7.0
        self.wall = NEW_YEAR
        self.t = 0.0
        self.time = WallTime(self.t, clock=lambda: self.now, now=lambda: self.wall)

    def run(self, seconds: float, *, rate: float = 1.0) -> None:
        """Let time pass; `rate` is seconds of audio per second."""
        self.now += seconds
        self.wall += timedelta(seconds=seconds)
        self.t += rate * seconds
        self.time.follow(self.t)

    def wrong_by(self) -> float:
        """Return the seconds that the last sample's wall time is wrong by."""
        return (self.time.zero + timedelta(seconds=self.t) - self.wall).total_seconds()


@pytest.mark.parametrize("step", [timedelta(days=20_000), timedelta(hours=-1)])
def test_a_step_of_the_wall_clock_is_followed(step: timedelta) -> None:
    machine = Machine()
    machine.run(5.0)
    assert machine.time.zero == NEW_YEAR
    machine.wall += step
    machine.run(5.0)
    assert machine.time.zero == NEW_YEAR + step


@settings(deadline=None)
@given(st.floats(-500e-6, 500e-6), st.lists(st.floats(0.1, 60.0), max_size=50))
def test_a_quartz_that_runs_away_is_followed_for_months(drift: float, pauses: list[float]) -> None:
    machine = Machine()
    for _ in range(90):
        machine.run(86_400.0, rate=1 + drift)
        assert abs(machine.wrong_by()) <= SLACK + 1e-3
    for pause in pauses:
        machine.run(pause, rate=1 + drift)
        assert abs(machine.wrong_by()) <= SLACK + 1e-3


def test_audio_that_is_not_played_in_real_time_is_no_clock() -> None:
    machine = Machine()
    for _ in range(100):
        machine.run(5.0, rate=300.0)
    assert machine.time.zero == NEW_YEAR
    machine.wall += timedelta(hours=2)
    machine.run(5.0, rate=300.0)
    assert machine.time.zero == NEW_YEAR + timedelta(hours=2)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(1.0, 1e5), st.floats(0.0, 1.0)), max_size=30))
def test_audio_that_is_lost_or_pauses_is_followed(spells: list[tuple[float, float]]) -> None:
    machine = Machine()
    for seconds, rate in spells:
        machine.run(seconds, rate=rate)
        assert abs(machine.wrong_by()) <= SLACK + 1e-3


def test_audio_that_was_held_back_once_is_followed_in_time() -> None:
    machine = Machine()
    machine.run(5.0, rate=13.0)
    for _ in range(60):
        machine.run(5.0)
    assert abs(machine.wrong_by()) <= SLACK
