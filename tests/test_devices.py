"""The device that was asked for is the one that is heard, or the candidates are named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from streamser.audio.devices import Device, choose
from streamser.audio.inputs import open_source
from streamser.audio.microphone import Microphone
from streamser.audio.pcm import PcmPipe
from streamser.audio.recording import Recording
from streamser.audio.source import SourceError


def device(
    number: int | None, name: str, *, default: bool = False, key: str | None = None
) -> Device:
    return Device(
        number=number,
        name=name,
        api="ALSA",
        channels=1,
        rate=48_000,
        default=default,
        key=key,
    )


DEVICES = [
    device(0, "HDA Intel: ALC257 Analog (hw:0,0)"),
    device(2, "USB Audio: Mic 5 (hw:1,0)", default=True),
    device(5, "USB Audio: Headset (hw:2,0)"),
    device(6, "pulse"),
    device(7, "pulse monitor"),
]


@pytest.mark.parametrize(
    ("wanted", "number"),
    [(None, 2), ("5", 5), ("headset", 5), ("hw:0", 0), ("mic 5", 2), ("pulse", 6), ("MONITOR", 7)],
)
def test_a_device_is_found(wanted: str | None, number: int) -> None:
    assert choose(DEVICES, wanted).number == number


@pytest.mark.parametrize(
    ("wanted", "problem", "candidates"),
    [
        ("usb", "'usb' fits more than one", [2, 5]),
        ("attic", "no microphone is called 'attic'", [0, 2, 5, 6, 7]),
        ("3", "no microphone has the number 3", [0, 2, 5, 6, 7]),
    ],
)
def test_what_fits_none_or_many_names_the_candidates(
    wanted: str, problem: str, candidates: list[int]
) -> None:
    with pytest.raises(SourceError, match=problem) as refused:
        choose(DEVICES, wanted)
    for candidate in DEVICES:
        assert (str(candidate) in str(refused.value)) == (candidate.number in candidates)


@pytest.mark.parametrize(
    ("wanted", "key"),
    [
        ("USB", "usb.mono"),
        ("headset", "usb.mono"),
        ("usb.analog.monitor", "usb.analog.monitor"),
        ("Monitor of USB_Headset", "usb.analog.monitor"),
        ("null", "null.monitor"),
    ],
)
def test_what_is_played_is_heard_only_where_no_microphone_fits(wanted: str, key: str) -> None:
    served = [
        device(None, "Monitor of USB_Headset", key="usb.analog.monitor"),
        device(None, "USB_Headset_Mono", key="usb.mono"),
        device(None, "Monitor of Null Output", key="null.monitor"),
    ]
    assert choose(served, wanted).key == key


def test_no_device_at_all_and_no_default() -> None:
    with pytest.raises(SourceError, match="no microphone is there"):
        choose([], "usb")
    with pytest.raises(SourceError, match="no default microphone"):
        choose(DEVICES[:1], None)


def test_an_input_is_a_microphone_a_pipe_or_a_path() -> None:
    for spec, name in {None: "mic", "mic": "mic", "mic:": "mic", "mic:3": "mic:3"}.items():
        source = open_source(spec)
        assert isinstance(source, Microphone)
        assert source.name == name
    pipe = open_source("-", rate=8000)
    assert isinstance(pipe, PcmPipe)
    assert pipe.native_rate == 8000
    recording = open_source("talk.flac")
    assert isinstance(recording, Recording)
    assert recording.name == "talk.flac"


def test_missing_portaudio_names_the_package_and_the_command() -> None:
    code = """\
import ctypes.util
ctypes.util.find_library = lambda name: None
from streamser.audio.microphone import list_devices
try:
    list_devices()
except Exception as error:
    print(type(error).__name__, error)
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("SourceError")
    assert "sudo apt-get install libportaudio2" in done.stdout
