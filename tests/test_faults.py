"""What goes wrong in the field, caused for real: the daemon lives, tells, recovers, and counts."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pulse
import pytest
import quota
import soundfile
from broker import MOSQUITTO, Broker, Subscriber
from serving import PATIENCE, ROOT, SECOND, Serving, SocketClient, free_port, speech, until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from streamser.clip import demo_clip

needs_microphone = pytest.mark.skipif(pulse.missing() is not None, reason=str(pulse.missing()))
starves = pytest.mark.flaky(reruns=2)
"""In real time on a machine that others use, too."""

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


class Microphone:
    """A daemon that hears a real microphone, and a client of it."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self._options = folder, options
        (folder / "pulse").mkdir()
        self.server = pulse.PulseServer(folder / "pulse", 16_000)
        samples, rate = soundfile.read(demo_clip(), dtype="int16", frames=72_000)
        self._sentence = folder / "sentence.wav"
        soundfile.write(self._sentence, samples, rate)

    def speaks(self) -> None:
        """Play a sentence, and wait until it was heard."""
        self.server.play(self._sentence)
        assert self.client.until("utterance")["speech_seconds"] > 1

    def health(self) -> tuple[float, dict[str, Any]]:
        """Return how far the machine's clock is ahead of the audio's, and the next `health`."""
        health = self.client.until("health")
        return time.monotonic() - health["t"], health

    def end(self) -> None:
        """End it, and check that nothing was told out of turn."""
        self.serving.signal(signal.SIGTERM)
        assert self.client.rest()[-1]["reason"] == "terminated"
        seqs = [event["seq"] for event in self.client.events]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
        times = [event["t"] for event in self.client.events]
        assert times == sorted(times)
        self.serving.end()

    def __enter__(self) -> Microphone:
        folder, options = self._options
        names = ("PULSE_SERVER", "ALSA_CONFIG_PATH", "HOME")
        env = {name: self.server.env[name] for name in names} | options.pop("env", {})
        with contextlib.ExitStack() as stack:
            stack.callback(self.server.kill)
            self.server.start()
            serving = Serving(folder, "[socket]", env=env, **{"mic": "mic"} | options)
            self.serving = stack.enter_context(serving)
            self.serving.log.until("session started")
            self.client = SocketClient(self.serving.socket_path)
            self.serving.notified("READY=1")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()


SWAPPED = """\
import sys
from pathlib import Path
import sounddevice
swapped = Path(sys.argv.pop(1))
class InputStream(sounddevice.InputStream):
    def __init__(self, **options):
        if swapped.exists() and (options["samplerate"], options["channels"]) != (44100, 2):
            raise sounddevice.PortAudioError("Invalid sample rate")
        super().__init__(**options)
sounddevice.InputStream = InputStream
query = sounddevice.query_devices
def query_devices(*which, **options):
    found = query(*which, **options)
    if which or options:
        return found
    return [{**info, "max_input_channels": min(2, info["max_input_channels"])} for info in found]
sounddevice.query_devices = query_devices
from streamser.__main__ import main
sys.exit(main())
"""
"""PulseAudio's plugin takes any rate and number of channels; a sound card does not."""


@needs_microphone
@starves
def test_a_device_unplugged_and_swapped_for_one_of_another_rate_and_more_channels_is_heard(
    tmp_path: Path,
) -> None:
    swapped = tmp_path / "swapped"
    program = ("-c", SWAPPED, str(swapped))
    with Microphone(tmp_path, program=program, mic="mic:default") as microphone:
        microphone.server.unload()
        lost = microphone.client.until("source.lost")
        assert lost["reason"]
        swapped.touch()
        microphone.server.plug_in(44_100, 2)
        assert microphone.client.until("source.restored")["t"] > lost["t"]
        microphone.speaks()
        microphone.end()


@needs_microphone
@starves
def test_a_stall_and_its_burst_or_no_processor_leave_time_true_and_cost_what_is_counted(
    tmp_path: Path,
) -> None:
    with Microphone(tmp_path) as microphone:
        daemon = microphone.serving.process
        before, _ = microphone.health()
        daemon.send_signal(signal.SIGSTOP)
        time.sleep(5.0)
        daemon.send_signal(signal.SIGCONT)
        time.sleep(1.0)
        with quota.starved(daemon.pid, 0.002):
            time.sleep(5.0)
        after, health = microphone.health()
        while after > before + 1.0:  # it was told in the midst of catching up
            after, health = microphone.health()
        assert after > before - 1.0
        assert health["lag_s"] < 0.5
        assert health["dropped_s"] < 11.0 and (health["overruns"] > 0) == (health["dropped_s"] > 0)
        assert "source.lost" not in [event["type"] for event in microphone.client.events]
        microphone.speaks()
        microphone.end()


SLEEPING = """\
import select, sys, time
time.sleep = lambda seconds: select.select((), (), (), seconds)
from streamser.__main__ import main
sys.exit(main())
"""
"""libfaketime refuses the kernel's sleep until a time (EINVAL), which is Python's."""


