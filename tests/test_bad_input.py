"""Bad input: one clear line on standard error and the right exit code, from the real process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from streamser.clip import demo_clip

ROOT = Path(__file__).resolve().parent.parent
CLIP = str(demo_clip())

FAKE_SOUNDDEVICE = """
import contextlib

class PortAudioError(Exception):
    pass

_initialized = 1

def _initialize():
    global _initialized
    _initialized += 1

def _terminate():
    global _initialized
    _initialized -= 1

def query_hostapis():
    return ({"name": "ALSA"},)

def query_devices(kind=None):
    device = {"index": 0, "name": "USB Audio", "hostapi": 0, "max_input_channels": 1,
              "default_samplerate": 48000.0}
    return device if kind else [device]

class InputStream:
    def __init__(self, **options):
        raise PortAudioError("Error opening InputStream: Device unavailable [PaErrorCode -9985]")
"""
"""One microphone, which another program has opened."""


def streamser(*args: str, **more: Any) -> subprocess.CompletedProcess[str]:
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 60}
    command = [sys.executable, "-m", "streamser", *args]
    return subprocess.run(command, text=True, cwd=ROOT, **(options | more))


def one_line(done: subprocess.CompletedProcess[str], *words: str) -> str:
    """Assert a failure that is told in one line with these words."""
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("streamser: ")
    assert all(word in line for word in words), line
    assert "internal error" not in line
    return line


def voice(rate: int = 16_000, seconds: float = 5.0) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return bundled speech at another rate, crudely resampled."""
    samples, own = soundfile.read(CLIP, dtype="float32")
    at = np.arange(int(seconds * rate)) * (own / rate)
    return np.interp(at, np.arange(samples.size), samples).astype(np.float32)


def no_such_file(folder: Path) -> Path:
    return folder / "none.wav"


def empty_file(folder: Path) -> Path:
    (folder / "empty.wav").touch()
    return folder / "empty.wav"


def text_file(folder: Path) -> Path:
    (folder / "text.wav").write_text("This is no sound.\n" * 100)
    return folder / "text.wav"


def no_samples(folder: Path) -> Path:
    soundfile.write(folder / "none.wav", np.zeros(0, dtype=np.int16), 16_000)
    return folder / "none.wav"


def nan_samples(folder: Path, value: float = np.nan) -> Path:
    samples = voice()
    samples[20_000] = value
    soundfile.write(folder / "nan.wav", samples, 16_000, subtype="FLOAT")
    return folder / "nan.wav"


def inf_samples(folder: Path) -> Path:
    return nan_samples(folder, np.inf)


