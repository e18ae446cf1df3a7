"""The WebSocket server with real clients: honest, slow, silent, hostile and unknown ones."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any

import events_schema
import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st
from serving import PATIENCE, SECOND, TOKEN, Serving, certificate, free_port, speech, until
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request
from websockets.sync.client import ClientConnection, connect

from streamser.config import WebSocket
from streamser.outputs.access import Token
from streamser.outputs.output import OutputError
from streamser.outputs.websocket import WebSocketServer
from streamser.streams.pool import Streams


def events(client: ClientConnection) -> list[dict[str, Any]]:
    """Return all events until the server closes."""
    got = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            got.append(events_schema.check(json.loads(client.recv(PATIENCE))))
    return got


def test_a_client_gets_the_session_and_its_end(tmp_path: Path) -> None:
    port = free_port()
    with Serving(tmp_path, f"[websocket]\nport = {port}\n") as serving:
        serving.log.until("session started")
        with connect(f"ws://127.0.0.1:{port}/") as client:
            serving.hear(speech())
            first = json.loads(client.recv(PATIENCE))
            assert first["type"] == "session.started"
            while json.loads(client.recv(PATIENCE))["type"] != "utterance":
                pass
            with connect(f"ws://localhost:{port}") as late:
                snapshot = [json.loads(late.recv(PATIENCE))["type"] for _ in range(2)]
                assert snapshot[0] == "session.started"
                serving.signal(signal.SIGTERM)
                assert events(client)[-1]["reason"] == events(late)[-1]["reason"] == "terminated"
            assert client.close_code == 1001
        serving.end()


FLAG = "--experimental-websocket"
"""Before Node.js 22 a WebSocket is asked for; later it does no harm."""

NODE = """\
const socket = new WebSocket(process.argv[1]);
const kinds = [];
socket.onopen = () => console.log("open");
socket.onmessage = (message) => kinds.push(JSON.parse(message.data).type);
socket.onclose = (close) => console.log(close.code, ...kinds);
"""


def has_websocket(program: str) -> bool:
    if shutil.which(program) is None:
        return False
    done = subprocess.run([program, FLAG, "-e", "new WebSocket"], capture_output=True, text=True)
    return "is not defined" not in done.stderr and "bad option" not in done.stderr


@pytest.mark.skipif(not has_websocket("node"), reason="needs Node.js 20.10 or newer")
def test_a_client_in_javascript(tmp_path: Path) -> None:
    port = free_port()
    with Serving(tmp_path, f"[websocket]\nport = {port}\n") as it:
        it.log.until("session started")
        command = ["node", FLAG, "-e", NODE, f"ws://127.0.0.1:{port}/"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as node:
            assert node.stdout is not None and node.stdout.readline() == "open\n"
            it.hear(speech() + SECOND)
            it.end()
            told, _ = node.communicate(timeout=PATIENCE)
        code, *kinds = told.split()
        assert code == "1001" and (kinds[0], kinds[-1]) == ("session.started", "session.ended")
        assert "utterance" in kinds


def test_strangers_and_web_pages_are_refused(tmp_path: Path) -> None:
    port = free_port()
    config = f"[websocket]\nport = {port}\ntoken = '{TOKEN}'\norigins = ['https://robot.example']\n"
    with Serving(tmp_path, config) as serving:
        serving.log.until("session started")
        url = f"ws://127.0.0.1:{port}/"
        shown = {"Authorization": f"Bearer {TOKEN}"}
        for headers, path, origin, status in (
            ({}, "", None, 401),
            ({"Authorization": "Bearer wrong-horse-battery"}, "", None, 401),
            ({"Authorization": f"Basic {TOKEN}"}, "", None, 401),
            ({}, "?token=", None, 401),
            (shown, "elsewhere", None, 404),
            (shown, "", "https://evil.example", 403),
        ):
            with pytest.raises(InvalidStatus) as refused:
                connect(url + path, additional_headers=headers, origin=origin)
            assert refused.value.response.status_code == status
        for headers, path, origin in (
            (shown, "", None),
            ({}, f"?token={TOKEN}", None),
            (shown, "", "https://robot.example"),
        ):
            with connect(url + path, additional_headers=headers, origin=origin) as client:
                assert json.loads(client.recv(PATIENCE))["type"] == "session.started"
        assert TOKEN not in "".join(serving.end())


def test_hostile_and_slow_peers_cost_the_others_nothing(tmp_path: Path) -> None:
    port, web = free_port(), free_port()
    config = (
        f"[websocket]\nport = {port}\nclients = 8\nqueue = 16\nconnections_per_second = 100\n"
        f"[metrics]\nport = {web}\n"
    )
    with Serving(tmp_path, config) as serving, contextlib.ExitStack() as open_ones:
        serving.log.until("session started")
        honest = open_ones.enter_context(connect(f"ws://127.0.0.1:{port}", close_timeout=1))

        def raw(say: bytes = b"") -> socket.socket:
            peer = socket.create_connection(("127.0.0.1", port))
            open_ones.callback(peer.close)
            peer.settimeout(PATIENCE)
            with contextlib.suppress(OSError):
                peer.sendall(say)
            return peer

        def gone(peer: socket.socket) -> bool:
            with contextlib.suppress(OSError):
                while peer.recv(65536):
                    pass
            return True

        # Malformed, huge, endless.
        assert gone(raw(b"\0" * 100)) and gone(raw(b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000))
        assert gone(raw(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 1000))
        # A frame that claims 2^62 bytes, a message at all, and pings without end.
        for say in ("text", "pings", "huge"):
            with connect(f"ws://127.0.0.1:{port}", close_timeout=1) as talker:
                with contextlib.suppress(ConnectionClosed, OSError):
                    if say == "text":
                        talker.send("hello")
                    if say == "huge":
                        talker.socket.sendall(b"\x81\xff" + (1 << 62).to_bytes(8, "big") + b"abcd")
                    for _ in range(5000 if say == "pings" else 0):
                        talker.ping(os.urandom(60))
                with contextlib.suppress(ConnectionClosed):
                    while True:
                        talker.recv(PATIENCE)
        # Silent: more than may come in; and one that shakes hands and never reads.
        lazy = raw(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        begun = time.monotonic()
        silent = [raw() for _ in range(20)]
        assert all(map(gone, silent))
        assert time.monotonic() - begun < 15  # 5 s are for the handshake

        serving.hear(speech() + SECOND)
        while json.loads(honest.recv(PATIENCE))["type"] != "utterance":
            pass
        with socket.create_connection(("127.0.0.1", web)) as scrape:
            scrape.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            page = b"".join(iter(lambda: scrape.recv(65536), b"")).decode()
        refused = float(page.partition('refused_total{output="websocket"} ')[2].split()[0])
        assert refused >= 15 and 'clients{output="websocket"} 2' in page
        log = serving.end()
        assert not any("level=error" in line for line in log), log


def test_tls_and_a_token_from_a_file_beyond_loopback(tmp_path: Path) -> None:
    port = free_port()
    cert, key = certificate(tmp_path)
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    config = f"[websocket]\nport = {port}\nhost = '0.0.0.0'\ntoken_file = '{tmp_path}/token'\n"
    config += f"certificate = '{cert}'\nkey = '{key}'\n"
    with Serving(tmp_path, config) as serving:
        serving.log.until("session started")
        context = ssl.create_default_context(cafile=str(cert))
        shown = {"Authorization": f"Bearer {TOKEN}"}
        url = f"wss://localhost:{port}"
        with connect(url, ssl=context, additional_headers=shown) as client:
            assert json.loads(client.recv(PATIENCE))["type"] == "session.started"
            (tmp_path / "token").write_text("another-horse-battery\n")
            serving.signal(signal.SIGHUP)
            serving.log.until("reloaded")
            with pytest.raises(ConnectionClosed):
                client.recv(PATIENCE)
        with pytest.raises(InvalidStatus):
            connect(url, ssl=context, additional_headers=shown)
        shown = {"Authorization": "Bearer another-horse-battery"}
        with connect(url, ssl=context, additional_headers=shown) as client:
            assert json.loads(client.recv(PATIENCE))["type"] == "session.started"
        plain = socket.create_connection(("127.0.0.1", port))
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        plain.settimeout(PATIENCE)
        answer = b""
        with contextlib.suppress(OSError):
            answer = plain.recv(4096)
        assert b"HTTP" not in answer
        plain.close()
        assert not any("level=error" in line for line in serving.end())


VISIBLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=40)


class Asking:
    """Stands in for a connection: says how it would answer."""

    def respond(self, status: HTTPStatus, text: str) -> int:
        assert text.endswith("\n")
        return int(status)


@fuzz
@given(
    path=st.one_of(st.text(max_size=60), st.text(max_size=60).map(lambda text: "/?" + text)),
    shown=st.one_of(st.none(), VISIBLE, VISIBLE.map("Bearer ".__add__)),
)
def test_whatever_is_asked_nobody_comes_in_without_the_token(path: str, shown: str | None) -> None:
    headers = Headers() if shown is None else Headers(Authorization=shown)
    answer = SERVER._admit(Asking(), Request(path, headers))  # type: ignore[arg-type]
    assert answer in (401, 404)


SERVER = WebSocketServer(WebSocket(token=TOKEN), Streams())


@pytest.mark.parametrize("token", ["short", f"{TOKEN}é"])
def test_a_token_from_a_file_has_to_be_one_that_can_be_shown(tmp_path: Path, token: str) -> None:
    path = tmp_path / "token"
    path.write_text(token, encoding="utf-8")
    with pytest.raises(OutputError, match="16 characters or more, all of ASCII"):
        Token(WebSocket(token_file=str(path)))


def test_what_stands_in_the_way_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with Serving(tmp_path, f"[websocket]\nport = {port}\n") as serving:
            until(lambda: serving.process.poll() is not None)
            log = serving.end(1)
            assert "address already in use" in log[-1] and f"port {port}" in log[-1]


def test_a_key_with_a_passphrase_is_refused_in_words(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    locked = tmp_path / "locked.pem"
    lock = ["openssl", "pkey", "-in", str(key), "-aes256", "-passout", "pass:secret"]
    subprocess.run([*lock, "-out", str(locked)], check=True)
    config = f"[websocket]\nport = {free_port()}\ncertificate = '{cert}'\nkey = '{locked}'\n"
    with Serving(tmp_path, config) as serving:
        until(lambda: serving.process.poll() is not None)
        told = serving.end(2)
        assert f"key {locked}: is encrypted; store it without passphrase" in told[-1]
        assert not any("PEM pass phrase" in line for line in told)
