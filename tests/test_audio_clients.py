"""Audio over WebSocket with real clients: honest, vanishing, greedy, silent and hostile ones."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import events_schema
import pytest
import streaming
from serving import PATIENCE, ROOT, SECOND, TOKEN, Serving, free_port, until
from streaming import HEAD, alone, spoken, store_profiles
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

START = '{"type": "start", "format": "s16le", "rate": 16000, "channels": 1}'
END = '{"type": "end"}'


class House(streaming.House):
    """One that WebSocket clients may send audio to."""

    def __init__(self, folder: Path, streams: str = "", websocket: str = "") -> None:
        self.port, self.web = free_port(), free_port()
        config = f"[streams]\n{streams}\n[websocket]\naudio = true\nport = {self.port}\n{websocket}"
        config += f"\nconnections_per_second = 1000\n[metrics]\nport = {self.web}\n"
        super().__init__(folder, config)

    def connect(self, path: str = "/audio", **options: Any) -> ClientConnection:
        """Return a client."""
        url = f"ws://127.0.0.1:{self.port}{path}"
        return connect(url, close_timeout=2, open_timeout=PATIENCE, **options)

    def count(self, name: str) -> float:
        """Return a measure, such as `streams{}`."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.web}/metrics") as answer:
            page = answer.read().decode()
        return float(page.partition(f"\nstreamser_{name} ")[2].split()[0])

    def rss_mb(self) -> float:
        """Return the daemon's resident memory."""
        pages = int(Path(f"/proc/{self.serving.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path) as house:
        yield house
        house.end()


def send(client: ClientConnection, pcm: bytes, size: int = 3200) -> None:
    for begin in range(0, len(pcm), size):
        client.send(pcm[begin : begin + size])


def rest(client: ClientConnection) -> list[dict[str, Any]]:
    """Return all events until the server closes."""
    got = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            got.append(events_schema.check(json.loads(client.recv(PATIENCE))))
    return got


def test_each_client_gets_the_events_of_its_own_audio(house: House) -> None:
    with house.connect("/") as listener, house.connect() as one, house.connect() as two:
        one.send(START)
        two.send('{"format": "s16le", "rate": 16000}')
        send(one, HEAD)
        send(two, bytes(len(HEAD) // 2), size=777)
        one.send(END), two.send(END)
        voiced, silent = rest(one), rest(two)
        assert spoken(voiced) == alone(HEAD) and spoken(silent) == []
        for events in (voiced, silent):
            assert [event["seq"] for event in events] == list(range(len(events)))
            assert events[-1] | {"reason": "end of input"} == events[-1]
        assert {voiced[0]["source"], silent[0]["source"]} == {"websocket:1", "websocket:2"}
        assert one.protocol.close_code == two.protocol.close_code == 1000
        assert json.loads(listener.recv(PATIENCE))["source"] == "none"
        house.serving.signal(signal.SIGTERM)
        assert {event["type"] for event in rest(listener)} <= {"health", "session.ended"}


def test_a_client_in_another_process_at_48_khz_and_two_channels(house: House) -> None:
    script = f"""
import json, sys
import numpy as np
from websockets.sync.client import connect
pcm = np.frombuffer(sys.stdin.buffer.read(), np.int16)
wide = np.stack([np.repeat(pcm, 3), np.zeros(3 * len(pcm), np.int16)], axis=1)
with connect("ws://127.0.0.1:{house.port}/audio") as client:
    client.send(json.dumps({{"format": "s16le", "rate": 48000, "channels": 2}}))
    for block in np.array_split(wide, 60):
        client.send(block.tobytes())
    client.send('{{"type": "end"}}')
    for message in client:
        print(message)
"""
    done = subprocess.run([sys.executable, "-c", script], input=HEAD, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    events = [events_schema.check(json.loads(line)) for line in done.stdout.splitlines()]
    assert events[0]["sample_rate"] == 48_000
    assert events[-1]["t"] == pytest.approx(6.0, abs=1e-3)
    assert [event["type"] for event in events].count("utterance") == sum(
        event["type"] == "utterance" for event in alone(HEAD)
    )


def test_it_is_ready_without_any_microphone_and_drains(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        house.serving.notified("READY=1")
        house.serving.notified("WATCHDOG=1")
        with urllib.request.urlopen(f"http://127.0.0.1:{house.web}/readyz") as answer:
            assert answer.status == 200
        with house.connect() as client:
            client.send(START)
            send(client, HEAD)
            until(lambda: json.loads(client.recv(PATIENCE))["type"] == "emotion")
            house.serving.signal(signal.SIGTERM)
            events = rest(client)
        assert events[-1]["reason"] == "the server ends"
        assert "utterance" in [event["type"] for event in events]
        house.end()


def test_who_sends_what_is_no_audio_is_told_why(house: House) -> None:
    for message, told in (
        ("hello", "not JSON"),
        (b"\0\0", "begin with"),
        ("[]", "not a JSON object"),
        ('{"format": "mp3", "rate": 16000}', 'format has to be "s16le"'),
        ('{"format": "s16le"}', "rate is missing"),
        ('{"format": "s16le", "rate": 4000}', "rate has to be from 8000"),
        ('{"format": "s16le", "rate": 16000, "chanels": 1}', "chanels is not a known"),
        ('{"format": "s16le", "rate": 16000, "channels": 99}', "channels has to be from 1"),
        (" " * 5000, "more than 4096"),
    ):
        with house.connect() as client:
            client.send(message)
            assert rest(client) == []
            assert client.protocol.close_code == 1008 and told in (
                client.protocol.close_reason or ""
            )
    with house.connect() as client:
        client.send(START)
        client.send(SECOND)
        client.send('{"type": "stop"}')
        events = rest(client)
        assert 'type has to be "end"' in events[-1]["reason"]
        assert client.protocol.close_code == 1008
    assert house.count('output_refused_total{output="websocket"}') == 10
    with house.connect("/") as client, contextlib.suppress(ConnectionClosed):
        client.send(START)
        rest(client)
        assert "/audio" in (client.protocol.close_reason or "")


def test_streams_beyond_the_limit_are_refused_in_words(tmp_path: Path) -> None:
    with House(tmp_path, "limit = 1\nidle = 1.0") as house:
        with house.connect() as client, house.connect() as second:
            client.send(START)
            assert json.loads(client.recv(PATIENCE))["type"] == "session.started"
            second.send(START)
            assert rest(second) == [] and second.protocol.close_code == 1013
            assert "all 1 streams are taken: try again later" in (
                second.protocol.close_reason or ""
            )
            # And the one that is open ends when it says nothing for a second.
            assert rest(client)[-1]["reason"] == "no audio for 1 s"
        until(lambda: house.count("streams{}") == 0)
        with house.connect() as third:
            third.send(START)
            assert json.loads(third.recv(PATIENCE))["type"] == "session.started"
        assert house.count("streams_refused_total{}") == 1
        house.end()


def test_only_audio_keeps_a_stream(tmp_path: Path) -> None:
    with House(tmp_path, "idle = 1.0") as house, house.connect() as client:
        client.send(START)
        for _ in range(10):
            time.sleep(0.2)
            client.send(bytes(320))
        assert house.count("streams{}") == 1
        fell_silent = time.monotonic()
        with contextlib.suppress(ConnectionClosed):
            while time.monotonic() < fell_silent + 10:
                client.send(b"")
                time.sleep(0.1)
        assert rest(client)[-1]["reason"] == "no audio for 1 s"
        assert time.monotonic() < fell_silent + 5
        house.end()


def test_audio_is_taken_only_where_it_is_wanted_and_from_those_who_may(tmp_path: Path) -> None:
    port = free_port()
    config = f"[websocket]\nport = {port}\ntoken = '{TOKEN}'\n"
    url = f"ws://127.0.0.1:{port}/audio"
    shown = {"Authorization": f"Bearer {TOKEN}"}
    with Serving(tmp_path, config) as serving:
        serving.log.until("session started")
        with pytest.raises(InvalidStatus) as refused:
            connect(url, additional_headers=shown)
        assert refused.value.response.status_code == 404
        assert b"set websocket.audio = true" in (refused.value.response.body or b"")
        serving.config.write_text(config + "audio = true\n")
        serving.signal(signal.SIGHUP)
        serving.log.until("reloaded")
        with pytest.raises(InvalidStatus) as refused:
            connect(url)
        assert refused.value.response.status_code == 401
        with connect(url, additional_headers=shown) as client:
            client.send(START)
            assert json.loads(client.recv(PATIENCE))["source"] == "websocket:1"
        serving.end()


def test_a_server_without_ear_and_without_clients_is_a_mistake(tmp_path: Path) -> None:
    with Serving(tmp_path, "[socket]\n", mic="none") as serving:
        until(lambda: serving.process.poll() is not None)
        told = serving.end(2)[-1]
        assert "listen.input is none, and no client may send audio" in told


def test_clients_that_vanish_leave_nothing_behind(house: House) -> None:
    script = f"""
from websockets.sync.client import connect
with connect("ws://127.0.0.1:{house.port}/audio") as client:
    client.send('{START}')
    while True:
        client.send(bytes(3200))
"""
    with house.connect() as honest:
        honest.send(START)
        killed = [subprocess.Popen([sys.executable, "-c", script], cwd=ROOT) for _ in range(3)]
        until(lambda: house.count("streams{}") == 4)
        for process in killed:
            process.kill()
            process.wait()
        until(lambda: house.count("streams{}") == 1)
        send(honest, HEAD)
        honest.send(END)
        assert spoken(rest(honest)) == alone(HEAD)
    until(lambda: house.count("streams{}") == 0)


def test_hostile_clients_cost_the_others_nothing_and_memory_stays_bounded(tmp_path: Path) -> None:
    with (
        House(tmp_path, "backlog = 2.0\nidle = 2.0", "queue = 16") as house,
        contextlib.ExitStack() as kept,
    ):
        with house.connect() as client:  # everything is loaded
            client.send(START)
            send(client, HEAD)
            client.send(END)
            rest(client)
        before = house.rss_mb()
        honest = kept.enter_context(house.connect())
        honest.send(START)
        clip, last = HEAD * 2, []
        hearing = threading.Thread(target=lambda: last.extend(rest(honest)))
        hearing.start()
        telling = threading.Thread(target=lambda: (send(honest, clip), honest.send(END)))
        telling.start()

        def flood(*frames: bytes, times: int = 20_000) -> bool:
            """Send raw frames again and again; return whether the server hung up."""
            with house.connect() as client:
                client.send(START)
                with contextlib.suppress(OSError, ConnectionClosed):
                    for _ in range(10):
                        client.socket.sendall(b"".join(frames) * (times // 10))
                    client.socket.sendall(b"".join(frames) * (times % 10))
                with contextlib.suppress(ConnectionClosed):
                    while True:
                        client.recv(PATIENCE)
                return client.protocol.close_code not in (1000, None)

        mask = b"\x80abcd"
        assert flood(b"\x89" + mask)  # pings
        assert flood(b"\x02" + mask, b"\x00" + mask)  # a message of fragments of no bytes
        assert flood(b"\x82" + mask)  # messages of no bytes
        assert flood(b"\x82\xff" + (1 << 62).to_bytes(8, "big") + b"abcd", times=1)  # one of 2^62
        assert flood(b"\x82\xfe\xff\xff" + b"abcd" + bytes(999), times=1)  # one without its end
        # Never reads a thing, and sends as fast as it can: the network makes it wait.
        lazy = kept.enter_context(house.connect(max_queue=1))
        lazy.send(START)
        lazy.socket.settimeout(1.0)
        sent, deadline = 0, time.monotonic() + 2.0
        frame = b"\x82\xfe\x0c\x80" + bytes(4) + HEAD[:3200]
        with contextlib.suppress(OSError):
            while time.monotonic() < deadline:
                sent += lazy.socket.send(frame)
        assert sent < 32_000 * 400  # backlog, a few times real time, and what TCP holds
        telling.join(PATIENCE)
        hearing.join(PATIENCE)
        # Its own queue of 16 is what the honest one may lose events to; it loses no audio.
        assert last[-1]["type"] == "session.ended" and last[-2]["dropped_s"] == 0.0
        assert house.rss_mb() < before + 40.0
        house.end()


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "talk.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(HEAD)
    return path


def run(example: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "examples" / example), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE)


def test_the_example_sends_a_recording(house: House, recording: Path) -> None:
    url = f"ws://127.0.0.1:{house.port}/audio"
    done = run("stream_audio.py", str(recording), url)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    *utterances, last = done.stdout.splitlines()
    assert last == "6.0 s heard"
    assert len(utterances) == sum(
        event["type"] == "utterance" and event["label"] is not None for event in alone(HEAD)
    )
    for arguments, told in (
        (("nothing.wav", url), "nothing.wav"),
        ((str(recording), url[:-6]), "audio goes to /audio"),
        ((str(recording), "ws://127.0.0.1:9"), "Connect call failed"),
    ):
        done = run("stream_audio.py", *arguments)
        assert done.returncode == 1 and told in done.stderr and "Traceback" not in done.stderr


def test_the_example_with_wyomings_client(tmp_path: Path, recording: Path) -> None:
    pytest.importorskip("wyoming", reason="needs pip install wyoming")
    port = free_port()
    with Serving(tmp_path, f"[wyoming]\nport = {port}\ntoken = '{TOKEN}'\n", mic="none") as it:
        it.log.until("session started")
        done = run("wyoming_client.py", str(recording), "127.0.0.1", str(port), TOKEN)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("somebody speaks\n")
        done = run("wyoming_client.py", str(recording), "127.0.0.1", str(port))
        assert done.returncode == 1 and "begin with the user-event token" in done.stderr
        it.end()


def test_a_client_says_whose_voice_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = store_profiles(tmp_path, monkeypatch)
    with House(tmp_path) as house:

        def said(profile: str) -> tuple[list[dict[str, Any]], ClientConnection]:
            with house.connect() as client:
                client.send(json.dumps({"format": "s16le", "rate": 16_000, "profile": profile}))
                with contextlib.suppress(ConnectionClosed):
                    send(client, HEAD)
                    client.send(END)
                return rest(client), client

        events, _ = said("anna")
        assert events[0]["profile"] == "anna"
        assert spoken(events) == alone(HEAD, anna) != alone(HEAD)
        for name, told in (
            ("bert", "no profile bert"),
            ("../profiles/anna", "no profile ../profiles/anna"),
            ("\ud800\n" * 99, "no profile '\\ud800\\n"),
            ("old", "profile old was made with another model"),
            ("torn", "profile torn cannot be read: see the server's log"),
        ):
            events, client = said(name)
            reason = client.protocol.close_reason or ""
            assert events == [] and client.protocol.close_code == 1008 and reason.startswith(told)
            assert "anna" not in reason.replace(name, ""), "whose profiles there are"
        house.end()