def unreadable_kind(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.wav")
    return folder / "pipe.wav"


BAD = [
    (no_such_file, "No such file"),
    (empty_file, "empty"),
    (text_file, "no recording"),
    (no_samples, "no audio"),
    (nan_samples, "NaN"),
    (inf_samples, "Inf"),
    (unreadable_kind, "no regular file"),
]


@pytest.mark.parametrize(("make", "word"), BAD, ids=[make.__name__ for make, _ in BAD])
def test_a_bad_recording(make: Callable[[Path], Path], word: str, tmp_path: Path) -> None:
    path = str(make(tmp_path))
    one_line(streamser("analyze", path), path, word)
    one_line(streamser("listen", "--fast", "--input", path), path, word)


def test_a_bad_recording_on_the_dashboard(tmp_path: Path) -> None:
    one_line(streamser("live", "--input", str(text_file(tmp_path))), "text.wav", "no recording")


def test_one_sample_is_a_recording_without_speech(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "one.wav", np.ones(1, dtype=np.int16), 16_000)
    done = streamser("analyze", str(tmp_path / "one.wav"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "no_speech" in done.stdout
    assert streamser("listen", "--fast", "--input", str(tmp_path / "one.wav")).returncode == 0


@pytest.mark.parametrize(
    ("rate", "subtype", "channels"),
    [(8_000, "PCM_16", 1), (192_000, "PCM_24", 1), (44_100, "PCM_24", 2), (48_000, "FLOAT", 6)],
)
def test_unusual_recordings_are_heard(
    rate: int, subtype: str, channels: int, tmp_path: Path
) -> None:
    samples = np.repeat(voice(rate)[:, None], channels, axis=1)
    soundfile.write(tmp_path / "x.wav", samples, rate, subtype=subtype)
    done = streamser("analyze", "--format", "csv", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    _, row = done.stdout.splitlines()
    start, end = map(float, row.split(",")[1:3])
    assert start == pytest.approx(0.72, abs=0.25) and end == pytest.approx(4.08, abs=0.4)


def test_a_directory(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    one_line(streamser("analyze", str(tmp_path)), str(tmp_path), "no recordings")
    one_line(streamser("listen", "--input", str(tmp_path)), str(tmp_path), "directory")


def test_in_a_folder_the_good_ones_are_still_analysed(tmp_path: Path) -> None:
    for make in (empty_file, text_file, nan_samples):
        make(tmp_path)
    soundfile.write(tmp_path / "zz-good.wav", voice(), 16_000)
    soundfile.write(tmp_path / "a-good.wav", voice(), 16_000)
    done = streamser("analyze", "--whole", "--json", str(tmp_path), str(tmp_path / "none.wav"))
    assert done.returncode == 1
    assert [line.count("good.wav") for line in done.stdout.splitlines()] == [1, 1]
    *bad, summary = done.stderr.splitlines()
    named = ("empty.wav", "nan.wav", "text.wav", "none.wav")
    assert [name in line for name, line in zip(named, bad, strict=True)] == [True] * 4
    assert "4 of 6" in summary


def test_a_damaged_recording_keeps_what_came_before(tmp_path: Path) -> None:
    samples = np.concatenate([voice(), np.zeros(16_000, dtype=np.float32)])
    samples[-100] = np.nan
    soundfile.write(tmp_path / "x.wav", samples, 16_000, subtype="FLOAT")
    done = streamser("analyze", "--json", str(tmp_path / "x.wav"))
    one_line(done, "x.wav")
    assert done.stdout.count('"path"') == 1


@pytest.fixture
def busy(tmp_path: Path) -> dict[str, str]:
    """An environment in which the only microphone is in use."""
    (tmp_path / "sounddevice.py").write_text(FAKE_SOUNDDEVICE)
    return dict(os.environ) | {"PYTHONPATH": str(tmp_path)}


def test_an_unknown_device(busy: dict[str, str]) -> None:
    done = streamser("listen", "--input", "mic:nonesuch", env=busy)
    one_line(done, "nonesuch", "choose one of 0 (USB Audio)")
    one_line(streamser("listen", "--input", "mic:7", env=busy), "number 7", "0 (USB Audio)")


def test_a_device_in_use(busy: dict[str, str]) -> None:
    for args in (["listen"], ["live", "--input", "mic:USB"]):
        one_line(streamser(*args, env=busy), "USB Audio", "another program may be using it")


def test_the_doctor_on_a_device_in_use(busy: dict[str, str]) -> None:
    done = streamser("doctor", env=busy)
    assert done.returncode == 1
    assert any(
        line.startswith("BROKEN") and "another program may be using it" in line
        for line in done.stdout.splitlines()
    )


def test_no_portaudio(tmp_path: Path) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    environment = dict(os.environ) | {"PYTHONPATH": str(tmp_path)}
    for args in (["listen"], ["devices"]):
        one_line(streamser(*args, env=environment), "apt-get install libportaudio2")


def test_an_unknown_model(tmp_path: Path) -> None:
    one_line(streamser("analyze", CLIP, "--model", "nonesuch"), "nonesuch", "there are: ")
    one_line(streamser("analyze", CLIP, "--model", str(tmp_path)), str(tmp_path), "manifest.json")


def test_standard_input_that_is_closed() -> None:
    done = streamser("listen", "--input", "-", preexec_fn=lambda: os.close(0))
    one_line(done, "standard input is closed")


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["listen", "--help"],
        ["--version"],
        ["models"],
        ["doctor"],
        ["listen", "--fast", "--input", CLIP],
        ["live", "--input", CLIP],
        *(["analyze", CLIP, "--format", form] for form in ("table", "jsonl", "csv", "emotionml")),
    ],
    ids=" ".join,
)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_on_stdout(args: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        one_line(streamser(*args, stdout=full), "No space left on device")


@pytest.mark.parametrize("closed", [1, 2])
def test_closed_streams_are_no_error(closed: int) -> None:
    done = streamser("analyze", CLIP, preexec_fn=lambda: os.close(closed))
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
