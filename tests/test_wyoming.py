"""Audio from Wyoming's own client, and from those who speak the protocol badly or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import events_schema
import pytest
import streaming
from serving import PATIENCE, ROOT, SECOND, TOKEN, Serving, certificate, free_port, until
from streaming import HEAD, alone, spoken, store_profiles

pytest.importorskip("wyoming", reason="needs pip install wyoming")

from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong
from wyoming.user_event import UserEvent
from wyoming.vad import VoiceStarted, VoiceStopped


class House(streaming.House):
    """One that Wyoming clients may send audio to."""

    def __init__(self, folder: Path, config: str = "") -> None:
        self.port = free_port()
        super().__init__(folder, f"{config}\n[wyoming]\nport = {self.port}\n")

    def talk(self, *events: Event) -> list[Event]:
        """Send all events with Wyoming's own client, and return what comes until the end."""
        return asyncio.run(self._talk(events))

    async def _talk(self, events: tuple[Event, ...]) -> list[Event]:
        async with AsyncTcpClient("127.0.0.1", self.port, read_timeout=PATIENCE) as client:

            async def send() -> None:
                with contextlib.suppress(OSError):
                    for event in events:
                        await client.write_event(event)
                    assert client._writer is not None
                    client._writer.write_eof()

            sending = asyncio.create_task(send())
            got = []
            with contextlib.suppress(OSError):
                while (event := await client.read_event()) is not None:
                    got.append(event)
            await sending
            return got

    def say(self, what: bytes) -> list[dict[str, Any]]:
        """Send raw bytes and return what comes until the end."""
        answer = b""
        with socket.create_connection(("127.0.0.1", self.port)) as peer:
            peer.settimeout(PATIENCE)
            with contextlib.suppress(OSError):
                peer.sendall(what)
                peer.shutdown(socket.SHUT_WR)
            with contextlib.suppress(OSError):
                while part := peer.recv(65_536):
                    answer += part
        return [json.loads(line) for line in answer.splitlines()]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path) as house:
        yield house
        house.end()


def audio(pcm: bytes, size: int = 2048, rate: int = 16_000, at: int = 0) -> Iterator[Event]:
    yield AudioStart(rate=rate, width=2, channels=1, timestamp=at).event()
    for begin in range(0, len(pcm), size):
        chunk = pcm[begin : begin + size]
        yield AudioChunk(rate=rate, width=2, channels=1, audio=chunk).event()
    yield AudioStop().event()


def ours(got: list[Event]) -> list[dict[str, Any]]:
    """Return streamser's own events."""
    told = [UserEvent.from_event(event) for event in got if UserEvent.is_type(event.type)]
    for event in told:
        assert event.data is not None and event.name == event.data["type"]
        events_schema.check(event.data)
    return [event.data for event in told if event.data is not None]


def test_the_own_client_sends_audio_and_gets_user_events(house: House) -> None:
    got = house.talk(*audio(HEAD, at=5000))
    events = ours(got)
    assert spoken(events) == alone(HEAD)
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert (events[0]["source"], events[-1]["reason"]) == ("wyoming:1", "end of input")
    begun = [VoiceStarted.from_event(e) for e in got if VoiceStarted.is_type(e.type)]
    ended = [VoiceStopped.from_event(e) for e in got if VoiceStopped.is_type(e.type)]
    utterances = [event for event in events if event["type"] == "utterance"]
    for start, stop, utterance in zip(begun, ended, utterances, strict=True):
        assert start.timestamp == round(5000 + 1000 * utterance["start"])
        assert stop.timestamp == round(5000 + 1000 * utterance["end"])


def test_streams_follow_one_another_on_a_connection(house: House) -> None:
    got = house.talk(
        Describe().event(),
        Ping(text="there?").event(),
        Event(type="transcribe", data={"language": "en"}),  # not for us
        *audio(HEAD),
        *list(audio(HEAD, size=20_000))[1:-1],  # neither its start nor its end is told
    )
    info = Info.from_event(got[0])
    assert info.asr == [] and got[0].data["emotion"][0]["name"] == "streamser"
    assert "neutral" in got[0].data["emotion"][0]["models"][0]["labels"]
    assert Pong.from_event(got[1]).text == "there?"
    events = ours(got)
    second = next(i for i, event in enumerate(events) if event.get("source") == "wyoming:2")
    assert spoken(events[:second]) == spoken(events[second:]) == alone(HEAD)


