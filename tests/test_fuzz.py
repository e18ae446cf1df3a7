"""Whatever strangers write into what is parsed: an answer or one clear line, never more memory.

STREAMSER_FUZZ=10000 python -m pytest tests/test_fuzz.py
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import socket
import threading
import tracemalloc
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fuzzing import fuzz, fuzz_a_door
from hypothesis import given
from hypothesis import strategies as st
from serving import PATIENCE, until

from streamser import config
from streamser.analysis.settings import Settings
from streamser.audio.pcm import PcmPipe
from streamser.audio.source import SourceError
from streamser.config import Config
from streamser.flow import Flow
from streamser.layers import ConfigError, Layers, sections
from streamser.outputs.hearing import read_end, read_start
from streamser.outputs.metrics import MetricsServer
from streamser.outputs.network import Hosted, Network, Service
from streamser.outputs.unixsocket import UnixServer
from streamser.outputs.websocket import WebSocketServer
from streamser.outputs.wyoming import WyomingServer
from streamser.outputs.wyoming_frames import read_frame
from streamser.streams.pool import Streams

MOST = 32 << 20
"""Bytes that one input may take, at its worst moment."""


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MOST
    finally:
        tracemalloc.stop()


def one_line(error: Exception) -> str:
    """Check that this is what a user may see."""
    told = str(error)
    assert told and "\n" not in told and told.isprintable() and len(told) < 1000
    return told


# --- What may be said in a configuration: any text, and texts that are nearly right.

PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["none", "-", "mic", "0.0.0.0", "127.0.0.1", "x" * 16, "debug", 16_000, 1]),
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


def keys(section: str) -> st.SearchStrategy[str]:
    known = sorted(sections()[section].__dataclass_fields__)
    return st.one_of(st.sampled_from(known), st.text(max_size=8))


TABLES = st.fixed_dictionaries(
    {},
    optional={
        section: st.one_of(st.dictionaries(keys(section), VALUES, max_size=5), VALUES)
        for section in sections()
    }
    | {"other": VALUES},
)


def toml(value: Any) -> str:
    """Write a value as TOML, or as what looks like it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float):
        return str(value)
    return json.dumps(value)


def document(table: dict[str, Any]) -> bytes:
    lines = []
    for name, section in table.items():
        if isinstance(section, dict):
            lines.append(f"[{name}]")
            lines += [f"{json.dumps(key)} = {toml(value)}" for key, value in section.items()]
        else:
            lines.insert(0, f"{name} = {toml(section)}")
    return "\n".join(lines).encode("utf-8", "surrogatepass")


CONFIGS = st.one_of(
    st.binary(max_size=200),
    st.text(alphabet="[]=.\"'\n #ab1socketport{},\\\r\t\0é", max_size=120).map(str.encode),
    TABLES.map(document),
)


def load(content: bytes, folder: Path, *flags: str, **environment: str) -> Config | None:
    path = folder / "config.toml"
    path.write_bytes(content)
    try:
        with bounded():
            return Layers(path=path, environment=environment, settings=flags).load()
    except ConfigError as error:
        one_line(error)
        return None


