"""Metrics and health over HTTP, asked by curl, urllib and by those who mean no good."""

from __future__ import annotations

import contextlib
import re
import select
import shutil
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st
from serving import PATIENCE, SECOND, TOKEN, Serving, certificate, free_port, speech, until

from streamser.config import Metrics
from streamser.flow import Flow
from streamser.outputs.metrics import MetricsServer
from streamser.streams.pool import Streams

SAMPLE = re.compile(r'streamser_[a-z_]+\{([a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*)?\} -?[0-9.e+-]+')


def get(port: int, path: str, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def value(page: str, name: str) -> float:
    found = re.search(rf"^streamser_{re.escape(name)} (\S+)$", page, re.MULTILINE)
    assert found is not None, page
    return float(found.group(1))


def test_what_is_measured(tmp_path: Path) -> None:
    port = free_port()
    with Serving(tmp_path, f"[metrics]\nport = {port}\n[socket]\n") as serving:
        serving.log.until("session started")
        assert get(port, "/healthz") == (200, "alive\n")
        assert get(port, "/readyz") == (503, "no audio\n")
        serving.hear(SECOND)
        until(lambda: get(port, "/readyz")[0] == 200)
        serving.hear(speech() + SECOND)
        until(lambda: "utterances_total{" in get(port, "/metrics")[1])
        until(lambda: get(port, "/readyz")[0] == 503)  # the pipe stalls
        until(lambda: "audio_lag_seconds{" in get(port, "/metrics")[1])
        code, page = get(port, "/metrics")
        assert code == 200 and page.endswith("\n")
        for line in page.splitlines():
            assert line.startswith(("# HELP streamser_", "# TYPE streamser_")) or (
                SAMPLE.fullmatch(line)
            ), line
        assert value(page, 'events_total{type="session.started"}') == 1
        assert value(page, 'events_total{type="utterance"}') >= 1
        assert value(page, 'output_clients{output="socket"}') == 0
        assert value(page, "source_up{}") == 0
        assert value(page, "resident_memory_bytes{}") > 1e7
        assert 0 < value(page, 'hop_latency_seconds{quantile="0.5"}') < 1
        serving.end()


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs apt-get install curl")
def test_curl_gets_what_it_asks_for(tmp_path: Path) -> None:
    port = free_port()
    with Serving(tmp_path, f"[metrics]\nport = {port}\n") as serving:
        serving.log.until("session started")

        def curl(path: str, *options: str) -> str:
            command = ["curl", "-sS", "-w", "%{http_code}", *options]
            command.append(f"http://127.0.0.1:{port}{path}")
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout

        assert curl("/").endswith("404")
        assert curl("/metrics", "-d", "x").endswith("405")
        head = curl("/metrics?x=1", "-I")
        assert head.endswith("200") and "text/plain; version=0.0.4" in head
        serving.end()


def test_a_token_where_one_is_set(tmp_path: Path) -> None:
    port = free_port()
    config = f"[metrics]\nport = {port}\nhost = '0.0.0.0'\ntoken = '{TOKEN}'\n"
    with Serving(tmp_path, config) as serving:
        serving.log.until("session started")
        for path in ("/metrics", "/healthz", "/nothing"):
            assert get(port, path)[0] == 401
            assert get(port, path, Authorization=f"Bearer {TOKEN}x")[0] == 401
            assert get(port, path, Authorization="")[0] == 401
        assert get(port, "/metrics", Authorization=f"Bearer {TOKEN}")[0] == 200
        serving.end()


def test_hostile_peers_are_seen_out(tmp_path: Path) -> None:
    port = free_port()
    config = f"[metrics]\nport = {port}\nclients = 4\n"
    with Serving(tmp_path, config) as serving:
        serving.log.until("session started")

        def say(what: bytes) -> bytes:
            with socket.create_connection(("127.0.0.1", port)) as peer:
                peer.settimeout(PATIENCE)
                with contextlib.suppress(OSError):
                    peer.sendall(what)
                answer = b""
                with contextlib.suppress(OSError):
                    while got := peer.recv(65536):
                        answer += got
                return answer

        assert say(b"\r\n\r\n").startswith(b"HTTP/1.1 400 ")
        assert say(b"\x16\x03\x01" * 9 + b"\r\n\r\n").startswith(b"HTTP/1.1 400 ")
        assert b"431" in say(b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 9000)
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(4)]
        assert say(b"GET /healthz HTTP/1.1\r\n\r\n") == b""  # the house is full
        for peer in silent:
            peer.settimeout(PATIENCE)
            assert peer.recv(1) == b""  # five seconds of silence are enough
            peer.close()
        until(lambda: say(b"GET /healthz HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 200 OK"))
        assert not any("level=error" in line for line in serving.end())


def test_who_is_too_many_is_turned_away_before_tls(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    port = free_port()
    config = f"[metrics]\nport = {port}\nclients = 4\ncertificate = '{cert}'\nkey = '{key}'\n"
    with Serving(tmp_path, config) as serving, contextlib.ExitStack() as kept:
        serving.log.until("session started")
        address = ("127.0.0.1", port)
        silent = [kept.enter_context(socket.create_connection(address)) for _ in range(50)]

        def gone() -> int:
            """Return how many were hung up on."""
            return len(select.select(silent, (), (), 0)[0])

        until(lambda: gone() >= 46, patience=4)
        assert gone() == 46
        until(lambda: gone() == 50)  # five seconds without a handshake are enough
        context = ssl.create_default_context(cafile=str(cert))
        with (
            socket.create_connection(address, PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as peer,
        ):
            peer.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            page = peer.makefile().read()
        assert value(page, 'output_refused_total{output="metrics"}') == 46
        assert not any("level=error" in line for line in serving.end())


@fuzz
@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(
            st.sampled_from([b"GET", b" ", b"/metrics", b"HTTP/1.1", b"\r\n", b":", b"\xff"])
        ).map(b"".join),
    )
)
def test_any_request_gets_an_answer(head: bytes) -> None:
    status, kind, body = SERVER._answer(head + b"\r\n\r\n")
    assert status in (200, 400, 401, 404, 405, 503) and kind.startswith("text/plain") and body


SERVER = MetricsServer(Metrics(), Flow(), dict, Streams())
