"""The daemon's life: configured, ready, reloaded, drained, and ended with a reason."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pulse
import pytest
import soundfile
from serving import PATIENCE, ROOT, SECOND, UTTERANCES, Serving, SocketClient, speech, until

from streamser.clip import demo_clip


def test_it_is_ready_with_the_first_audio_and_fed_while_audio_flows(tmp_path: Path) -> None:
    with Serving(tmp_path, "[socket]") as serving:
        serving.log.until("session started")
        serving.notified("STATUS=waiting for audio")
        assert not any("READY" in notice for notice in serving.notices)
        serving.hear(SECOND)
        serving.notified("READY=1")
        until(lambda: serving.hear(SECOND[:3200]) or serving.notices.count("WATCHDOG=1") >= 3)
        serving.signal(signal.SIGTERM)
        assert serving.process.wait(10) == 0
        serving.notified("STOPPING=1")
        fed = serving.notices.count("WATCHDOG=1")
    assert serving.notices.index("READY=1") < serving.notices.index("WATCHDOG=1")
    assert serving.notices.count("READY=1") == 1 and fed >= 3


def test_no_audio_no_watchdog(tmp_path: Path) -> None:
    with Serving(tmp_path, "[socket]") as serving:
        serving.hear(SECOND)
        serving.notified("READY=1")
        # A pipe whose writer stalls gives nothing: after two seconds nobody feeds the watchdog.
        client = SocketClient(serving.socket_path)
        client.until("health")
        fed = serving.notices.count("WATCHDOG=1")
        client.until("health")
        assert serving.notices.count("WATCHDOG=1") <= fed + 1
        serving.end()


def test_a_client_gets_the_session_and_all_of_it_on_sigterm(tmp_path: Path) -> None:
    with Serving(tmp_path, "[socket]\n[log]\nformat = 'json'\n") as serving:
        serving.log.until("session started")
        client = SocketClient(serving.socket_path)
        assert client.until("session.started")["source"] == "-"
        assert stat.S_IMODE(serving.socket_path.stat().st_mode) == 0o600
        assert stat.S_IMODE(serving.socket_path.parent.stat().st_mode) == 0o700
        serving.hear(speech()[:320_000])
        client.until("emotion")
        late = SocketClient(serving.socket_path)
        assert (late.next() or {})["type"] == "session.started"
        assert (late.next() or {})["type"] in ("utterance", "speech.started")
        serving.signal(signal.SIGTERM)
        rest = client.rest()
        assert rest[-1]["type"] == "session.ended" and rest[-1]["reason"] == "terminated"
        assert [event["seq"] for event in client.events] == list(range(len(client.events)))
        assert late.rest()[-1] == rest[-1]
        assert all(event in client.events for event in late.events)
        spoken = [e["type"] for e in client.events]
        assert spoken.count("speech.started") == spoken.count("utterance") > 0
        log = [json.loads(line) for line in serving.end()]
        assert all({"time", "level", "part", "msg"} <= set(line) for line in log)
        assert not serving.socket_path.exists()


def test_the_end_of_the_input_is_the_end(tmp_path: Path) -> None:
    with Serving(tmp_path, "[socket]") as serving:
        serving.log.until("session started")
        client = SocketClient(serving.socket_path)
        client.until("session.started")
        serving.hear(SECOND)
        serving.process.stdin.close()  # type: ignore[union-attr]
        assert client.rest()[-1]["reason"] == "end of input"
        serving.process.wait(PATIENCE)  # by itself
        assert any('reason="end of input"' in line for line in serving.end())


def test_reload_switches_outputs_and_begins_anew_only_for_another_ear(tmp_path: Path) -> None:
    other = tmp_path / "other.sock"
    with Serving(tmp_path, "[socket]\n") as serving:
        serving.hear(SECOND)
        serving.notified("READY=1")
        client = SocketClient(serving.socket_path)
        serving.config.write_text("[socket]\n[log]\nlevel = 'debug'\n")
        serving.signal(signal.SIGHUP)
        assert 'listener="the same"' in serving.log.until("reloaded")
        until(lambda: any("RELOADING=1" in notice for notice in serving.notices))
        until(lambda: serving.notices.count("READY=1") == 2)

        serving.config.write_text("[socket]\npath = 3\n")
        serving.signal(signal.SIGHUP)
        told = serving.log.until("not reloaded")
        assert "line 2: socket.path has to be text" in told
        serving.config.write_text("")
        serving.signal(signal.SIGHUP)
        assert "no output is on" in serving.log.until("not reloaded")

        serving.config.write_text(f"[socket]\npath = '{other}'\n")
        serving.signal(signal.SIGHUP)
        serving.log.until("reloaded")
        assert "session.ended" not in [event["type"] for event in client.rest()]
        moved = SocketClient(other)
        first = moved.next()
        assert first is not None and first["type"] == "session.started"

        serving.config.write_text(f"[socket]\npath = '{other}'\n[analysis]\ninterval = 0.48\n")
        serving.signal(signal.SIGHUP)
        assert moved.until("session.ended")["reason"] == "reloaded"
        assert moved.until("session.started")["seq"] == 0
        serving.end()


def test_a_pipe_is_heard_on_at_its_rate_after_a_reload(tmp_path: Path) -> None:
    header = io.BytesIO()
    soundfile.write(header, np.zeros(0, np.int16), 48_000, format="WAV", subtype="PCM_16")
    endless = header.getvalue()[:-4] + b"\xff\xff\xff\xff"
    with Serving(tmp_path, "[socket]\n") as serving:
        serving.hear(endless + 3 * SECOND + b"\x01")  # and half a sample
        serving.notified("READY=1")
        client = SocketClient(serving.socket_path)
        serving.config.write_text("[socket]\n[analysis]\ninterval = 0.48\n")
        serving.signal(signal.SIGHUP)
        assert client.until("session.ended")["reason"] == "reloaded"
        assert client.until("session.started")["sample_rate"] == 48_000
        serving.hear(b"\x00" + 6 * SECOND)
        serving.process.stdin.close()  # type: ignore[union-attr]
        ended = client.rest()[-1]
        assert ended["reason"] == "end of input"
        assert 2.0 <= ended["t"] < 3.0
        serving.process.wait(PATIENCE)
        serving.end()


def test_a_recording_that_is_not_there_changes_nothing(tmp_path: Path) -> None:
    before = "[socket]\n[listen]\ninput = '-'\n"
    with Serving(tmp_path, before, mic=None) as serving:
        serving.hear(SECOND)
        serving.log.until("session started")
        serving.config.write_text(before.replace("-", str(tmp_path / "talk.wav")))
        serving.signal(signal.SIGHUP)
        assert "talk.wav" in serving.log.until("not reloaded")
        client = SocketClient(serving.socket_path)
        serving.hear(SECOND)
        assert client.until("session.started")["source"] == "-"
        serving.end()


def test_a_token_that_is_not_there_changes_nothing(tmp_path: Path) -> None:
    before = "[socket]\n[metrics]\nport = 0\n"
    with Serving(tmp_path, before) as serving:
        serving.hear(SECOND)
        serving.log.until("session started")
        client = SocketClient(serving.socket_path)
        serving.config.write_text(f"[metrics]\nport = 0\ntoken_file = '{tmp_path}/token'\n")
        serving.signal(signal.SIGHUP)
        assert "metrics: token_file" in serving.log.until("not reloaded")
        serving.hear(speech()[:320_000])
        assert client.until("utterance")["utterance"] == 0
        serving.end()


def test_who_does_not_read_loses_the_oldest_and_who_talks_is_cut_off(tmp_path: Path) -> None:
    with Serving(tmp_path, "[socket]\n[analysis]\ninterval = 0.08\n") as serving:
        serving.log.until("session started")
        lazy, quick = SocketClient(serving.socket_path), SocketClient(serving.socket_path)
        lazy.until("session.started")
        loud = SocketClient(serving.socket_path)
        with contextlib.suppress(OSError):
            loud.socket.sendall(b"x" * 1_000_000)
        with contextlib.suppress(OSError):
            loud.rest()
        # A line is enough; what tells the present state is still delivered.
        polite = SocketClient(serving.socket_path)
        polite.socket.sendall(b"hi\n")
        assert polite.rest()[0]["type"] == "session.started"
        # One that only closes its own side, as `nc </dev/null` does, still listens.
        deaf = SocketClient(serving.socket_path)
        deaf.socket.shutdown(socket.SHUT_WR)

        for _ in range(15):
            serving.hear(speech() + SECOND)
            for _ in range(UTTERANCES):
                quick.until("utterance")
        serving.signal(signal.SIGTERM)
        quick.rest(), lazy.rest(), deaf.rest()
        seqs = [event["seq"] for event in quick.events]
        assert seqs == list(range(len(seqs)))
        told = [event["seq"] for event in lazy.events]
        assert told == sorted(set(told)) and len(told) < len(seqs)
        assert lazy.events[-1] == deaf.events[-1] == quick.events[-1]  # the end is not dropped
        serving.end()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "streamser", "serve", *arguments]
    env = {k: v for k, v in os.environ.items() if k not in ("XDG_RUNTIME_DIR", "NOTIFY_SOCKET")}
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env, timeout=60)


def test_what_cannot_go_on_ends_with_a_reason(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text("[socket]\nclients = 0\n")
    done = run("--config", str(config))
    assert done.returncode == 2
    assert "c.toml, line 2: socket.clients has to be from 1 to 10000" in done.stderr
    config.write_text("")
    done = run("--config", str(config))
    assert done.returncode == 2 and 'reason="no output is on: add one of' in done.stderr
    done = run("--config", str(config), "--set", "socket")
    assert done.returncode == 2 and "there is no $XDG_RUNTIME_DIR" in done.stderr
    (tmp_path / "file").write_text("mine")
    done = run("--config", str(config), "--set", f"socket.path={tmp_path}/file")
    assert done.returncode == 1 and "and no socket" in done.stderr
    assert (tmp_path / "file").read_text() == "mine"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[listen]\nmodel = 'nomodel'", "no model is called 'nomodel'"),
        ("[listen]\nprofile = 'nobody'", "no profile nobody"),
        ("[listen]\ninput = '/nope/talk.wav'", "/nope/talk.wav cannot be read"),
        ("[metrics]\ntoken_file = '/nope/t'", "metrics: token_file /nope/t: No such file"),
        ("[metrics]\ncertificate = '/nope/c'\nkey = '/nope/k'", "metrics: certificate /nope/c"),
        ("[mqtt]\nuser = 'x'\npassword_file = '/nope/p'", "mqtt: password_file /nope/p: No such"),
    ],
)
def test_what_no_second_attempt_mends_is_a_wrong_configuration(
    tmp_path: Path, text: str, told: str
) -> None:
    """With exit code 2 systemd does not try again."""
    if "mqtt" in text:
        pytest.importorskip("paho.mqtt")
    config, kept = tmp_path / "c.toml", tmp_path / "events.jsonl"
    config.write_text(f"{text}\n[log]\nformat = 'json'\n[file]\npath = '{kept}'\n")
    done = run("--config", str(config))
    last = json.loads(done.stderr.splitlines()[-1])
    assert done.returncode == 2 and last["msg"] == "ending" and told in last["reason"]
    assert not kept.exists()


def test_a_stale_socket_is_replaced_and_a_served_one_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    with Serving(tmp_path, f"[socket]\npath = '{path}'\n") as serving:
        serving.log.until("session started")
        done = run("--set", f"socket.path={path}", "--input", str(demo_clip()))
        assert done.returncode == 1 and "another program serves there" in done.stderr
        client = SocketClient(path)
        assert client.next() is not None
        serving.end()


@pytest.mark.skipif(pulse.missing() is not None, reason=str(pulse.missing()))
def test_a_microphone_that_comes_late_goes_and_returns(tmp_path: Path) -> None:
    (tmp_path / "pulse").mkdir()
    server = pulse.PulseServer(tmp_path / "pulse", 16_000)
    env = {name: server.env[name] for name in ("PULSE_SERVER", "ALSA_CONFIG_PATH", "HOME")}
    with Serving(tmp_path, "[socket]", mic="mic", env=env) as serving:
        try:
            serving.log.until("source lost")
            client = SocketClient(serving.socket_path)
            client.until("source.lost")
            assert not any("READY" in notice for notice in serving.notices)
            server.start()
            client.until("source.restored")
            serving.notified("READY=1")
            server.play(demo_clip())
            assert client.until("utterance")["utterance"] == 0
            server.kill()
            client.until("source.lost")
            serving.notified("STATUS=no audio from")
            fed = serving.notices.count("WATCHDOG=1")
            client.until("health")
            assert serving.notices.count("WATCHDOG=1") <= fed + 1
            server.start()
            client.until("source.restored")
            serving.signal(signal.SIGTERM)
            assert client.rest()[-1]["reason"] == "terminated"
            seqs = [event["seq"] for event in client.events]
            assert seqs == list(range(len(seqs)))
            serving.end()
        finally:
            server.kill()