def test_a_client_says_whose_voice_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = store_profiles(tmp_path, monkeypatch)
    start, *rest = audio(HEAD)
    with House(tmp_path) as house:
        for profile in ("anna", None):
            named = Event(type=start.type, data={**start.data, "profile": profile})
            events = ours(house.talk(named, *rest))
            assert events[0]["profile"] == profile
            assert spoken(events) == alone(HEAD, anna if profile else None)
        for wrong, code in (("bert", "no-profile"), (3, "malformed")):
            named = Event(type=start.type, data={**start.data, "profile": wrong})
            (refused,) = house.talk(named, *rest)
            error = Error.from_event(refused)
            assert error.code == code and "profile" in error.text and "anna" not in error.text
        house.end()


def test_what_is_no_wyoming_is_told_why_and_seen_out(house: House) -> None:
    start = b'{"type": "audio-start", "data": {"rate": 16000, "width": 2, "channels": 1}}\n'
    chunk = b'{"type": "audio-chunk", "data": {"rate": 8000, "width": 2, "channels": 1}}\n'
    for said, told in (
        (b"GET / HTTP/1.1\r\n\r\n", "not JSON"),
        (b"\n", "not JSON"),
        (b"[]\n", "not a JSON object"),
        (b"{}\n", "type is missing"),
        (b'{"type": 3}\n', "type has to be text"),
        (b'{"type": "ping", "data_length": -1}\n', "data_length has to be from 0"),
        (b'{"type": "x", "payload_length": 1000000000000}\n', "payload_length has to be"),
        (b'{"type": "x", "data_length": 3}\n[1]', "not a JSON object"),
        (b'{"type": "audio-start"}\n', "rate has to be a whole number"),
        (start.replace(b"2", b"4", 1), "has to be"),
        (start.replace(b'"width": 2', b'"width": 4'), "width has to be 2"),
        (start.replace(b"16000", b"16"), "rate has to be from 8000"),
        (start + chunk, "another format than the stream began with"),
        (b" " * 300_000, "more than"),
        (b'{"a": ' * 2000 + b"\n", "JSON"),
    ):
        answers = house.say(said)
        assert answers[-1]["type"] == "error" and told in answers[-1]["data"]["text"], answers
        assert Error.from_event(Event(type="error", data=answers[-1]["data"])).code == "malformed"
    assert house.say(b'{"type": "audio-chunk", "payload_le') == []
    assert house.say(b'{"type": "x", "data_length": 300}\n{') == []
    assert [answer["type"] for answer in house.say(b'{"type": "describe"}\n')] == ["info"]


def test_streams_beyond_the_limit_are_refused_in_words(tmp_path: Path) -> None:
    with House(tmp_path, "[streams]\nlimit = 1\nidle = 1.0") as house:
        start = b'{"type": "audio-start", "data": {"rate": 16000, "width": 2, "channels": 1}}\n'
        with socket.create_connection(("127.0.0.1", house.port)) as silent:
            silent.settimeout(PATIENCE)
            lines = silent.makefile()
            silent.sendall(start)
            assert "session.started" in lines.readline()
            (refused,) = house.say(start)
            assert refused["data"]["code"] == "streams-full"
            assert "all 1 streams are taken: try again later" in refused["data"]["text"]
            # And the one that is open ends when it says nothing for a second.
            last = [json.loads(line) for line in lines][-1]
            assert last["data"]["data"]["reason"] == "no audio for 1 s"
        assert spoken(ours(house.talk(*audio(HEAD)))) == alone(HEAD)
        house.end()


def test_who_says_nothing_is_seen_out_soon(house: House) -> None:
    with (
        socket.create_connection(("127.0.0.1", house.port)) as silent,
        socket.create_connection(("127.0.0.1", house.port)) as known,
    ):
        known.sendall(b'{"type": "describe"}\n')
        silent.settimeout(15)
        assert silent.recv(1) == b""
        known.sendall(b'{"type": "ping"}\n')  # a pause between two streams may be longer
        told = known.makefile()
        assert "info" in told.readline() and "pong" in told.readline()


