"""The sound server's protocol: found, understood, and no server's bytes do harm."""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pulse
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamser.audio import nativeprotocol as native
from streamser.audio.devices import Device
from streamser.audio.serveraddress import Address, addresses, cookie, parse
from streamser.audio.serverlink import NoServerError, ServerLink
from streamser.audio.soundserver import QUARTZ, SETTLED, Pace, ServerStream
from streamser.audio.source import SourceError

ATTIC: dict[str, Any] = {
    "number": None, "name": "Attic", "api": "sound server", "channels": 1, "rate": 48_000,
    "default": False, "key": "attic",
}  # fmt: skip

AUDIO = 7
"""The channel of the stream that the server below gives."""

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
TOLD = st.one_of(
    st.integers(0, 2**32 - 1).map(lambda v: (native.u32(v), v)),
    TEXT.map(lambda v: (native.text(v), v)),
    st.just((native.text(None), None)),
    st.booleans().map(lambda v: (native.flag(v), v)),
    st.binary().map(lambda v: (native.opaque(v), v)),
    st.dictionaries(TEXT, TEXT).map(
        lambda v: (native.properties(v), {k: w.encode() + b"\0" for k, w in v.items()})
    ),
)

HEARING = """\
import sys
from streamser.audio.microphone import Microphone
from streamser.audio.source import SourceError
microphone = Microphone("null output")
try:
    microphone.open()
    print(microphone.name, sum(len(microphone.read(5.0)) for _ in range(3)) >= 3 * 1280)
except SourceError as error:
    print(error)
"""


@given(st.lists(TOLD))
def test_what_is_told_is_understood(told: list[tuple[bytes, native.Value]]) -> None:
    assert native.values(b"".join(part for part, _ in told)) == [value for _, value in told]


@given(st.binary())
@example(5000 * b"P")
def test_what_is_no_value_is_refused(payload: bytes) -> None:
    with contextlib.suppress(ValueError):
        native.values(payload)


@given(st.lists(TOLD, min_size=1), st.integers(1, 20))
def test_what_is_cut_short_is_not_taken_for_whole(
    told: list[tuple[bytes, native.Value]], less: int
) -> None:
    whole = b"".join(part for part, _ in told)
    with contextlib.suppress(ValueError):
        assert len(native.values(whole[:-less])) < len(told)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("unix:/run/pulse/native", Address(path="/run/pulse/native")),
        ("{c0ffee}unix:/run/user/7/pulse/native", Address(path="/run/user/7/pulse/native")),
        ("/tmp/native", Address(path="/tmp/native")),
        ("tcp:robot.local", Address(host="robot.local", port=4713)),
        ("tcp4:10.0.0.7:4714", Address(host="10.0.0.7", port=4714)),
        ("robot:4714", Address(host="robot", port=4714)),
        ("tcp6:[::1]:4714", Address(host="::1", port=4714)),
        ("[::1]", Address(host="::1", port=4713)),
        ("tcp:", None),
        ("robot:mic", None),
        ("robot:70000", None),
    ],
)
def test_an_address_is_read(name: str, address: Address | None) -> None:
    assert parse(name) == address


def test_the_server_is_looked_for_where_its_own_clients_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PULSE_SERVER", "PULSE_RUNTIME_PATH", "PULSE_CLIENTCONFIG", "PULSE_COOKIE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    (tmp_path / "settings" / "pulse").mkdir(parents=True)
    conf, friends = (tmp_path / "settings" / "pulse" / name for name in ("client.conf", "cookie"))
    conf.write_text("; default-server = commented\n")
    assert addresses() == [Address(path=f"{at}/pulse/native") for at in ("/run/user/7", "/run")]
    assert cookie() == bytes(256)
    friends.write_bytes(bytes(range(256)))
    assert cookie() == bytes(range(256))
    conf.write_text(f"default-server = robot\ncookie-file = {tmp_path / 'other'}\n")
    (tmp_path / "other").write_bytes(256 * b"o")
    assert addresses() == [Address(host="robot")]
    assert cookie() == 256 * b"o"
    monkeypatch.setenv("PULSE_SERVER", "unix:/gone tcp:nearer:1")
    assert addresses() == [Address(path="/gone"), Address(host="nearer", port=1)]


@pytest.mark.parametrize("folder", ["none", "locked"])
def test_settings_that_cannot_be_read_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    for name in ("PULSE_SERVER", "PULSE_CLIENTCONFIG", "PULSE_COOKIE", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)

    def refuse(*_: object) -> bytes:
        raise PermissionError

    def homeless() -> Path:
        raise RuntimeError

    if folder == "none":
        monkeypatch.setattr(Path, "home", homeless)
    else:
        monkeypatch.setattr(Path, "read_bytes", refuse)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert addresses()[0] == Address(path=f"{tmp_path}/pulse/native")
    assert cookie() == bytes(256)


