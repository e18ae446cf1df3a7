"""A real microphone, heard by real processes: found, lost, restored, and never hung upon."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import corpora
import numpy as np
import pulse
import pytest
import soundfile
from listening import PATIENCE, ROOT, Listening, assert_the_oldest_is_lost, utterances_of

from streamser.clip import demo_clip

pytestmark = [
    pytest.mark.skipif(pulse.missing() is not None, reason=str(pulse.missing())),
    # Real time on a machine that others use too: a starved run loses audio, and says so.
    pytest.mark.flaky(reruns=2),
]

RAVDESS = corpora.ROOT / "ravdess" / "Actor_01" / "03-01-05-02-01-01-01.opus"
RECORDING = """\
import sys
import numpy as np
import sounddevice
from streamser.audio.microphone import Microphone
device, refused = sys.argv[1] or None, int(sys.argv[2])
seconds, path = float(sys.argv[3]), sys.argv[4]
class InputStream(sounddevice.InputStream):
    def __init__(self, **options):
        if options["samplerate"] == refused:
            raise sounddevice.PortAudioError("Invalid sample rate")
        super().__init__(**options)
sounddevice.InputStream = InputStream
microphone = Microphone(device)
microphone.open()
print(microphone.native_rate, flush=True)
blocks, size = [], 0
while size < seconds * 16000:
    blocks.append(microphone.read(1.0))
    size += len(blocks[-1])
microphone.close()
np.save(path, np.concatenate(blocks))
print(microphone.dropped, microphone.overruns)
"""

CHOOSING = """\
import sys
from streamser.audio.microphone import Microphone, list_devices
from streamser.audio.source import SourceError
for device in list_devices():
    print("device", device.default, device.number, device.name)
for wanted in sys.argv[1:]:
    microphone = Microphone(wanted)
    try:
        microphone.open()
        print(wanted, "=", microphone.name, len(microphone.read(5.0)) > 0)
    except SourceError as error:
        print(wanted, "!", error)
    microphone.close()
