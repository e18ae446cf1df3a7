"""Every example is started as its docstring says, against a real `streamser serve` or audio."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import pytest
from broker import MOSQUITTO, Broker
from serving import PATIENCE, ROOT, SECOND, TOKEN, Lines, Serving, free_port, speech, until
from websockets.sync.client import ClientConnection, connect

from streamser.clip import demo_clip

EXAMPLES = ROOT / "examples"
AUDIO = SECOND + speech() + SECOND


class Example:
    """One of them, started."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        assert self.process.stdout is not None and self.process.stderr is not None
        self.out = Lines(line.decode() for line in self.process.stdout)
        self.err = Lines(line.decode() for line in self.process.stderr)

    def interrupt(self) -> None:
        """End it as Ctrl-C does; no traceback comes of it."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        assert not any("Traceback" in line for line in self.err.seen), self.err.seen


@contextlib.contextmanager
def example(name: str, *arguments: str) -> Iterator[Example]:
    command = [sys.executable] if name.endswith(".py") else _node()
    started = Example(*command, str(EXAMPLES / name), *arguments)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.wait()


def _node() -> list[str]:
    node = shutil.which("node")
    version = (
        subprocess.run([node, "--version"], capture_output=True, text=True).stdout if node else ""
    )
    major = int((re.match(r"v(\d+)", version) or [0, 0])[1])
    if node is None or major < 20:
        pytest.skip(f"needs Node.js 22 or later, or 20 (here: {version.strip() or 'none'})")
    return [node] if major >= 22 else [node, "--experimental-websocket"]


def test_each_example_is_tested_and_says_how_to_run_it() -> None:
    tests = Path(__file__).parent
    tested = "".join(path.read_text() for path in tests.glob("test_*.py"))
    for path in EXAMPLES.iterdir():
        if path.is_file():
            assert path.name in tested
            assert f"examples/{path.name}" in path.read_text() or path.suffix == ".html"


@pytest.mark.parametrize(
    ("name", "line"),
    [("turn_head.py", "they sounded"), ("async_listener.py", r"\d+\.\d\d to \d+\.\d\d s: \w+")],
)
def test_python_hears_raw_audio(name: str, line: str) -> None:
    with example(name, "-") as started:
        assert started.process.stdin is not None
        started.process.stdin.write(AUDIO)
        started.process.stdin.close()
        assert started.process.wait(60) == 0
        assert started.out.next() is not None
    assert sum(bool(re.search(line, told)) for told in started.out.seen) >= 3
    assert started.err.seen == []


@pytest.mark.parametrize("name", ["turn_head.py", "async_listener.py"])
def test_python_hears_a_recording_and_is_interrupted(name: str) -> None:
    with example(name, str(demo_clip())) as started:
        started.out.until("speaks" if name == "turn_head.py" else "goes on")
        started.interrupt()
    with example(name, "nothing.wav") as started:
        assert started.process.wait(60) == 1
        assert "nothing.wav" in (started.err.next() or "") and started.err.next() is None


@pytest.mark.parametrize("name", ["websocket_client.py", "websocket_client.mjs"])
def test_websocket_clients_hear_the_daemon_and_find_it_again(tmp_path: Path, name: str) -> None:
    port = free_port()
    url = f"ws://127.0.0.1:{port}"
    config = f"[websocket]\nport = {port}\ntoken = '{TOKEN}'\n"
    with example(name, url, TOKEN) as client:
        for turn in ("one", "two"):
            (tmp_path / turn).mkdir()
            with Serving(tmp_path / turn, config) as serving:
                client.out.until("it listens to -")
                serving.hear(AUDIO)
                client.out.until("%)")
                serving.end()
            client.out.until("away")
        client.interrupt()


@pytest.mark.skipif(MOSQUITTO is None, reason="needs apt-get install mosquitto")
def test_mqtt_subscriber(tmp_path: Path) -> None:
    broker = Broker(tmp_path, "allow_anonymous true")
    broker.start()
    try:
        config = f"[mqtt]\nport = {broker.port}\nid = 'ear'\n"
        with (
            example("mqtt_subscriber.py", "127.0.0.1", str(broker.port)) as client,
            Serving(tmp_path, config) as serving,
        ):
            client.out.until("ear does not listen")
            for _ in range(3):
                serving.hear(AUDIO)
            client.out.until("ear: somebody speaks")
            client.out.until("ear: it was")
            assert client.out.until("ear: somebody speaks").endswith("wait")  # it is a new voice
            serving.end()
            client.interrupt()
    finally:
        broker.stop()
    with example("mqtt_subscriber.py", "127.0.0.1", str(broker.port)) as client:
        assert client.process.wait(60) == 1 and "no broker there" in (client.err.next() or "")


@pytest.mark.skipif(find_spec("cyclonedds") is None, reason="needs pip install cyclonedds")
def test_ros2_subscriber(tmp_path: Path) -> None:
    domain = 20 + (os.getpid() + 100) % 200
    with (
        example("ros2_subscriber.py", str(domain)) as client,
        Serving(tmp_path, f"[ros2]\ndomain = {domain}\n") as serving,
    ):
        client.out.until("waiting")
        serving.log.until("part=ros2 msg=open")
        until(lambda: serving.hear(AUDIO) or any("%)" in line for line in client.out.seen))
        serving.end()
        client.interrupt()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs apt-get install chromium")
def test_a_page_in_a_browser_shows_what_is_said(tmp_path: Path) -> None:
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(EXAMPLES))
    ) as pages:
        threading.Thread(target=pages.serve_forever, daemon=True).start()
        port, origin = free_port(), f"http://localhost:{pages.server_port}"
        config = f"[websocket]\nport = {port}\norigins = ['{origin}']\n"
        browser = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu"]
        browser += [f"--user-data-dir={tmp_path / 'browser'}", "--remote-debugging-port=0"]
        address = f"{origin}/page.html?ws://127.0.0.1:{port}"
        shown = subprocess.Popen([*browser, address], stderr=subprocess.PIPE, text=True)
        assert shown.stderr is not None
        try:
            told = Lines(shown.stderr).until("DevTools listening on ws://").split("/")[2]
            with urllib.request.urlopen(f"http://{told}/json", timeout=PATIENCE) as page:
                (target,) = [t for t in json.load(page) if t["type"] == "page"]
            with (
                connect(target["webSocketDebuggerUrl"]) as tools,
                Serving(tmp_path, config) as serving,
            ):
                until(lambda: "listening to -" in _text(tools))
                serving.hear(AUDIO)
                until(lambda: "it hears nothing: no audio" in _text(tools))
                assert len(_text(tools).splitlines()) >= 4  # a line for each utterance, too
                serving.end()
                until(lambda: "the server is away" in _text(tools))
        finally:
            shown.kill()
            shown.wait()
            pages.shutdown()


def _text(tools: ClientConnection) -> str:
    """Return what a page shows."""
    evaluate = {"expression": "document.body?.innerText ?? ''"}
    tools.send(json.dumps({"id": 1, "method": "Runtime.evaluate", "params": evaluate}))
    return json.loads(tools.recv(PATIENCE))["result"]["result"]["value"]