@fuzz
@given(content=CONFIGS)
def test_any_configuration_does_or_is_told_in_a_line(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    loaded = load(content, tmp_path_factory.getbasetemp())
    assert loaded is None or isinstance(loaded, Config)


@fuzz
@given(
    flag=st.one_of(
        st.text(max_size=40),
        st.builds(
            "{}.{}={}".format, st.sampled_from(sorted(sections())), st.text(max_size=9), VALUES
        ),
        st.sampled_from(sorted(sections())).flatmap(
            lambda name: st.builds((name + ".{}={}").format, keys(name), VALUES)
        ),
    ),
    variable=st.sampled_from(sorted(sections())).flatmap(
        lambda name: st.tuples(st.just(name), keys(name))
    ),
    value=st.text(max_size=30),
)
def test_any_flag_or_variable_does_or_is_told_in_a_line(
    flag: str, variable: tuple[str, str], value: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    name = f"STREAMSER_{variable[0]}_{variable[1]}".upper()
    load(b"", tmp_path_factory.getbasetemp(), flag, **{name: value})


# --- What a WebSocket client may say at /audio, in text.

TOLD = st.fixed_dictionaries(
    {},
    optional={
        "type": st.one_of(st.sampled_from(["start", "end"]), VALUES),
        "format": st.one_of(st.just("s16le"), VALUES),
        "rate": st.one_of(st.integers(7000, 200_000), VALUES),
        "channels": st.one_of(st.integers(-1, 20), VALUES),
        "profile": st.one_of(st.just("nobody"), VALUES),
        "x": VALUES,
    },
)
MESSAGES = st.one_of(
    st.text(max_size=100),
    TOLD.map(json.dumps),
    st.integers(0, 3000).map(lambda depth: "[" * depth + "]" * depth),
    st.integers(0, 2000).map(lambda depth: '{"a":' * depth),
    st.integers(1, 4000).map(lambda digits: '{"rate": ' + "9" * digits + "}"),
)


@fuzz
@given(message=st.one_of(MESSAGES, st.binary(max_size=50)))
def test_any_first_or_later_message_is_understood_or_told_in_a_line(message: str | bytes) -> None:
    try:
        with bounded():
            audio = read_start(message)
        assert 8000 <= audio.rate <= 192_000 and 1 <= audio.channels <= 16
    except ValueError as error:
        one_line(error).encode()
    if isinstance(message, str):
        try:
            read_end(message)
        except ValueError as error:
            one_line(error).encode()


# --- Wyoming's frames.


def frame(kind: Any, data: Any, more: bytes, payload: bytes, lies: tuple[Any, Any]) -> bytes:
    head = {"type": kind, "data": data, "data_length": len(more), "payload_length": len(payload)}
    if lies[0] is not None:
        head["data_length"] = lies[0]
    if lies[1] is not None:
        head["payload_length"] = lies[1]
    return json.dumps(head).encode() + b"\n" + more + payload


KINDS = ("audio-start", "audio-chunk", "audio-stop", "describe", "ping", "user-event", "x")
AUDIO = st.fixed_dictionaries(
    {"rate": st.just(16_000), "width": st.just(2), "channels": st.just(1)},
    optional={"timestamp": st.one_of(st.integers(), VALUES)}
    | dict.fromkeys(("text", "name", "profile"), VALUES),
)
FRAMES = st.builds(
    frame,
    st.one_of(st.sampled_from(KINDS), VALUES),
    st.one_of(AUDIO, TOLD, VALUES),
    st.one_of(st.just(b""), TOLD.map(json.dumps).map(str.encode), st.binary(max_size=20)),
    st.binary(max_size=200),
    st.tuples(*2 * [st.one_of(st.none(), st.none(), st.none(), st.integers(), VALUES)]),
)
LINES = MESSAGES.map(lambda text: text.encode("utf-8", "replace") + b"\n")
WYOMING = st.one_of(
    st.binary(max_size=300), st.lists(st.one_of(FRAMES, LINES), max_size=4).map(b"".join)
)


@fuzz
@given(said=WYOMING)
def test_any_bytes_are_wyoming_frames_or_told_in_a_line(said: bytes) -> None:
    async def read() -> None:
        reader = asyncio.StreamReader(limit=1 << 17)
        reader.feed_data(said)
        reader.feed_eof()
        with contextlib.suppress(EOFError):
            while (found := await read_frame(reader)) is not None:
                assert isinstance(found.type, str) and len(found.payload) <= len(said)
                with contextlib.suppress(ValueError):
                    assert found.audio.rate
                with contextlib.suppress(ValueError):
                    assert found.profile is None or isinstance(found.profile, str)
                assert isinstance(found.timestamp, int)

    try:
        with bounded():
            asyncio.run(read())
    except ValueError as error:
        one_line(error)


# --- Raw PCM on standard input, which may begin like a WAV file.


def wav(channels: int, width: int, rate: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(width)
        writer.setframerate(rate)
        writer.writeframes(bytes(600))
    return file.getvalue()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A WAV file with bytes that are other ones."""
    data = bytearray(
        wav(draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 1 << 28)))
    )
    for _ in range(draw(st.integers(0, 4))):
        data[draw(st.integers(4, 47))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))])


@fuzz
@given(
    data=st.one_of(st.binary(max_size=300), damaged(), st.binary(max_size=60).map(b"RIFF".__add__)),
    rate=st.sampled_from([16_000, 8000, 48_000]),
)
def test_any_pcm_is_heard_or_told_in_a_line(data: bytes, rate: int) -> None:
    read, write = os.pipe()
    os.write(write, data)
    os.close(write)
    source = PcmPipe(rate, fd=read)
    heard = 0
    try:
        with bounded():
            source.open()
            while (block := source.read(PATIENCE)) is not None:
                heard += len(block)
    except SourceError as error:
        one_line(error)
    finally:
        os.close(read)
    assert heard <= 1 + len(data) / 2 * 16


# --- Every door, with raw bytes over real connections.


class House:
    """All servers, in this process."""

    def __init__(self, folder: Path) -> None:
        self.failures: list[str] = []
        self.streams = Streams()
        self.streams.configure(config.Streams(limit=100, idle=1.0), None, Settings())
        self._network = Network()
        many: dict[str, Any] = {"clients": 1000, "connections_per_second": 10_000.0}
        self.folder = folder
        services: dict[str, Service] = {
            "websocket": WebSocketServer(
                config.WebSocket(port=0, audio=True, **many), self.streams
            ),
            "wyoming": WyomingServer(config.Wyoming(port=0, **many), self.streams),
            "metrics": MetricsServer(config.Metrics(port=0, **many), Flow(), dict, self.streams),
            "socket": UnixServer(config.UnixSocket(path=str(folder / "s"), **many)),
        }
        self.doors = {name: Hosted(self._network, service) for name, service in services.items()}
        for door in self.doors.values():
            door.open()
        self.ports = {
            name: service._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
            for name, service in services.items()
            if name != "socket"
        }
        threading.excepthook = lambda death: self.failures.append(str(death))

    def say(self, door: str, said: bytes) -> None:
        """Connect, say it, hang up our side, and read to the end."""
        peer = socket.socket(socket.AF_UNIX if door == "socket" else socket.AF_INET)
        with peer, contextlib.suppress(ConnectionError, BrokenPipeError):
            peer.settimeout(PATIENCE)
            peer.connect(
                str(self.folder / "s") if door == "socket" else ("127.0.0.1", self.ports[door])
            )
            peer.sendall(said)
            peer.shutdown(socket.SHUT_WR)
            if door != "socket":  # there one who closed its own side still listens
                while peer.recv(1 << 16):
                    pass

    def close(self) -> None:
        for door in self.doors.values():
            door.close()
        self.streams.close()
        self._network.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    hook = threading.excepthook
    house = House(tmp_path_factory.mktemp("house"))
    yield house
    until(lambda: house.streams.tally().open == 0)
    house.close()
    threading.excepthook = hook
    assert not house.failures


UPGRADE = (
    b"GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def masked(opcode: int, final: bool, payload: bytes) -> bytes:
    length = bytes([0x80 | len(payload)]) if len(payload) < 126 else b""
    length = length or b"\xfe" + len(payload).to_bytes(2, "big")
    return bytes([opcode | (0x80 if final else 0)]) + length + bytes(4) + payload


WEBSOCKET = st.builds(
    lambda path, frames: UPGRADE % path + b"".join(frames),
    st.sampled_from([b"/audio", b"/"]),
    st.lists(
        st.one_of(
            MESSAGES.map(lambda text: masked(1, True, text.encode("utf-8", "replace")[:60_000])),
            TOLD.map(lambda told: masked(1, True, json.dumps(told).encode())),
            st.just(masked(1, True, b'{"format": "s16le", "rate": 16000}')),
            st.binary(max_size=300).map(lambda data: masked(2, True, data)),
            st.builds(masked, st.integers(0, 15), st.booleans(), st.binary(max_size=130)),
            st.binary(max_size=30),
        ),
        max_size=6,
    ),
)
HTTP = st.one_of(
    st.binary(max_size=300),
    st.lists(
        st.sampled_from([b"GET", b" ", b"/metrics", b"HTTP/1.1", b"\r\n", b":", b"\xff", b"\0"])
    ).map(lambda parts: b"".join(parts) + b"\r\n\r\n"),
)


def door(name: str, inputs: st.SearchStrategy[bytes]) -> Callable[..., None]:
    @fuzz_a_door
    @given(said=inputs)
    def test(said: bytes, house: House, caplog: pytest.LogCaptureFixture) -> None:
        with bounded():
            house.say(name, said)
        assert house.doors[name].failure() is None and not house.failures
        assert not [r for r in caplog.records if r.levelname == "ERROR"], caplog.text

    return test


test_any_bytes_at_the_websocket = door("websocket", st.one_of(WEBSOCKET, HTTP))
test_any_bytes_at_wyoming = door("wyoming", WYOMING)
test_any_bytes_at_the_metrics = door("metrics", HTTP)
test_any_bytes_at_the_socket = door("socket", st.binary(max_size=300))
