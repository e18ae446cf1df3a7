"""The daemon as a real process: audio in over standard input, logs and notices out."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import events_schema
import numpy as np
import pytest

from streamser.audio.recording import read_recording
from streamser.clip import demo_clip

ROOT = Path(__file__).parent.parent
PATIENCE = 60.0
"""Seconds after which something that has to come counts as hung."""

TOKEN = "correct-horse-battery"
SECOND = bytes(32_000)
"""A second of silence."""

UTTERANCES = 6
"""That are found in the bundled clip."""


@functools.cache
def speech() -> bytes:
    """Return the bundled clip as raw PCM."""
    return np.concatenate(list(read_recording(demo_clip()))).tobytes()


def free_port() -> int:
    """Return a TCP port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for localhost that signs itself."""
    if shutil.which("openssl") is None:
        pytest.skip("needs apt-get install openssl")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "1", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


def until(what: Callable[[], Any], *, patience: float = PATIENCE) -> Any:
    """Return what `what` gives once that is something."""
    deadline = time.monotonic() + patience
    while not (found := what()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
    return found


class Lines:
    """Lines of a stream, read on a thread."""

    def __init__(self, stream: Iterable[str]) -> None:
        self.seen: list[str] = []
        self._waiting: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._collect, args=(stream,), daemon=True).start()

    def _collect(self, stream: Iterable[str]) -> None:
        for line in stream:
            self.seen.append(line.rstrip("\n"))
            self._waiting.put(line.rstrip("\n"))
        self._waiting.put(None)

    def next(self) -> str | None:
        """Return the next line; None at the end."""
        return self._waiting.get(timeout=PATIENCE)

    def until(self, text: str) -> str:
        """Return the next line that holds `text`."""
        while (line := self.next()) is not None:
            if text in line:
                return line
        raise EOFError(f"no {text!r} in:\n" + "\n".join(self.seen))


class Serving:
    """`streamser serve` with a configuration, which names the `mic` too if None; for a `with`."""

    def __init__(
        self,
        folder: Path,
        config: str,
        *,
        env: dict[str, str] | None = None,
        mic: str | None = "-",
        program: Sequence[str] = ("-m", "streamser"),
    ) -> None:
        self.folder = folder
        self.config = folder / "config.toml"
        self.config.write_text(config)
        self.notices: list[str] = []
        self._signals: set[signal.Signals] = set()
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(folder / "notify"))
        self._notify.settimeout(PATIENCE)
        (folder / "runtime").mkdir(mode=0o700)
        environment = {
            **os.environ,
            "XDG_RUNTIME_DIR": str(folder / "runtime"),
            "NOTIFY_SOCKET": str(folder / "notify"),
            "WATCHDOG_USEC": "400000",
            **(env or {}),
        }
        command = [sys.executable, *program, "serve", "--config", str(self.config)]
        self.process = subprocess.Popen(
            command if mic is None else [*command, "--input", mic],
            env=environment,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert self.process.stderr is not None and self.process.stdin is not None
        self.log = Lines(line.decode() for line in self.process.stderr)
        threading.Thread(target=self._be_notified, daemon=True).start()

    @property
    def socket_path(self) -> Path:
        """Where the Unix socket lies."""
        return self.folder / "runtime" / "streamser" / "events.sock"

    def hear(self, pcm: bytes) -> None:
        """Let it hear raw PCM, as fast as it can."""
        assert self.process.stdin is not None
        self.process.stdin.write(pcm)
        self.process.stdin.flush()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._signals.add(number)
        self.process.send_signal(number)

    def notified(self, text: str) -> None:
        """Wait until systemd would have been told."""
        until(lambda: any(text in notice for notice in self.notices))

    def end(self, code: int = 0) -> list[str]:
        """Ask it to end; check how it did, and return its log."""
        if signal.SIGTERM not in self._signals and self.process.poll() is None:
            self.signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == code, self.log.seen
        while self.log.next() is not None:
            pass
        return self.log.seen

    def _be_notified(self) -> None:
        while True:
            try:
                notice = self._notify.recv(4096).decode()
            except OSError:
                return
            self.notices.append(notice)

    def __enter__(self) -> Serving:
        return self

    def __exit__(self, *raised: object) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self._notify.close()


class SocketClient:
    """A raw client of the Unix socket."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(str(path))
        self._file = self.socket.makefile("r", encoding="utf-8")
        self.events: list[dict[str, Any]] = []

    def next(self) -> dict[str, Any] | None:
        """Return the next event; None at the end."""
        line = self._file.readline()
        if not line:
            return None
        assert line.endswith("\n")
        self.events.append(events_schema.check(json.loads(line)))
        return self.events[-1]

    def until(self, kind: str) -> dict[str, Any]:
        """Return the next event of a type."""
        while (event := self.next()) is not None:
            if event["type"] == kind:
                return event
        raise EOFError(f"no {kind}: {[event['type'] for event in self.events]}")

    def rest(self) -> list[dict[str, Any]]:
        """Return all events until the end."""
        begun = len(self.events)
        while self.next() is not None:
            pass
        return self.events[begun:]

    def close(self) -> None:
        """Go."""
        self._file.close()
        self.socket.close()
