"""An MQTT broker of our own (Debian's mosquitto), and who hears all that it is told."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho

PATIENCE = 60.0
"""Seconds after which something that has to come counts as hung."""

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
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            assert time.monotonic() < deadline, "mosquitto does not start"
            time.sleep(0.02)

    def freeze(self, frozen: bool) -> None:
        """Let it hang, or go on: it keeps its connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)

    def stop(self) -> None:
        """End it in good order, if it runs or is frozen."""
        if self._process is not None:
            self._process.terminate()
            self._process.send_signal(signal.SIGCONT)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Subscriber:
    """Hears everything that a broker has."""

    def __init__(self, port: int, *, session: str = "", **login: str) -> None:
        """`session`: its name with a broker that keeps for it what it misses."""
        self.messages: queue.Queue[tuple[str, str, bool]] = queue.Queue()
        version = paho.CallbackAPIVersion.VERSION2
        self.client = paho.Client(version, client_id=session, clean_session=not session)
        if login:
            self.client.username_pw_set(**login)
        self.client.on_message = self._hear
        ready = threading.Event()
        self.client.on_subscribe = lambda *_: ready.set()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        self.client.subscribe("#", qos=1)
        assert ready.wait(PATIENCE)

    def _hear(self, client: Any, userdata: Any, message: paho.MQTTMessage) -> None:
        self.messages.put((message.topic, message.payload.decode(), message.retain))

    def until(self, topic: str, **fields: Any) -> Any:
        """Return the next message on a topic whose JSON holds these fields."""
        while True:
            heard, payload, _ = self.messages.get(timeout=PATIENCE)
            if heard != topic:
                continue
            value = json.loads(payload) if payload[:1] == "{" else payload
            if all(value[key] == wanted for key, wanted in fields.items()):
                return value

    def close(self) -> None:
        """Hear no more."""
        self.client.disconnect()
        self.client.loop_stop()