@needs_microphone
@starves
@pytest.mark.skipif(FAKETIME is None, reason="needs apt-get install faketime")
def test_a_step_of_the_wall_clock_moves_wall_time_and_nothing_else(tmp_path: Path) -> None:
    step = tmp_path / "step"
    step.write_text("+0")
    env = {"LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(step)}
    env |= {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_CACHE_DURATION": "1"}
    with Microphone(tmp_path, env=env, program=("-c", SLEEPING)) as microphone:
        before, health = microphone.health()
        fed = microphone.serving.notices.count("WATCHDOG=1")
        step.write_text("+400d")
        microphone.client.until("health")
        after, later = microphone.health()
        assert after == pytest.approx(before, abs=3.0)
        moved = datetime.fromisoformat(later["time"]) - datetime.fromisoformat(health["time"])
        assert moved.total_seconds() == pytest.approx(400 * 86_400, abs=60)
        assert microphone.serving.notices.count("WATCHDOG=1") > fed + 10
        assert "source.lost" not in [event["type"] for event in microphone.client.events]
        microphone.end()


def metric(port: int, sample: str) -> float:
    """Return what /metrics says of one sample."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as answer:
        text = answer.read().decode()
    found = re.search(rf"(?m)^streamser_{re.escape(sample)} (\S+)$", text)
    return float(found[1]) if found else 0.0


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the events of a file, which has to end with a whole line."""
    text = path.read_text()
    assert not text or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """Mount a disk that is full soon."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("this user may not mount a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_costs_lines_that_are_counted_until_there_is_room(tmp_path: Path) -> None:
    port, disk = free_port(), tmp_path / "disk"
    config = f"[metrics]\nport = {port}\n[file]\npath = '{disk}/events.jsonl'\n"
    with small_disk(disk, "64k"), Serving(tmp_path, config) as serving:
        (disk / "balloon").write_bytes(bytes(40 << 10))
        for _ in range(2):
            serving.hear(speech())
        assert "No space left on device" in serving.log.until("events are lost")
        serving.hear(speech() + SECOND)
        until(lambda: metric(port, 'utterances_total{label="neutral"}') >= 0)
        (disk / "balloon").unlink()
        serving.hear(speech() + SECOND)
        serving.log.until("events are written again")
        serving.signal(signal.SIGTERM)
        told = serving.end()
        written = lines(disk / "events.jsonl")
    lost = max(int(found[1]) for line in told if (found := re.search(r" lost=(\d+)", line)))
    assert lost > 0 and len(written) + lost == written[-1]["seq"] + 1
    assert written[-1]["type"] == "session.ended"


def test_killed_while_it_writes_it_goes_on_behind_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    config = f"[file]\npath = '{path}'\n[analysis]\ninterval = 0.08\n"
    for life in range(3):
        (tmp_path / str(life)).mkdir()
        with Serving(tmp_path / str(life), config) as serving:
            size = path.stat().st_size if path.exists() else 0
            serving.hear(speech())
            until(lambda size=size: path.exists() and path.stat().st_size > size + 5000)
            serving.process.kill()
            serving.process.wait()
        os.truncate(path, path.stat().st_size - 20)  # what a loss of power would leave
    (tmp_path / "last").mkdir()
    with Serving(tmp_path / "last", config) as serving:
        assert "half a line was cut off" in serving.log.until("half a line")
        serving.hear(SECOND)
        serving.end()
    kinds = [event["type"] for event in lines(path)]
    assert kinds.count("session.started") == 4 and kinds[-1] == "session.ended"


@pytest.mark.skipif(MOSQUITTO is None, reason="needs apt-get install mosquitto")
def test_a_broker_that_is_down_costs_no_more_than_is_counted(tmp_path: Path) -> None:
    keeps = ["allow_anonymous true", "persistence true", f"persistence_location {tmp_path}/"]
    port, broker = free_port(), Broker(tmp_path, *keeps)
    broker.start()
    home = Subscriber(broker.port, session="home")
    config = f"[metrics]\nport = {port}\n[mqtt]\nport = {broker.port}\nid = 'e'\nevents = true\n"
    with Serving(tmp_path, config) as serving:
        try:
            serving.log.until("connected")
            serving.hear(SECOND + speech() + SECOND)
            heard = [home.until("streamser/e/events", type="speech.started")]
            while heard[-1]["type"] != "utterance":
                heard.append(home.until("streamser/e/events"))
            broker.stop()
            serving.log.until("the broker went away")
            serving.hear(speech() + SECOND)
            until(lambda: metric(port, 'output_lost_total{output="mqtt"}') > 10)
            broker.start()
            serving.log.until("connected")
            lost = metric(port, 'output_lost_total{output="mqtt"}')
            serving.hear(speech() + SECOND)
            serving.signal(signal.SIGTERM)
            while heard[-1]["type"] != "session.ended":
                heard.append(home.until("streamser/e/events"))
            serving.end()
        finally:
            broker.stop()
            home.close()
    told = range(heard[0]["seq"], heard[-1]["seq"] + 1)
    missing = set(told) - {event["seq"] for event in heard}
    assert 10 < len(missing) <= lost


FROZEN = """\
import socket, sys
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
print(len(client.recv(1)), flush=True)
while client.recv(65536):
    pass
"""


def test_a_frozen_client_costs_only_itself(tmp_path: Path) -> None:
    port = free_port()
    config = f"[socket]\n[metrics]\nport = {port}\n[analysis]\ninterval = 0.08\n"
    with Serving(tmp_path, config) as serving:
        serving.log.until("session started")
        frozen = subprocess.Popen(
            [sys.executable, "-c", FROZEN, str(serving.socket_path)], stdout=subprocess.PIPE
        )
        assert frozen.stdout is not None and frozen.stdout.readline() == b"1\n"
        frozen.send_signal(signal.SIGSTOP)
        quick = SocketClient(serving.socket_path)
        try:
            while not metric(port, 'output_lost_total{output="socket"}'):
                serving.hear(speech()[16_000:112_000] + SECOND)
                quick.until("utterance")
        finally:
            frozen.kill()
            frozen.wait()
        serving.signal(signal.SIGTERM)
        quick.rest()
        assert quick.events[-1]["type"] == "session.ended"
        seqs = [event["seq"] for event in quick.events[1:]]
        assert seqs == list(range(seqs[0], seqs[-1] + 1))
        serving.end()


def test_without_free_descriptors_it_goes_on_and_lets_others_in_later(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    config = f"[socket]\n[file]\npath = '{path}'\nmax_mb = 0.005\nkeep = 1000\n"
    with Serving(tmp_path, config) as serving:
        serving.log.until("session started")
        client = SocketClient(serving.socket_path)
        client.until("session.started")
        pid = serving.process.pid
        most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        taken = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (taken, most[1]))
        waiting = SocketClient(serving.socket_path)  # the kernel takes it in, nobody else does
        serving.hear(speech() + SECOND)
        assert "Too many open files" in serving.log.until("events are lost")
        client.until("utterance")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, most)
        assert waiting.until("session.started")
        serving.hear(speech() + SECOND)
        serving.log.until("events are written again")
        serving.end()


STRIKING = """\
import ctypes, sys, threading, time
from streamser import supervisor
from streamser.daemon import Daemon
from streamser.layers import Layers
supervisor.TICK = 0.2
name = sys.argv.pop(1)
def strike():
    while not (struck := [thread for thread in threading.enumerate() if name in thread.name]):
        time.sleep(0.05)
    time.sleep(0.2)
    death = ctypes.py_object(SystemExit)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(struck[0].ident), death)
threading.Thread(target=strike, name="striker", daemon=True).start()
sys.exit(Daemon(Layers(environment={}, settings=sys.argv[1:])).run())
"""


WHOSE = {"network": "socket", "paho": "mqtt"}
"""Outputs that the reason names."""


@contextlib.contextmanager
def struck(thread: str, *settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon one of whose threads dies."""
    command = [sys.executable, "-c", STRIKING, thread, *settings, "listen.input=-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as process:
        yield process
        assert process.stdin is not None and process.stderr is not None

        def ended() -> bool:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(speech()[:64_000])  # type: ignore[union-attr]
                process.stdin.flush()  # type: ignore[union-attr]
            return process.poll() is not None

        until(ended)
        assert process.returncode == 1
        last = process.stderr.read().decode().splitlines()[-1]
    reason = last.partition("reason=")[2]
    assert "msg=ending" in last and WHOSE.get(thread, thread) in reason


@pytest.mark.parametrize("thread", ["network", "file", "paho", "supervisor", "ros2"])
def test_whichever_thread_dies_the_process_ends_and_says_which(tmp_path: Path, thread: str) -> None:
    settings = [f"socket.path={tmp_path}/s", f"file.path={tmp_path}/f"]
    settings += [f"mqtt.port={free_port()}"]
    if thread == "ros2":
        pytest.importorskip("cyclonedds", reason="needs pip install cyclonedds")
        settings += [f"ros2.domain={20 + os.getpid() % 200}"]
    with struck(thread, *settings):
        pass


def test_when_the_thread_of_streams_dies_clients_are_told_before_the_process_ends() -> None:
    port = free_port()
    with struck("streams", "websocket.audio=true", f"websocket.port={port}"):

        def come() -> ClientConnection | None:
            with contextlib.suppress(OSError):
                return connect(f"ws://127.0.0.1:{port}/audio")
            return None

        with until(come) as client:
            client.send('{"type": "start", "format": "s16le", "rate": 16000}')
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    client.send(bytes(3200))
                    time.sleep(0.02)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.reason == "the session is over"
