"""Rooms and other renditions of a clip that a network trains on."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pyroomacoustics")

from streamser.audio.source import SAMPLE_RATE
from train.rooms import in_room, room_of, room_response


def test_a_room_answers_after_the_direct_sound_and_dies_away() -> None:
    energy = room_response(np.random.default_rng(3)) ** 2
    assert energy.argmax() == 0
    tail = energy[::-1].cumsum()[::-1]
    assert tail[SAMPLE_RATE // 100] > tail[0] / 1000
    assert tail[int(0.9 * tail.size)] < tail[0] / 1000


def test_a_room_is_the_same_in_every_run_and_another_in_the_test() -> None:
    np.testing.assert_array_equal(room_of("train", 7), room_of.__wrapped__("train", 7))
    assert room_of("train", 7).size != room_of("test", 7).size


def test_a_voice_in_a_room_stays_as_long_and_as_loud() -> None:
    rng = np.random.default_rng(0)
    voice = (3000 * rng.standard_normal(SAMPLE_RATE)).astype(np.int16)
    heard = in_room(voice, room_of("train", 1))
    assert heard.shape == voice.shape and heard.dtype == np.int16
    level = [np.sqrt(np.mean(x.astype(float) ** 2)) for x in (voice, heard)]
    assert level[1] == pytest.approx(level[0], rel=0.01)
    silence = np.zeros(1600, np.int16)
    np.testing.assert_array_equal(in_room(silence, room_of("train", 1)), silence)
