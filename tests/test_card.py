"""A sound card without a sound server: a real one for the kernel (snd-aloop), which hears what is
played to it. `scripts/try-card` brings one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from listening import PATIENCE, Listening, assert_the_oldest_is_lost, utterances_of
from loopback import CARD, ENV, SPEC, player

from streamser.audio.alsapcm import AlsaPcm, UnfitError
from streamser.audio.soundcards import SoundCard

DRIVER = Path("/sys/bus/platform/drivers/snd_aloop")

pytestmark = [
    pytest.mark.skipif(CARD is None, reason="needs modprobe snd-aloop index=1 pcm_substreams=1"),
    pytest.mark.flaky(reruns=2),
]


@pytest.fixture
def card() -> SoundCard:
    assert CARD is not None
    return CARD


@contextmanager
def listening(spec: str) -> Iterator[Listening]:
    process = Listening(ENV, "-m", "streamser", "listen", "--input", spec)
    try:
        yield process
    finally:
        process.process.kill()
        process.process.wait()


@pytest.mark.parametrize(
    "form",
    [
        ("16000", "1", "S16_LE"),
        ("48000", "2", "S32_LE"),
        ("44100", "2", "S24_3LE"),
        ("48000", "1", "S24_LE"),
    ],
    ids="-".join,
)
def test_speech_is_found_whatever_the_card_offers(
    card: SoundCard, sentence: Path, form: tuple[str, ...]
) -> None:
    wanted = utterances_of(sentence)
    with player(sentence, *form) as playing, listening(SPEC) as hearing:
        started = hearing.until("session.started")
        assert (started["source"], started["sample_rate"]) == (f"mic:{card.name}", int(form[0]))
        assert playing.stdin is not None
        print(file=playing.stdin, flush=True)
        for expected in wanted:
            found = hearing.until("utterance")
            length = found["end"] - found["start"]
            assert length == pytest.approx(expected.end - expected.start, abs=0.4)
            assert found["label"] == expected.label
        hearing.until("health")
        hearing.end()
    assert "source.lost" not in {event["type"] for event in hearing.events}
    assert hearing.events[-2]["dropped_s"] == 0


def test_what_was_read_stays_as_it_was(card: SoundCard, sentence: Path) -> None:
    with player(sentence, "16000", "1", "S16_LE") as playing:
        pcm = AlsaPcm(card.path, rate=16_000, seconds=5.0)
        assert playing.stdin is not None
        print(file=playing.stdin, flush=True)
        time.sleep(2.0)
        first = pcm.read()
        as_it_was = first.copy()
        time.sleep(1.0)
        second = pcm.read()
        pcm.close()
    assert first.any()
    assert second.any()
    assert np.array_equal(first, as_it_was)


def test_the_first_card_is_the_default_one_and_no_library_is_loaded_for_it(card: SoundCard) -> None:
    assert card.card > 0  # where the very first card records, ALSA's default may be shared
    with listening("mic") as hearing:
        assert hearing.until("session.started")["source"] == f"mic:{card.name}"
        hearing.until("health")
        loaded = Path(f"/proc/{hearing.process.pid}/maps").read_text()
        assert not any(library in loaded for library in ("libasound", "libportaudio"))
        hearing.end()


def test_a_reader_that_stalls_loses_the_oldest_and_every_sample_is_counted(
    card: SoundCard,
) -> None:
    assert_the_oldest_is_lost(ENV, card.name)


def test_a_card_that_another_program_hears_is_told_in_a_line(card: SoundCard) -> None:
    pcm = AlsaPcm(card.path, rate=16_000, seconds=1.0)
    done = subprocess.run(
        [sys.executable, "-m", "streamser", "listen", "--input", SPEC],
        env=ENV,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    pcm.close()
    assert done.returncode == 1
    assert done.stdout == ""
    assert "another program may be using it" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_card_whose_memory_is_too_short_does_not_fit(card: SoundCard) -> None:
    with pytest.raises(UnfitError, match="its memory holds"):
        AlsaPcm(card.path, rate=16_000, seconds=1000.0)
    AlsaPcm(card.path, rate=16_000, seconds=1.0).close()  # it is free again


@pytest.mark.skipif(not os.access(DRIVER / "unbind", os.W_OK), reason="needs root")
def test_a_card_that_is_unplugged_is_a_lost_source_until_it_is_back(
    card: SoundCard, sentence: Path
) -> None:
    with listening(SPEC) as hearing:
        hearing.until("session.started")
        (DRIVER / "unbind").write_text("snd_aloop.0")
        assert "went away" in hearing.until("source.lost")["reason"]
        hearing.until("health")
        (DRIVER / "bind").write_text("snd_aloop.0")
        hearing.until("source.restored")
        with player(sentence, "16000", "1", "S16_LE") as playing:
            assert playing.stdin is not None
            print(file=playing.stdin, flush=True)
            hearing.until("utterance")
            hearing.end()
