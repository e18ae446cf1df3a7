"""Profiles: an ordinary voice as numbers, kept, used, passed on and forgotten."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pulse
import pytest
from corpora import ROOT, needs_corpora, samples
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamser import strict
from streamser.analysis.analyzer import Analyzer
from streamser.analysis.calibration import Calibration
from streamser.analysis.profile import (
    Profile,
    ProfileError,
    delete_profile,
    load_profile,
    read_profile,
    save_profile,
    shift,
    to_json,
)
from streamser.analysis.whole import analyze_whole
from streamser.audio.recording import read_recording
from streamser.cli import main
from streamser.clip import demo_clip
from streamser.model.bundle import Bundle, load

CLIP = str(demo_clip())


@functools.cache
def bundle() -> Bundle:
    return load()


@functools.cache
def clip() -> NDArray[np.int16]:
    return np.concatenate(list(read_recording(demo_clip())))


def calibrated(audio: NDArray[np.int16], *chunks: int) -> Profile:
    calibration = Calibration(model=bundle())
    for part in np.split(audio, np.cumsum(chunks)):
        calibration.push(part)
    return calibration.finish("anna")


@functools.cache
def profile() -> Profile:
    return calibrated(clip())


def streamser(state: Path, *args: str, audio: bytes = b"") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "streamser", *args],
        input=audio,
        capture_output=True,
        timeout=60,
        env=os.environ | {"XDG_STATE_HOME": str(state)},
        check=False,
    )
    output, errors = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in errors
    return subprocess.CompletedProcess(done.args, done.returncode, output, errors)


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1
    return done.stderr


@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(1, 40_000), max_size=6))
def test_a_profile_does_not_depend_on_how_the_voice_came_in(chunks: list[int]) -> None:
    assert calibrated(clip(), *chunks) == profile()


def test_a_profile_survives_its_own_json() -> None:
    value = strict.parse_object(to_json(profile()))
    assert strict.read(Profile, value) == profile()


@given(st.floats(-3, 3))
def test_a_voice_like_all_others_changes_nothing(away: float) -> None:
    baseline = bundle().manifest.baseline
    assert baseline is not None
    neutral = np.array(baseline.neutral)
    own = strict.plain(profile()) | {"pooled": (neutral + away).tolist()}
    np.testing.assert_allclose(
        shift(bundle(), strict.read(Profile, own)), baseline.share * away, atol=1e-5
    )
    assert not shift(bundle(), None).any()


def test_a_profile_is_for_the_network_that_heard_the_voice() -> None:
    with pytest.raises(ProfileError, match=r"another model.*streamser calibrate --profile anna"):
        analyze_whole([clip()], model="streamser-open", profile=profile())


def test_ten_seconds_of_speech_are_needed() -> None:
    with pytest.raises(ProfileError, match=r"heard [0-9] s of speech, a profile takes 10 s"):
        calibrated(clip()[: 9 * 16_000])
    with pytest.raises(ProfileError, match="heard 0 s"):
        calibrated(np.zeros(16_000 * 20, np.int16))


def test_calibrated_used_listed_exported_and_forgotten(tmp_path: Path) -> None:
    made = streamser(tmp_path, "calibrate", "--profile", "anna", "--input", CLIP)
    assert made.returncode == 0 and "before and after" in made.stdout
    path = tmp_path / "streamser" / "profiles" / "anna.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size < 16_384, "statistics, not sound"
    used = streamser(tmp_path, "listen", "--profile", "anna", "--input", CLIP, "--fast")
    events = [json.loads(line) for line in used.stdout.splitlines()]
    plain = streamser(tmp_path, "listen", "--input", CLIP, "--fast")
    others = [json.loads(line) for line in plain.stdout.splitlines()]
    assert events[0]["profile"] == "anna" and others[0]["profile"] is None
    assert [e["t"] for e in events] == [e["t"] for e in others]
    assert [e["scores"] for e in events if e["type"] == "utterance"] != [
        e["scores"] for e in others if e["type"] == "utterance"
    ]
    whole = streamser(tmp_path, "analyze", "--whole", "--json", "--profile", "anna", CLIP)
    assert whole.returncode == 0
    assert "anna" in streamser(tmp_path, "calibrate", "--list").stdout
    exported = streamser(tmp_path, "calibrate", "--export", "anna").stdout
    assert streamser(tmp_path, "calibrate", "--delete", "anna").returncode == 0
    assert not path.exists()
    assert "no profiles" in streamser(tmp_path, "calibrate", "--list").stdout
    away = tmp_path / "from-elsewhere.json"
    away.write_text(exported)
    assert streamser(tmp_path, "calibrate", "--import", str(away)).returncode == 0
    assert path.read_text() == exported


def test_what_does_not_do_is_told_in_one_line(tmp_path: Path) -> None:
    assert "no profile bert; there are: none" in complaint(
        streamser(tmp_path, "listen", "--profile", "bert", "--input", CLIP, "--fast")
    )
    assert "name has to be" in complaint(streamser(tmp_path, "calibrate", "--profile", "../up"))
    assert "no profile" in complaint(streamser(tmp_path, "calibrate", "--delete", "bert"))
    assert "heard 0 s of speech" in complaint(
        streamser(tmp_path, "calibrate", "--input", "-", audio=bytes(32_000))
    )
    broken = tmp_path / "broken.json"
    broken.write_text('{"name": "x"}')
    assert "is missing" in complaint(streamser(tmp_path, "calibrate", "--import", str(broken)))
    assert streamser(tmp_path, "calibrate", "--seconds", "5").returncode == 2


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of profiles, in which there is one, anna."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return save_profile(profile()).parent


@pytest.mark.parametrize(
    ("option", "code"), [("--profile", 1), ("--delete", 1), ("--export", 1), ("--import", 2)]
)
def test_an_empty_name_is_none(
    option: str, code: int, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", option, "", "--input", CLIP]) == code
    told = capsys.readouterr()
    assert told.out == "" and ("name has to be" in told.err or "it is empty" in told.err)
    assert [path.name for path in state.iterdir()] == ["anna.json"]


def test_a_file_to_import_that_is_not_there_is_no_profile_of_its_name(state: Path) -> None:
    with pytest.raises(ProfileError, match=r"^nothere/anna\.json: No such file"):
        read_profile(Path("nothere/anna.json"))
    with pytest.raises(ProfileError, match=r"^no profile bert; there are: anna$"):
        load_profile("bert")


def test_without_a_home_it_is_told_before_anybody_speaks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", "~nobody-here")
    for name in ("XDG_STATE_HOME", "STATE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ProfileError, match="no home directory"):
        Analyzer(profile="anna")
    for arguments in (["--list"], ["--delete", "anna"], ["--input", "nothing.wav"]):
        assert main(["calibrate", *arguments]) == 1
        told = capsys.readouterr()
        assert told.out == "" and told.err.count("\n") == 1
        assert "no home directory for profiles: set HOME or XDG_STATE_HOME" in told.err


def test_a_damaged_profile_can_be_forgotten(state: Path) -> None:
    (state / "anna.json").write_text("{")
    delete_profile("anna")
    assert not list(state.iterdir())


def test_what_a_profile_says_of_itself_stays_in_its_line(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_profile(dataclasses.replace(profile(), created="\x1b[31m", model="x\ny"))
    assert main(["calibrate", "--list"]) == 0
    assert r"anna  \x1b[31m  " in (out := capsys.readouterr().out) and r"for x\ny" in out


@pytest.mark.parametrize("number", [1e300, -1e38])
def test_statistics_that_would_leave_float32_are_refused(number: float) -> None:
    with pytest.raises(ValueError, match="pooled has to be in"):
        dataclasses.replace(profile(), pooled=(number, *profile().pooled[1:]))


def test_an_analyzer_takes_a_profile_by_its_name(state: Path) -> None:
    assert Analyzer(model=bundle(), profile="anna").profile == profile()


@pytest.mark.skipif(pulse.missing() is not None, reason=str(pulse.missing()))
@pytest.mark.flaky(reruns=2)
def test_a_microphone_is_heard_until_there_is_speech_enough(tmp_path: Path) -> None:
    server = pulse.PulseServer(tmp_path, 48_000)
    server.start()
    try:
        command = [sys.executable, "-m", "streamser", "calibrate", "--profile", "anna"]
        process = subprocess.Popen(
            [*command, "--seconds", "10"],
            env=server.env | {"XDG_STATE_HOME": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        assert "listening to mic:" in process.stderr.readline()
        server.play(demo_clip())
        told, _ = process.communicate(timeout=60)
        assert process.returncode == 0 and "before and after" in told
    finally:
        server.kill()
    made = read_profile(tmp_path / "streamser" / "profiles" / "anna.json")
    assert 10 <= made.speech_seconds <= 14


@needs_corpora
def test_an_ordinary_voice_is_heard_as_more_neutral_by_its_own_measure() -> None:
    clips = sorted((ROOT / "emovo" / "f2").glob("neu-*"))  # a test speaker
    audio = np.concatenate([np.append(samples(str(c)), np.zeros(16_000, np.int16)) for c in clips])
    calibration = Calibration(model=bundle())
    calibration.push(audio)
    before, after = calibration.scores(None), calibration.scores(calibration.finish("bert"))
    assert after["neutral"] > before["neutral"]