"""

HOPS = """\
import sys
from pathlib import Path
from streamser.audio.microphone import Microphone
microphone = Microphone(sys.argv[1] or None)
microphone.open()
full = 0
for wanted in (1, 2, 3) * 5:
    heard = full % 1280 + len(microphone.read(5.0, wanted))
    print(wanted, heard // 1280, heard % 1280)
    full += heard - full % 1280
loaded = Path("/proc/self/maps").read_text()
print(*(name in loaded for name in ("libavcodec", "libasound")))
microphone.close()
"""

SERVER, PORTAUDIO = "mic", "mic:default"
"""The same microphone by either way."""

both_ways = pytest.mark.parametrize("spec", [SERVER, PORTAUDIO])


@pytest.fixture
def sentences(tmp_path: Path) -> Path:
    """Two synthesised utterances, 8.5 s."""
    samples, rate = soundfile.read(demo_clip(), dtype="int16", frames=136_000)
    soundfile.write(tmp_path / "sentences.wav", samples, rate)
    return tmp_path / "sentences.wav"


@pytest.fixture
def rate() -> int:
    return 16_000


@pytest.fixture
def server(tmp_path: Path, rate: int) -> Iterator[pulse.PulseServer]:
    server = pulse.PulseServer(tmp_path, rate)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def spec() -> str:
    return SERVER


@pytest.fixture
def listening(server: pulse.PulseServer, spec: str) -> Iterator[Listening]:
    listening = Listening(server.env, "-m", "streamser", "listen", "--input", spec)
    listening.until("session.started")
    yield listening
    listening.process.kill()
    listening.process.wait()


def assert_heard(
    listening: Listening, server: pulse.PulseServer, recording: Path, device: str = "mic"
) -> None:
    wanted = utterances_of(recording)
    assert wanted
    server.play(recording, device)
    heard = [listening.until("utterance") for _ in wanted]
    for found, expected in zip(heard, wanted, strict=True):
        since_first = found["start"] - heard[0]["start"]
        assert since_first == pytest.approx(expected.start - wanted[0].start, abs=0.4)
        length = found["end"] - found["start"]
        assert length == pytest.approx(expected.end - expected.start, abs=0.4)
        assert sum(found["scores"].values()) == pytest.approx(1.0, abs=1e-4)


@both_ways
@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_speech_is_found_at_every_device_rate(
    listening: Listening, server: pulse.PulseServer, sentences: Path
) -> None:
    assert_heard(listening, server, sentences)
    listening.end()
    kinds = [event["type"] for event in listening.events]
    assert kinds.count("speech.started") == kinds.count("utterance")
    assert "source.lost" not in kinds
    health = [event for event in listening.events if event["type"] == "health"][-1]
    assert health["overruns"] == health["dropped_s"] == 0


@corpora.needs_corpora
def test_recorded_speech_is_found(listening: Listening, server: pulse.PulseServer) -> None:
    assert_heard(listening, server, RAVDESS)
    listening.end()


@both_ways
def test_a_killed_server_is_a_lost_source_until_it_is_back(
    listening: Listening, server: pulse.PulseServer, sentence: Path
) -> None:
    server.kill()
    assert "went away" in listening.until("source.lost")["reason"]
    server.start()
    restored = listening.until("source.restored")
    assert restored["t"] > 0
    assert_heard(listening, server, sentence)
    listening.end()
    assert [e["type"] for e in listening.events].count("source.lost") == 1


@both_ways
def test_a_suspended_source_is_lost_although_its_stream_stays_open(
    listening: Listening, server: pulse.PulseServer, sentence: Path
) -> None:
    server.suspend(True)
    assert listening.until("source.lost")["reason"] == "no audio for 1 s"
    listening.until("health")
    server.suspend(False)
    listening.until("source.restored")
    assert_heard(listening, server, sentence)
    listening.end()


def test_a_moment_without_audio_is_no_loss_but_is_counted(
    listening: Listening, server: pulse.PulseServer
) -> None:
    first = listening.until("health")
    for _ in range(4):
        server.suspend(True)
        time.sleep(0.6)
        server.suspend(False)
        time.sleep(1.0)
    listening.until("health")
    last = listening.until("health")
    listening.end()
    assert "source.lost" not in [event["type"] for event in listening.events]
    assert last["dropped_s"] - first["dropped_s"] == pytest.approx(2.4, abs=0.4)
    assert last["overruns"] > 0
    passed = datetime.fromisoformat(last["time"]) - datetime.fromisoformat(first["time"])
    assert last["t"] - first["t"] == pytest.approx(passed.total_seconds(), abs=0.3)


@both_ways
def test_a_frozen_server_hangs_nobody_and_is_found_again_when_it_thaws(
    listening: Listening, server: pulse.PulseServer, sentence: Path
) -> None:
    server.freeze()
    listening.until("source.lost")
    listening.until("health")
    server.thaw()
    listening.until("source.restored")
    assert_heard(listening, server, sentence)
    listening.end()


@both_ways
def test_listening_to_a_frozen_server_can_be_ended(
    listening: Listening, server: pulse.PulseServer
) -> None:
    server.freeze()
    listening.until("source.lost")
    listening.end()


def test_a_microphone_of_the_server_is_heard_by_its_name_and_no_other_in_its_place(
    server: pulse.PulseServer, sentence: Path
) -> None:
    module = server.plug_in_another("attic")
    listening = Listening(server.env, "-m", "streamser", "listen", "--input", "mic:ATTIC")
    started = listening.until("session.started")
    assert (started["source"], started["sample_rate"]) == ("mic:Monitor of Attic", 16_000)
    server.play(sentence)
    assert_heard(listening, server, sentence, "attic")
    server.unplug(module)
    assert "went away" in listening.until("source.lost")["reason"]
    server.play(sentence)
    server.plug_in_another("attic")
    listening.until("source.restored")
    assert_heard(listening, server, sentence, "attic")
    listening.end()
    kinds = [event["type"] for event in listening.events]
    assert kinds.count("utterance") == len(2 * utterances_of(sentence))


def test_a_microphone_that_is_not_there_is_waited_for(
    server: pulse.PulseServer, sentence: Path
) -> None:
    server.kill()
    listening = Listening(server.env, "-m", "streamser", "listen", "--wait")
    listening.until("session.started")
    assert "no microphone" in listening.until("source.lost")["reason"]
    server.start()
    listening.until("source.restored")
    assert_heard(listening, server, sentence)
    server.kill()
    listening.until("source.lost")
    listening.process.send_signal(signal.SIGTERM)
    assert listening.until("session.ended")["reason"] == "terminated"
    assert listening.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("state", ["absent", "frozen"])
def test_listen_without_a_microphone_says_so_in_a_line(
    server: pulse.PulseServer, state: str
) -> None:
    server.kill() if state == "absent" else server.freeze()
    command = [sys.executable, "-m", "streamser", "listen", "--input", "mic"]
    done = subprocess.run(
        command, env=server.env, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 1
    assert done.stdout == ""
    expected = {"absent": "no microphone is there", "frozen": "sound server does not answer"}
    assert expected[state] in done.stderr
    assert done.stderr.count("\n") == 1


def run(server: pulse.PulseServer, code: str, *args: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", code, *args],
        env=server.env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("rate", [16_000, 48_000])
@pytest.mark.parametrize(("device", "refused"), [("", 0), ("default", 0), ("default", 16_000)])
def test_what_is_played_is_what_is_heard(
    server: pulse.PulseServer, tmp_path: Path, sentence: Path, device: str, refused: int
) -> None:
    played, _ = soundfile.read(sentence, dtype="int16")
    process = subprocess.Popen(
        [sys.executable, "-c", RECORDING, device, str(refused), "4", str(tmp_path / "heard.npy")],
        env=server.env,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    native = int(process.stdout.readline())
    assert (native == 16_000) == (refused == 0)
    server.play(sentence)
    assert process.wait(PATIENCE) == 0
    assert process.stdout.read().split() == ["0", "0"]
    heard = np.load(tmp_path / "heard.npy").astype(float)
    part = played[8000:40_000].astype(float)
    product = np.fft.irfft(np.fft.rfft(heard, 2**18) * np.conj(np.fft.rfft(part, 2**18)))
    lag = int(np.argmax(product))
    likeness = np.corrcoef(heard[lag : lag + len(part)], part)[0, 1]
    assert likeness > 0.99


def test_a_device_is_chosen_by_number_or_part_of_its_name(server: pulse.PulseServer) -> None:
    *listed, number, name, served, keyed, ambiguous, unknown, missing = run(
        server, CHOOSING, "0", "LEFT", "null", "mic.monitor", "stage", "attic", "99"
    )
    devices = [line.split(maxsplit=3) for line in listed]
    assert [line[2:] for line in devices if line[1] == "True"] == [
        ["None", "Monitor of Null Output"]
    ]
    first = next(line[3] for line in devices if line[2] == "0")
    assert number == f"0 = mic:{first} True"
    assert name == "LEFT = mic:stage_left True"
    assert served == "null = mic:Monitor of Null Output True"
    assert keyed == "mic.monitor = mic:Monitor of Null Output True"
    assert ambiguous.startswith("stage ! 'stage' fits more than one microphone")
    assert "stage_left" in ambiguous
    assert "stage_right" in ambiguous
    assert "default" not in ambiguous
    for line in (unknown, missing):
        assert "! no microphone" in line
        assert "Null Output" in line
        assert "default" in line
        assert "stage_left" in line


@pytest.mark.parametrize("device", ["", "default"])
def test_a_reader_that_stalls_loses_the_oldest_and_every_sample_is_counted(
    server: pulse.PulseServer, device: str
) -> None:
    assert_the_oldest_is_lost(server.env, device)


@pytest.mark.parametrize("device", ["", "default"])
def test_so_many_hops_are_waited_for_and_nothing_in_vain_is_loaded(
    server: pulse.PulseServer, device: str
) -> None:
    """What wakes the process, and what it keeps in memory: ALSA has a plugin that is an encoder."""
    *hops, loaded = run(server, HOPS, device)
    for wanted, heard, over in (map(int, line.split()) for line in hops):
        assert wanted <= heard <= 5
        assert not (device and over)  # PortAudio wakes up for whole hops alone
    assert loaded == ("False True" if device else "False False")
