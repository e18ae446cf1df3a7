"""Recordings of any kind become the same 16 kHz mono samples; what is none is refused clearly."""

from __future__ import annotations

import os
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from streamser.audio.inputs import open_source
from streamser.audio.recording import Recording, read_recording
from streamser.audio.source import SourceError

SPEECH_LIKE = 0.25


def chirp(rate: int, seconds: float = 1.0) -> np.ndarray:
    """Return a sweep from 200 to 3000 Hz, float, the same sound at every rate."""
    at = np.arange(round(rate * seconds)) / rate
    return SPEECH_LIKE * np.sin(2 * np.pi * (200 + 1400 * at / seconds) * at)


def heard(path: Path) -> np.ndarray:
    return np.concatenate(list(read_recording(path)))


def likeness(samples: np.ndarray, wanted: np.ndarray) -> float:
    size = min(len(samples), len(wanted))
    return float(np.corrcoef(samples[:size], wanted[:size])[0, 1])


@pytest.mark.parametrize(
    ("rate", "channels", "subtype"),
    [
        (8000, 1, "PCM_16"),
        (16_000, 1, "PCM_16"),
        (16_000, 1, "PCM_U8"),
        (22_050, 2, "PCM_24"),
        (44_100, 2, "PCM_32"),
        (48_000, 6, "FLOAT"),
        (192_000, 1, "DOUBLE"),
        (16_000, 1, "ULAW"),
    ],
)
def test_wav_of_any_rate_channels_and_width(
    tmp_path: Path, rate: int, channels: int, subtype: str
) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.tile(chirp(rate)[:, None], channels), rate, subtype)
    samples = heard(path)
    assert samples.dtype == np.int16
    assert len(samples) == 16_000
    assert likeness(samples, chirp(16_000)) > 0.999
    assert abs(np.abs(samples[1000:-1000]).max() / 32768 - SPEECH_LIKE) < 0.02


@pytest.mark.parametrize(
    ("name", "rate"),
    [("a.flac", 16_000), ("a.ogg", 44_100), ("a.opus", 48_000), ("a.mp3", 44_100)],
)
def test_compressed_recordings(tmp_path: Path, name: str, rate: int) -> None:
    path = tmp_path / name
    kind = {"format": "OGG", "subtype": "OPUS"} if name.endswith("opus") else {}
    soundfile.write(path, chirp(rate), rate, **kind)
    samples = heard(path)
    assert abs(len(samples) - 16_000) < 2400
    lag = max(range(2400), key=lambda lag: likeness(samples[lag:], chirp(16_000)))
    assert likeness(samples[lag:], chirp(16_000)) > 0.95


def test_channels_are_mixed_to_their_mean(tmp_path: Path) -> None:
    left, right = chirp(16_000), np.zeros(16_000)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), 16_000, "FLOAT")
    wanted = np.rint(left.astype(np.float32) / 2 * 32768)
    assert np.array_equal(heard(tmp_path / "a.wav"), wanted)


