"""What may be set about the daemon: one frozen dataclass for each section of its file.

Paths may begin with `~`; they are kept expanded.
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from streamser.analysis.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """`[listen]`: what is heard."""

    input: str = "mic"
    """mic, mic:NAME, mic:NUMBER, a recording's path, - for raw PCM on standard input, or none."""

    rate: int = 16_000
    """Hertz of raw PCM on standard input."""

    model: str | None = None
    """Name or folder of the model; the default one without it."""

    profile: str | None = None
    """Who speaks: a profile that `streamser calibrate` made; nobody in particular without it."""

    def __post_init__(self) -> None:
        _require(bool(self.input), "input is empty")
        _expand(self, "input", "model")
        _require(1000 <= self.rate <= 768_000, "rate has to be from 1000 to 768000 Hz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """`[streams]`: audio that clients send, each stream analysed on its own."""

    limit: int = 32
    """Streams at once; more are refused."""

    backlog: float = 5.0
    """Seconds of a stream's audio that may wait; when they are full, the oldest is dropped."""

    speed: float = 4.0
    """Times real time that a client may send in the long run; a faster one is made to wait."""

    idle: float = 30.0
    """Seconds without audio after which a stream ends."""

    def __post_init__(self) -> None:
        _require(1 <= self.limit <= 10_000, "limit has to be from 1 to 10000")
        _require(0.5 <= self.backlog <= 60, "backlog has to be from 0.5 to 60 seconds")
        _require(1 <= self.speed <= 1000, "speed has to be from 1 to 1000")
        _require(1 <= self.idle <= 3600, "idle has to be from 1 to 3600 seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """`[log]`: what standard error gets, one line each."""

    format: Literal["logfmt", "json"] = "logfmt"
    level: Literal["debug", "info", "warning", "error"] = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """Limits that every server has."""

    clients: int = 32
    """Connections at once; more are refused."""

    connections_per_second: float = 20.0
    """New connections, with a burst of ten times as many; more are refused."""

    queue: int = 256
    """Events that wait for a slow client; when it is full, the oldest is dropped and counted."""

    def __post_init__(self) -> None:
        _require(1 <= self.clients <= 10_000, "clients has to be from 1 to 10000")
        _require(
            0.1 <= self.connections_per_second <= 10_000,
            "connections_per_second has to be from 0.1 to 10000",
        )
        _require(16 <= self.queue <= 100_000, "queue has to be from 16 to 100000")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnixSocket(Clients):
    """`[socket]`: JSON Lines on a Unix socket for this user alone."""

    path: str | None = None
    """Without it `events.sock` in $RUNTIME_DIRECTORY or $XDG_RUNTIME_DIR/streamser."""

    def __post_init__(self) -> None:
        Clients.__post_init__(self)
        _expand(self, "path")


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpServer(Clients):
    """What servers on the network have in common."""

    host: str = "127.0.0.1"
    """Address to listen at; one beyond loopback needs a token."""

    port: int = 0
    token: str | None = None
    """What clients have to show: `Authorization: Bearer TOKEN`."""

    token_file: str | None = None
    """A file whose first line is the token."""

    certificate: str | None = None
    """PEM file; with it, and `key`, TLS is spoken and nothing else."""

    key: str | None = None

    def __post_init__(self) -> None:
        Clients.__post_init__(self)
        _require_host(self.host)
        _expand(self, "token_file", "certificate", "key")
        _require(0 <= self.port <= 65535, "port has to be from 0 to 65535")
        _require(
            self.token is None or len(self.token) >= 16, "token has to have 16 characters or more"
        )
        _require(self.token is None or self.token.isascii(), "token has to be of ASCII characters")
        _require(not (self.token and self.token_file), "token_file is set, and token, too")
        _require(
            bool(self.token or self.token_file) or loopback(self.host),
            f"host {self.host} is beyond loopback: set token or token_file",
        )
        _require(not self.certificate or bool(self.key), "certificate needs key")
        _require(not self.key or bool(self.certificate), "key needs certificate")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocket(TcpServer):
    """`[websocket]`: events as text messages."""

    port: int = 8767
    clients: int = 64
    audio: bool = False
    """Whether clients may send audio, at /audio, and get the events of that stream alone."""

    origins: tuple[str, ...] = ()
    """Web pages that may connect, such as `https://robot.example`; by default none may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wyoming(TcpServer):
    """`[wyoming]`: audio from Wyoming clients, and the events of each stream back to it."""

    port: int = 10767
    clients: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics(TcpServer):
    """`[metrics]`: /metrics for Prometheus, /healthz and /readyz."""

    port: int = 9767


@dataclass(frozen=True, slots=True, kw_only=True)
class Mqtt:
    """`[mqtt]`: state and events to a broker, for Home Assistant too."""

    host: str = "localhost"
    port: int = 1883
    user: str | None = None
    password: str | None = None
    password_file: str | None = None
    """A file whose first line is the password."""

    tls: bool = False
    ca: str | None = None
    """PEM file of who signed the broker's certificate; the system's own without it."""

    id: str | None = None
    """Of this device, in topics; `streamser-HOST` without it."""

    prefix: str = "streamser"
    """Topics are PREFIX/ID/state, availability and, if wanted, events."""

    events: bool = False
    """Whether every event is published to PREFIX/ID/events."""

    interval: float = 1.0
    """Seconds between two states while one speaks; speech's begin and end come at once."""

    home_assistant: str | None = "homeassistant"
    """Prefix of Home Assistant's discovery; empty for none."""

    keepalive: int = 30
    """Seconds after which the broker takes a silent streamser for gone."""

    def __post_init__(self) -> None:
        _require_host(self.host)
        _expand(self, "password_file", "ca")
        _require(1 <= self.port <= 65535, "port has to be from 1 to 65535")
        _require(not (self.password and self.password_file), "password_file is set, and password")
        for key in ("password", "password_file"):
            _require(bool(self.user) or not getattr(self, key), f"{key} needs user")
        _require(self.tls or not self.ca, "ca needs tls = true")
        plain = re.compile(r"[A-Za-z0-9_-]{1,64}")
        _require(
            self.id is None or bool(plain.fullmatch(self.id)),
            "id has to be of A-Z, a-z, 0-9, _ and -",
        )
        for name in ("prefix", "home_assistant"):
            topic = getattr(self, name)
            _require(not topic or not re.search(r"[+#\s\0]", topic), f"{name} has to be a topic")
        _require(bool(self.prefix), "prefix is empty")
        _require(0.08 <= self.interval <= 3600, "interval has to be from 0.08 to 3600 seconds")
        _require(5 <= self.keepalive <= 3600, "keepalive has to be from 5 to 3600 seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ros2:
    """`[ros2]`: a voice of ROS4HRI (REP-155) over DDS, which ROS 2 speaks, too."""

    domain: int = 0
    """ROS_DOMAIN_ID of who is to hear."""

    interface: str = "lo"
    """Network interface; beyond loopback everybody on that network can hear: DDS has no token."""

    voice: str = "streamser"
    """ID of the voice: topics are /humans/voices/VOICE/is_speaking and expression."""

    frame: str = ""
    """`frame_id` of the messages, such as the microphone's."""

    def __post_init__(self) -> None:
        _require(0 <= self.domain <= 232, "domain has to be from 0 to 232")
        _require(
            bool(re.fullmatch(r"[A-Za-z0-9_.:@-]{1,15}", self.interface)),
            "interface has to be the name of a network interface",
        )
        _require(
            bool(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,63}", self.voice)),
            "voice has to be of A-Z, a-z, 0-9 and _, with a letter first",
        )
        _require(len(self.frame) <= 255 and "\0" not in self.frame, "frame is not a frame's name")


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """`[file]`: JSON Lines in a file that is turned over."""

    path: str
    max_mb: float = 10.0
    """10^6 bytes after which `path` becomes `path.1`, `path.1` becomes `path.2`, and so on."""

    keep: int = 5
    """Old files that are kept."""

    def __post_init__(self) -> None:
        _require(bool(self.path), "path is empty")
        _expand(self, "path")
        _require(0.001 <= self.max_mb <= 1e6, "max_mb has to be from 0.001 to 1000000")
        _require(0 <= self.keep <= 1000, "keep has to be from 0 to 1000")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmotionMlFile(File):
    """`[emotionml]`: an EmotionML document with all utterances, turned over as `[file]` is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole file. An output is on when its section is there."""

    listen: Listen = field(default_factory=Listen)
    analysis: Settings = field(default_factory=Settings)
    streams: Streams = field(default_factory=Streams)
    log: Log = field(default_factory=Log)
    socket: UnixSocket | None = None
    websocket: WebSocket | None = None
    wyoming: Wyoming | None = None
    metrics: Metrics | None = None
    mqtt: Mqtt | None = None
    ros2: Ros2 | None = None
    file: File | None = None
    emotionml: EmotionMlFile | None = None

    def __post_init__(self) -> None:
        if self.file is not None and self.emotionml is not None:
            paths = {os.path.realpath(section.path) for section in (self.file, self.emotionml)}
            _require(len(paths) == 2, "emotionml.path is file.path, too: choose another")

    @property
    def takes_audio(self) -> bool:
        """Whether clients may send audio."""
        return self.wyoming is not None or (self.websocket is not None and self.websocket.audio)


OUTPUTS = ("socket", "websocket", "wyoming", "metrics", "mqtt", "ros2", "file", "emotionml")
"""Sections that switch an output on."""

SECRETS = ("token", "password")
"""Keys that are never shown."""


def loopback(host: str) -> bool:
    """Return whether an address can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _require_host(host: str) -> None:
    _require(bool(host), "host is empty")
    try:
        host.encode("idna")
    except UnicodeError:
        raise ValueError(f"host {host!a} cannot be a host's name") from None


def _expand(section: object, *keys: str) -> None:
    """Replace the `~` that paths begin with by the home that it stands for."""
    for key in keys:
        path = getattr(section, key)
        _require(path is None or "\0" not in path, f"{key} cannot be a file's")
        if path is None or not path.startswith("~"):
            continue
        try:
            object.__setattr__(section, key, str(Path(path).expanduser()))
        except RuntimeError:
            raise ValueError(f"{key} begins with the home of a user who has none") from None


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