@pytest.mark.parametrize("name", ["tcp:..", f"tcp:{300 * 'a'}"])
def test_a_host_that_cannot_be_is_no_server(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("PULSE_SERVER", name)
    with pytest.raises(NoServerError):
        ServerLink()


class Serving:
    """A server that says what it is told to, to whoever connects."""

    def __init__(self, folder: Path, *says: bytes, cut: int = 1 << 20, stays: bool = True) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(folder / "native"))
        self._socket.listen()
        self._says, self._cut, self._stays = says, cut, stays
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        client, _ = self._socket.accept()
        with contextlib.suppress(OSError):
            for word in self._says:
                client.recv(4096)
                for start in range(0, len(word), self._cut):
                    client.sendall(word[start : start + self._cut])
            while self._stays and client.recv(4096):
                pass
        client.close()


def answer(number: int, *values: bytes) -> bytes:
    return native.frame(native.u32(native.REPLY) + native.u32(number) + b"".join(values))


WELCOME = (answer(1, native.u32(35)), answer(2, native.u32(0)))


def begun(*after: bytes) -> bytes:
    """The answer to who wants a stream, and what follows it."""
    sizes = 4 * native.u32(AUDIO)
    layout = native.mono(16_000) + native.u32(0) + native.text("mic") + native.flag(False)
    return answer(3, sizes, layout, struct.pack(">cQ", b"U", 0)) + b"".join(after)


def audio(samples: bytes, missing: int = 0) -> bytes:
    return native.FRAME.pack(len(samples), AUDIO, missing, 0) + samples


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path / 'native'}")
    return tmp_path


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iterator[Path]]:
    yield (tmp_path_factory.mktemp(f"room{number}") for number in range(1000))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 1600), min_size=1, max_size=6), st.integers(1, 50))
def test_audio_comes_whole_however_the_socket_cuts_it(
    rooms: Iterator[Path], sizes: list[int], cut: int
) -> None:
    pieces = [np.full(size, number, np.int16).tobytes() for number, size in enumerate(sizes)]
    folder = next(rooms)
    Serving(folder, *WELCOME, begun(*map(audio, pieces)), cut=cut)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PULSE_SERVER", f"unix:{folder / 'native'}")
        link = ServerLink()
        assert link.record(None, piece=1280) == "mic"
        deadline = time.monotonic() + 30.0
        while sum(map(len, link.audio)) < 2 * sum(sizes) and time.monotonic() < deadline:
            link.turn(1.0)
        assert link.audio == pieces
        assert (link.missing, link.ended) == (0, False)
        link.close()


def test_what_the_server_lost_is_told_and_its_end_is_seen(room: Path) -> None:
    killed = native.frame(native.u32(native.RECORD_STREAM_KILLED) + native.u32(native.NONE))
    Serving(room, *WELCOME, begun(audio(bytes(64)), audio(bytes(32), missing=320), killed))
    link = ServerLink()
    link.record("mic", piece=1280)
    while not link.ended:
        link.turn(1.0)
    assert (list(map(len, link.audio)), link.missing) == ([64, 32], 160)
    link.close()


class Hearing:
    """A microphone that gives a piece every 80 ms by a clock of its own, and who reads them."""

    def __init__(self, *, skew: float = 0.0) -> None:
        self.now = 1000.0
        self.missing = 0.0
        self._pace = Pace()
        self._each = 0.08 / (1.0 + skew)

    def gives(self, seconds: float) -> None:
        """Let everything come in time."""
        for _ in range(round(seconds / self._each)):
            self.now += self._each
            self.comes(1)

    def stalls(self, pieces: int, *, lost: int = 0, bursts: int = 1) -> None:
        """Let pieces come late, 20 ms between bursts of them, and let some not come at all."""
        self.now += pieces * self._each - 0.02 * bursts
        come = pieces - lost
        for burst in range(bursts):
            self.now += 0.02
            self.comes(come * (burst + 1) // bursts - come * burst // bursts)

    def comes(self, pieces: int) -> None:
        if pieces:
            self._pace.came(1280 * pieces, self.now)
        if pieces and self._pace.behind(self.now):
            self.missing += self._pace.missing(self.now) / 16_000


@given(
    st.lists(st.tuples(st.integers(3, 400), st.integers(1, 10), st.floats(0.0, 5.0)), max_size=20),
    st.floats(-QUARTZ, QUARTZ),
)
def test_what_comes_late_is_not_missing(stalls: list[tuple[int, int, float]], skew: float) -> None:
    hearing = Hearing(skew=skew)
    hearing.gives(1.0)
    for pieces, bursts, rest in stalls:
        hearing.stalls(pieces, bursts=bursts)
        hearing.gives(rest)
    hearing.gives(2 * SETTLED)
    assert hearing.missing == 0.0


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 800), st.floats(0.0, 5.0)), max_size=20),
    st.floats(-QUARTZ, QUARTZ),
)
def test_what_does_not_come_is_missing(gaps: list[tuple[int, int, float]], skew: float) -> None:
    hearing = Hearing(skew=skew)
    hearing.gives(1.0)
    began = hearing.now
    for pieces, lost, rest in gaps:
        hearing.stalls(pieces + lost, lost=lost)
        hearing.gives(rest)
    hearing.gives(3 * SETTLED)
    unsure = 0.1 + 2 * QUARTZ * (hearing.now - began)
    assert hearing.missing == pytest.approx(0.08 * sum(lost for _, lost, _ in gaps), abs=unsure)


