"""The device that was asked for is the one that is heard, or the candidates are named."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from ctypes.util import find_library
from pathlib import Path

import pytest

from streamser.audio.devices import Device, choose
from streamser.audio.inputs import open_source
from streamser.audio.microphone import Microphone
from streamser.audio.pcm import PcmPipe
from streamser.audio.recording import Recording
from streamser.audio.renewal import Renewal
from streamser.audio.source import SourceError

ABSENT = """\
import time
now = 0.0
time.monotonic = lambda: now
from streamser.audio.microphone import Microphone
from streamser.audio.source import SourceError
looks = 0
def initialize():
    global looks
    looks += 1
    found()
for _ in range(720):
    now += 5.0
    try:
        Microphone("not there").open()
    except SourceError as error:
        if not looks:
            import sounddevice
            found, sounddevice._initialize = sounddevice._initialize, initialize
            looks = 1
        told = str(error)
print(told)
print(looks)
"""

LISTING = """\
from pathlib import Path
from streamser.audio.microphone import list_devices
list_devices()
list_devices()
print("pcm_jack" in Path("/proc/self/maps").read_text())
"""

needs_portaudio = pytest.mark.skipif(
    find_library("portaudio") is None, reason="needs apt-get install libportaudio2"
)


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


def run_without_a_sound_server(code: str, home: Path) -> list[str]:
    unwanted = ("ALSA_CONFIG_PATH", "ALSA_CARD", "ALSA_PCM_CARD")
    env = {name: value for name, value in os.environ.items() if name not in unwanted}
    env |= {"HOME": str(home), "PULSE_SERVER": f"unix:{home}/none"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent.parent,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


@needs_portaudio
def test_a_microphone_that_does_not_come_is_not_looked_for_each_time(tmp_path: Path) -> None:
    """It may cost memory, see `renewal`: in an hour of attempts, about every five minutes."""
    told, looks = run_without_a_sound_server(ABSENT, tmp_path)
    assert "no microphone" in told
    assert 12 <= int(looks) <= 60


@needs_portaudio
@pytest.mark.skipif(
    not any(Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_jack.so")),
    reason="needs apt-get install libasound2-plugins",
)
@pytest.mark.skipif(Path("/etc/asound.conf").exists(), reason="ALSA is configured here")
def test_alsas_way_to_jack_is_not_looked_at_unless_a_user_may_have_chosen_it(
    tmp_path: Path,
) -> None:
    assert run_without_a_sound_server(LISTING, tmp_path) == ["False"]
    (tmp_path / ".asoundrc").touch()
    assert run_without_a_sound_server(LISTING, tmp_path) == ["True"]


def test_portaudio_looks_for_devices_where_they_may_have_changed_and_else_seldom(
    tmp_path: Path,
) -> None:
    now = 0.0
    renewal = Renewal(root=tmp_path, clock=lambda: now)
    served: list[Device] = []

    def looks(minutes: int) -> int:
        nonlocal now
        count = 0
        for _ in range(12 * minutes):
            now += 5.0
            count += renewal.due(served)
        return count

    def plug_in() -> None:
        (tmp_path / "sys/class/sound/card1").mkdir(parents=True)

    def occupy() -> None:
        folder = tmp_path / "proc/asound/card1/pcm0c"
        folder.mkdir(parents=True)
        (folder / "info").write_text("subdevices_avail: 0")

    def free() -> None:
        (tmp_path / "proc/asound/card1/pcm0c/info").write_text("subdevices_avail: 1")

    def start_jack() -> None:
        (tmp_path / "dev/shm").mkdir(parents=True)
        (tmp_path / "dev/shm/jack_default_1000_0").touch()

    def serve() -> None:
        served.append(device(None, "USB Headset", key="usb.mono"))

    def unplug() -> None:
        (tmp_path / "sys/class/sound/card1").rmdir()

    changes: list[Callable[[], None]] = [plug_in, occupy, free, start_jack, serve, unplug]
    for change in (*changes, served.clear):
        change()
        assert renewal.due(served)  # at once
        assert looks(2) == 6  # and while it settles
        assert looks(60) == 12