def test_who_only_pings_is_silent(tmp_path: Path) -> None:
    with House(tmp_path, "[streams]\nidle = 1.0") as house:
        start = b'{"type": "audio-start", "data": {"rate": 16000, "width": 2, "channels": 1}}\n'
        answers = house.say(start + 2000 * b'{"type": "ping"}\n')
        assert answers[-1]["data"]["data"]["reason"] == "no audio for 1 s"
        assert sum(answer["type"] == "pong" for answer in answers) < 1000
        house.end()


def test_beyond_loopback_a_token_comes_first_and_tls_if_wanted(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    port = free_port()
    config = f"[wyoming]\nhost = '0.0.0.0'\nport = {port}\n"
    with Serving(tmp_path, config, mic="none") as serving:
        until(lambda: serving.process.poll() is not None)
        assert "wyoming.host 0.0.0.0 is beyond loopback: set token" in serving.end(2)[-1]
    (tmp_path / "notify").unlink()
    (tmp_path / "runtime").rmdir()
    with House(tmp_path, "") as house:
        secured = f"token = '{TOKEN}'\nhost = '0.0.0.0'\n"
        house.serving.config.write_text(house.serving.config.read_text() + secured)
        house.serving.signal(signal.SIGHUP)
        house.serving.log.until("reloaded")
        describe = Describe().event()
        for first in (
            describe,
            UserEvent(name="token", data={"token": "wrong-horse-battery"}).event(),
            UserEvent(name="token", data={"token": 3}).event(),
            UserEvent(name="token").event(),
            Event(type="user-event", data={"name": "token", "data": [TOKEN]}),
        ):
            (refused,) = house.talk(first, describe)
            assert Error.from_event(refused).code == "unauthorized"
        shown = UserEvent(name="token", data={"token": TOKEN}).event()
        assert [event.type for event in house.talk(shown, describe)] == ["info"]
        secured += f"certificate = '{cert}'\nkey = '{key}'\n"
        house.serving.config.write_text(f"[wyoming]\nport = {house.port}\n{secured}")
        house.serving.signal(signal.SIGHUP)
        house.serving.log.until("reloaded")
        assert house.say(b'{"type": "describe"}\n') == []
        context = ssl.create_default_context(cafile=str(cert))
        with (
            socket.create_connection(("127.0.0.1", house.port), PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as peer,
        ):
            frame = {"type": "user-event", "data": {"name": "token", "data": {"token": TOKEN}}}
            peer.sendall(json.dumps(frame).encode() + b'\n{"type": "describe"}\n')
            assert json.loads(peer.makefile().readline())["type"] == "info"
        assert TOKEN not in "".join(house.serving.end())


def test_clients_that_vanish_and_a_server_that_ends(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        script = f"""
import socket
peer = socket.create_connection(("127.0.0.1", {house.port}))
told = b'{{"type":"audio-chunk","data":{{"rate":16000,"width":2,"channels":1}},'
while True:
    peer.sendall(told + b'"payload_length":3200}}\\n' + bytes(3200))
"""
        killed = [subprocess.Popen([sys.executable, "-c", script], cwd=ROOT) for _ in range(2)]
        with socket.create_connection(("127.0.0.1", house.port)) as peer:
            peer.settimeout(PATIENCE)
            lines = peer.makefile()
            chunk = AudioChunk(rate=16_000, width=2, channels=1, audio=SECOND).event()
            data = json.dumps({"type": chunk.type, "data": chunk.data, "payload_length": 32_000})
            peer.sendall(data.encode() + b"\n" + SECOND)
            assert "session.started" in lines.readline()
            for process in killed:
                process.kill()
                process.wait()
            # One that is connected and silent is seen out at once, too.
            with socket.create_connection(("127.0.0.1", house.port)) as silent:
                silent.settimeout(PATIENCE)
                house.serving.signal(signal.SIGTERM)
                assert json.loads(lines.readlines()[-1])["data"]["data"]["reason"] == (
                    "the server ends"
                )
                assert silent.recv(1) == b""
        house.end()
