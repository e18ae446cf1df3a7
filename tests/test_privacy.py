"""No audio leaves, every interface says that it listens, the doctor tells what listens where."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pulse
import pytest
from broker import MOSQUITTO, Broker
from serving import ROOT, SECOND, TOKEN, Lines, Serving, SocketClient, free_port, speech, until

from streamser.clip import demo_clip
from streamser.config import OUTPUTS


def doctor(*arguments: str, env: dict[str, str] | None = None) -> dict[str, list[tuple[str, str]]]:
    """Return what the doctor found: state and detail of each check."""
    command = [sys.executable, "-m", "streamser", "doctor", "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env, timeout=120)
    assert not done.stderr, done.stderr
    found: dict[str, list[tuple[str, str]]] = {}
    for finding in json.loads(done.stdout)["findings"]:
        found.setdefault(finding["check"], []).append((finding["state"], finding["detail"]))
    return found


def test_the_doctor_tells_which_streamser_can_be_reached_where(tmp_path: Path) -> None:
    near, far = free_port(), free_port()
    config = f"[socket]\n[metrics]\nport = {near}\n"
    config += f"[websocket]\nhost = '0.0.0.0'\nport = {far}\ntoken = '{TOKEN}'\n"
    with Serving(tmp_path, config) as serving:
        serving.log.until("part=websocket msg=open")
        serving.hear(SECOND)
        serving.notified("READY=1")
        found = doctor("--config", str(serving.config))
        mine = f"streamser serve, process {serving.process.pid}: "
        [(_, told)] = [pair for pair in found["running"] if pair[1].startswith(mine)]
        assert f"tcp 0.0.0.0:{far} (open to the network)" in told
        assert f"tcp 127.0.0.1:{near}" in told and f"127.0.0.1:{near} (open" not in told
        assert f"unix {serving.socket_path}" in told
        [(state, websocket)] = found["[websocket]"]
        assert state == "warning" and "open to the network with a token" in websocket
        assert found["[metrics]"][0][0] == "ok" and "this machine alone" in found["[metrics]"][0][1]
        assert "neither kept nor sent" in found["[listen]"][0][1]
        assert TOKEN not in json.dumps(found)
        serving.end()
    assert not any(mine in told for _, told in doctor().get("running", []))


def test_the_doctor_tells_what_each_output_lets_out(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(
        "[mqtt]\nhost = 'broker.example'\n[ros2]\ninterface = 'eth0'\n[file]\npath = '/x/e'\n"
    )
    found = doctor("--config", str(path))
    assert found["[mqtt]"] == [("warning", "state to broker.example, open to the network")]
    assert found["[ros2]"][0][0] == "warning" and "open to the network" in found["[ros2]"][0][1]
    assert found["[file]"] == [("ok", "events are kept in /x/e")]
    empty = os.environ | {"XDG_CONFIG_HOME": str(tmp_path)}
    assert "nothing out" in doctor(env=empty)["serve"][0][1]


@pytest.mark.parametrize(
    ("text", "check", "told"),
    [
        ("[mqtt]\nhosts = 'x'", "serve", "line 2: mqtt.hosts is not a known field"),
        ("[listen]\ninput = 'none'\n[socket]", "serve", "no client may send audio"),
        ("[listen]\nrate = 8000", "serve", "no output is on"),
        ("[listen]\nmodel = 'nomodel'", "model", "no model is called 'nomodel'"),
        ("[listen]\nprofile = 'nobody'", "profile", "no profile nobody"),
        ("[listen]\ninput = '/nope/talk.wav'", "audio", "/nope/talk.wav cannot be read"),
        ("[metrics]\ntoken_file = '/nope/t'", "[metrics]", "token_file /nope/t: No such file"),
        ("[metrics]\ncertificate = '/nope/c'\nkey = '/nope/k'", "[metrics]", "/nope/c"),
        ("[websocket]", "[websocket]", "no websockets here: run pip install 'streamser[serve]'"),
    ],
)
def test_the_doctor_finds_what_the_daemon_would_not_start_with(
    tmp_path: Path, text: str, check: str, told: str
) -> None:
    path, kept = tmp_path / "c.toml", tmp_path / "events.jsonl"
    (tmp_path / "websockets.py").write_text("raise ImportError('no websockets here')")
    path.write_text(text if check == "serve" else f"{text}\n[file]\npath = '{kept}'\n")
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    found = doctor("--config", str(path), env=env)
    [(state, detail)] = found[check]
    assert state == "broken" and told in detail
    assert not kept.exists()


def test_the_doctor_hears_the_microphone_of_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(f"[listen]\ninput = '{demo_clip()}'\n[socket]\npath = '{tmp_path}/s'\n")
    [(state, detail)] = doctor("--config", str(path))["audio"]
    assert state == "ok" and str(demo_clip()) in detail
    assert not (tmp_path / "s").exists()


@pytest.mark.flaky(reruns=2)
@pytest.mark.skipif(pulse.missing() is not None, reason=str(pulse.missing()))
def test_the_doctor_tells_who_holds_the_microphone(tmp_path: Path) -> None:
    server = pulse.PulseServer(tmp_path, 16_000)
    server.start()
    try:
        assert "parec" not in str(doctor(env=server.env)["microphone"])
        recorder = subprocess.Popen(
            ["parec", "--device=mic.monitor"], env=server.env, stdout=subprocess.DEVNULL
        )
        mine = f"parec (process {recorder.pid})"
        until(lambda: mine in doctor(env=server.env)["microphone"][0][1])
        recorder.kill()
        recorder.wait()
    finally:
        server.kill()


def test_a_microphone_of_alsa_and_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As /proc tells of it; what the kernel writes there, here for a process of another user."""
    from streamser.cli import processes

    card = tmp_path / "asound" / "card0"
    for stream, status in (
        ("pcm0c", f"state: RUNNING\nowner_pid   : {os.getpid() + 1}\ntrigger_time: 1.2\n"),
        ("pcm1c", "closed\n"),
        ("pcm0p", "state: RUNNING\nowner_pid   : 77\n"),
    ):
        (card / stream / "sub0").mkdir(parents=True)
        (card / stream / "sub0" / "status").write_text(status)
    (tmp_path / str(os.getpid() + 1)).mkdir()
    (tmp_path / str(os.getpid() + 1) / "comm").write_text("arecord\n")
    monkeypatch.setattr(processes, "PROC", tmp_path)
    monkeypatch.setenv("PATH", "")
    assert list(processes.microphone_users()) == [(os.getpid() + 1, "arecord")]