@pytest.mark.parametrize("skew", [-QUARTZ, QUARTZ])
def test_clocks_that_differ_lose_nothing_in_an_hour_and_what_is_lost_is_found(skew: float) -> None:
    hearing = Hearing(skew=skew)
    hearing.gives(3600.0)
    assert hearing.missing == 0.0
    hearing.stalls(8, lost=8)
    hearing.gives(3.0)
    assert hearing.missing == pytest.approx(0.64, abs=0.01)


@pytest.mark.parametrize("broken", [audio(b"odd"), audio(bytes(2), missing=-4)])
def test_audio_that_cannot_be_ends_the_stream(room: Path, broken: bytes) -> None:
    Serving(room, *WELCOME, begun(audio(bytes(64)), broken, audio(bytes(64))))
    stream = ServerStream(Device(**ATTIC), max_lag=2.0)
    with pytest.raises(SourceError, match="went away"):
        for _ in range(5):
            stream.read(1.0, 1)
    stream.stop()


@pytest.mark.parametrize(
    ("says", "stays"),
    [
        ([native.frame(native.u32(native.ERROR) + native.u32(1) + native.u32(1))], True),
        ([b""], False),
        ([native.frame(b"what?")], True),
        ([native.FRAME.pack(1 << 30, native.NONE, 0, 0) + bytes(1 << 18)], True),
        ([bytes(4096)], False),
    ],
    ids=["refuses", "hangs up", "speaks otherwise", "speaks endlessly", "speaks nonsense"],
)
def test_who_is_no_sound_server_is_none(room: Path, says: list[bytes], stays: bool) -> None:
    Serving(room, *says, stays=stays)
    with pytest.raises(NoServerError, match="no sound server"):
        ServerLink()


@pytest.mark.parametrize("told", [b"", native.u32(7), 6 * native.text("mic")])
def test_an_answer_that_lacks_something_is_none(room: Path, told: bytes) -> None:
    Serving(room, *WELCOME, answer(3, told), answer(4, told), answer(5, told))
    link = ServerLink()
    asking = (link.sources, lambda: link.name_of("mic"), lambda: link.record("mic", piece=1280))
    for ask in asking:
        with pytest.raises(NoServerError):
            ask()
    link.close()


def test_a_socket_that_nobody_listens_at_is_no_server(room: Path) -> None:
    with pytest.raises(SourceError, match="no sound server"):
        ServerLink()


@pytest.mark.skipif(pulse.missing() is not None, reason=str(pulse.missing()))
def test_a_server_elsewhere_is_heard_by_who_has_its_cookie(tmp_path: Path) -> None:
    server = pulse.PulseServer(tmp_path, 48_000)
    server.start()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "cookie").write_bytes(256 * b"c")
    load = "pactl load-module module-native-protocol-tcp listen=127.0.0.1"
    command = f"{load} port={port} auth-cookie={tmp_path / 'cookie'}".split()
    try:
        subprocess.run(command, env=server.env, check=True, capture_output=True)
        said = []
        for held in (tmp_path / "cookie", tmp_path / "none"):
            env = server.env | {"PULSE_SERVER": f"tcp:127.0.0.1:{port}", "PULSE_COOKIE": str(held)}
            hearing = [sys.executable, "-c", HEARING]
            done = subprocess.run(hearing, env=env, capture_output=True, text=True, timeout=60)
            said.append(done.stdout.strip())
        assert said[0] == "mic:Monitor of Null Output True"
        assert "null output" in said[1]
    finally:
        server.kill()