def test_16_bit_mono_at_16_khz_arrives_bit_for_bit(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(-32768, 32768, 20_000).astype(np.int16)
    soundfile.write(tmp_path / "a.flac", samples, 16_000)
    assert np.array_equal(heard(tmp_path / "a.flac"), samples)


def test_beyond_full_scale_is_clipped(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([2.0, -2.0, 0.5]), 16_000, "FLOAT")
    assert heard(tmp_path / "a.wav").tolist() == [32767, -32768, 16384]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("beyond", [1e36, -3.4e38])
def test_a_sample_far_beyond_full_scale_is_clipped_as_any_other(
    tmp_path: Path, rate: int, channels: int, beyond: float
) -> None:
    samples = np.tile(chirp(rate)[:, None], channels)
    for name, value in {"far.wav": beyond, "at.wav": np.sign(beyond)}.items():
        samples[5000] = value
        soundfile.write(tmp_path / name, samples, rate, "FLOAT")
    assert np.array_equal(heard(tmp_path / "far.wav"), heard(tmp_path / "at.wav"))


def test_a_name_need_not_be_utf_8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.wav")
    soundfile.write(os.fsencode(path), np.zeros(1600), 16_000, format="WAV")
    assert sum(len(block) for block in read_recording(path)) == 1600


def test_one_sample_is_a_recording(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([0.5]), 16_000)
    assert heard(tmp_path / "a.wav").tolist() == [16384]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_named(tmp_path: Path, bad: float) -> None:
    samples = chirp(16_000, 2.0)
    samples[20_001] = bad
    soundfile.write(tmp_path / "a.wav", samples, 16_000, "FLOAT")
    with pytest.raises(SourceError, match="sample 20001 "):
        heard(tmp_path / "a.wav")


def test_what_is_no_recording_is_refused_in_one_line_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("this is a text\n" * 20)
    (tmp_path / "text.raw").write_text("this is a text\n" * 20)
    (tmp_path / "empty.wav").touch()
    soundfile.write(tmp_path / "header.wav", np.empty(0), 16_000)
    os.mkfifo(tmp_path / "pipe.wav")
    whole = tmp_path / "whole.flac"
    soundfile.write(whole, np.random.default_rng(0).normal(0, 0.1, 160_000), 16_000)
    (tmp_path / "cut.flac").write_bytes(whole.read_bytes()[:30])
    for name, reason in {
        "missing.wav": "No such file",
        ".": "directory",
        "text.wav": "no recording",
        "text.raw": "no recording",
        "empty.wav": "empty",
        "header.wav": "no audio",
        "pipe.wav": "--input -",
        "cut.flac": "no recording|no audio",
    }.items():
        with pytest.raises(SourceError, match=reason) as refused:
            heard(tmp_path / name)
        assert str(tmp_path / name) in str(refused.value)
        assert "\n" not in str(refused.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_unreadable_recording(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    (tmp_path / "a.wav").chmod(0)
    with pytest.raises(SourceError, match="Permission denied"):
        heard(tmp_path / "a.wav")


def test_a_damaged_end_gives_what_came_before_it(tmp_path: Path) -> None:
    whole = tmp_path / "whole.flac"
    soundfile.write(whole, np.random.default_rng(0).normal(0, 0.1, 160_000), 16_000)
    data = whole.read_bytes()
    (tmp_path / "cut.flac").write_bytes(data[: len(data) // 2])
    read = 0
    try:
        for block in read_recording(tmp_path / "cut.flac"):
            read += len(block)
    except SourceError as error:
        assert re.search(r"damaged after \d", str(error))
    assert 60_000 < read < 90_000


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    def peak(seconds: int) -> int:
        soundfile.write(tmp_path / "a.flac", np.zeros((48_000 * seconds, 2)), 48_000)
        tracemalloc.start()
        for _ in read_recording(tmp_path / "a.flac"):
            pass
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(2)
    assert peak(40) < 1.2 * peak(4)


class Clock:
    """Time that passes only in `sleep`."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_paced_recording_gives_each_sample_when_a_microphone_would(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", chirp(44_100, 3.0), 44_100)
    clock = Clock()
    source = Recording(tmp_path / "a.wav", clock=clock, sleep=clock.sleep)
    source.open()
    given = 0
    while (samples := source.read(0.25)) is not None:
        given += len(samples)
        assert len(samples) <= 1280
        assert given / 16_000 == pytest.approx(clock.now - 100.0, abs=1e-6)
    assert given == 48_000
    source.close()
    source.close()


def test_paced_recording_returns_in_time_and_catches_up_after_a_stall(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", chirp(16_000, 2.0), 16_000)
    clock = Clock()
    source = Recording(tmp_path / "a.wav", clock=clock, sleep=clock.sleep)
    source.open()
    samples = source.read(0.005)
    assert samples is not None
    assert len(samples) == 0
    assert clock.now == pytest.approx(100.005)
    clock.now += 1.0
    given = 0
    while given < 16_000:
        samples = source.read(0.0)
        assert samples is not None
        assert len(samples) > 0
        given += len(samples)
    assert given == 16_000
    assert clock.now == pytest.approx(101.005)
    assert source.waiting == pytest.approx(80, abs=1)


def test_unpaced_recording_never_waits(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", chirp(16_000, 5.0), 16_000)
    clock = Clock()
    source = open_source(str(tmp_path / "a.wav"), paced=False, clock=clock, sleep=clock.sleep)
    source.open()
    given = 0
    while (samples := source.read(1.0)) is not None:
        given += len(samples)
    assert given == 80_000
    assert clock.now == 100.0