def test_what_the_sound_server_hears_itself_is_no_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streamser.cli import processes

    program = {"application.name": "parec", "application.process.id": "77"}
    outputs = [
        {"corked": False, "properties": {"media.name": "Remapped Stream"}},
        {"corked": False, "properties": program},
        {"corked": True, "properties": program | {"application.process.id": "78"}},
    ]
    (tmp_path / "pactl").write_text(f"#!/bin/sh\necho '{json.dumps(outputs)}'\n")
    (tmp_path / "pactl").chmod(0o755)
    monkeypatch.setattr(processes, "PROC", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert list(processes.microphone_users()) == [(77, "parec")]


BUFFER = re.compile(r'"((?:\\x[0-9a-f]{2})+)"')
OUTGOING = "trace=write,writev,pwrite64,pwritev,send,sendto,sendmsg,sendmmsg,sendfile,splice,mmap"


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs apt-get install strace")
@pytest.mark.skipif(MOSQUITTO is None, reason="needs apt-get install mosquitto")
def test_no_audio_is_written_or_sent(tmp_path: Path) -> None:
    """Whatever the daemon hands to the kernel is looked at: it is text, and little of it."""
    broker = Broker(tmp_path, "allow_anonymous true")
    broker.start()
    settings = {
        "socket": "",
        "websocket": "port = 0",
        "wyoming": "port = 0",
        "metrics": "port = 0",
        "mqtt": f"port = {broker.port}\nevents = true",
        "ros2": f"domain = {20 + os.getpid() % 200}",
        "file": f"path = '{tmp_path}/events'",
        "emotionml": f"path = '{tmp_path}/heard'",
    }
    assert set(settings) == set(OUTPUTS)
    if find_spec("cyclonedds") is None:
        del settings["ros2"]
    config = "".join(f"[{name}]\n{setting}\n" for name, setting in settings.items())
    audio = SECOND + speech() + SECOND
    trace = tmp_path / "trace"
    home = {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp")}
    for folder in home.values():
        Path(folder).mkdir()
    try:
        with Serving(tmp_path, config, env=home) as serving:
            serving.log.until("session started")
            command = ["strace", "-f", "-qq", "-xx", "-s", "1000000", "-e", OUTGOING]
            command += ["-o", str(trace), "-p", str(serving.process.pid)]
            strace = subprocess.Popen(command, stderr=subprocess.PIPE)
            client = SocketClient(serving.socket_path)
            until(lambda: trace.exists() and trace.stat().st_size)
            for _ in range(3):
                serving.hear(audio)
            client.until("utterance")
            serving.end()
            strace.wait(60)
    finally:
        broker.stop()
    calls = [
        b"".join(bytes.fromhex(buffer.replace("\\x", "")) for buffer in BUFFER.findall(line))
        for line in trace.read_text().splitlines()
    ]
    sent = b"".join(calls)
    for sign in (b'"utterance"', b"<emotion ", b"streamser/"):
        assert sign in sent  # it is all in there
    windows = {audio[at : at + 16] for at in range(0, len(audio), 16)}
    windows = {window for window in windows if len(set(window)) > 8}  # silence is everywhere
    assert len(windows) > 10_000
    assert not any(sent[at : at + 16] in windows for at in range(len(sent)))
    assert len(sent) < 3 * len(audio) / 4  # over all outputs
    text = b"".join(call for call in calls if b"RTPS" not in call)  # DDS alone is not text
    assert sum(32 <= byte < 127 or byte in b"\n\r" for byte in text) > 0.97 * len(text)
    written = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    ours = {"events", "heard", "trace", "config.toml", "mosquitto.conf"}
    assert written <= ours, written - ours


@pytest.mark.skipif(MOSQUITTO is None, reason="needs apt-get install mosquitto")
def test_every_interface_says_whether_it_listens(tmp_path: Path) -> None:
    from test_mqtt import Subscriber

    broker = Broker(tmp_path, "allow_anonymous true")
    broker.start()
    port = free_port()
    config = f"[socket]\n[metrics]\nport = {port}\n[mqtt]\nport = {broker.port}\nid = 'ear'\n"

    def listens() -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as page:
            return "streamser_source_up{} 1" in page.read().decode()

    home = Subscriber(broker.port)
    try:
        with Serving(tmp_path, config) as serving:
            indicator = home.until("homeassistant/device/ear/config")["cmps"]["listening"]
            assert home.until(indicator["state_topic"]) == indicator["payload_off"]
            until(lambda: not listens())
            serving.hear(SECOND + speech())
            serving.notified("STATUS=listening to -")
            until(lambda: serving.hear(SECOND) or listens())
            assert home.until("streamser/ear/state")["source"] == "-"
            assert home.until(indicator["state_topic"]) == indicator["payload_on"]
            client = SocketClient(serving.socket_path)
            assert (client.next() or {})["source"] == "-"
            client.until("source.lost")  # the pipe gives no more
            serving.notified("STATUS=no audio from -")
            until(lambda: not listens())
            assert home.until(indicator["state_topic"]) == indicator["payload_off"]
            late = SocketClient(serving.socket_path)
            assert late.until("source.lost")["source"] == "-"
            serving.end()
    finally:
        home.close()
        broker.stop()
    command = [sys.executable, "-m", "streamser", "live", "--input", str(demo_clip())]
    live = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert live.stdout is not None
        assert "listening to demo.flac" in (Lines(live.stdout).next() or "")
    finally:
        live.send_signal(signal.SIGINT)
        live.wait(30)
