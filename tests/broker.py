"""An MQTT broker of our own: Debian's mosquitto, started, frozen and killed at will."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


class Broker:
    """It listens on a free port of the loopback, and comes back on the same."""

    def __init__(self, folder: Path, *more: str) -> None:
        """`more`: further lines of its configuration."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._config = folder / "mosquitto.conf"
        user = "user root\n" if os.getuid() == 0 else ""
        lines = [f"listener {self.port} 127.0.0.1", *more]
        self._config.write_text(user + "\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        assert MOSQUITTO is not None
        quiet = subprocess.DEVNULL
        command = [MOSQUITTO, "-c", str(self._config)]
        self._process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)
        deadline = time.monotonic() + 60
        while not self._answers():
            assert time.monotonic() < deadline, "mosquitto does not start"
            time.sleep(0.02)

    def freeze(self, frozen: bool) -> None:
        """Let it hang, or go on: it keeps its connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)

    def stop(self) -> None:
        """End it at once, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
