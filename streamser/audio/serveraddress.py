"""Where the sound server is to be found, as PulseAudio's clients find it (pulse-client.conf)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from streamser.audio.nativeprotocol import COOKIE_BYTES

PORT, LAST_PORT = 4713, 65535

_MACHINES = Path("/etc/pulse/client.conf")


@dataclass(frozen=True, slots=True)
class Address:
    """A socket in the file system, or a host with a port."""

    path: str = ""
    host: str = ""
    port: int = PORT


def addresses() -> list[Address]:
    """Return where a server may be, likeliest first.

    What $PULSE_SERVER names, else `default-server` of client.conf, else the sockets of the user's
    own server and of the machine's.
    """
    told = os.environ.get("PULSE_SERVER") or _configured().get("default-server", "")
    if told:
        return [address for name in told.split() if (address := parse(name))]
    return [Address(path=str(folder / "native")) for folder in _folders()]


def parse(name: str) -> Address | None:
    """Return the address in one word: `unix:/path`, `/path`, `tcp:host:port` or `host`.

    `{machine}` before it is passed over. None where it is none of these.
    """
    name = name.rpartition("}")[2]
    kind, _, rest = name.partition(":")
    if name.startswith("/"):
        return Address(path=name)
    if kind == "unix":
        return Address(path=rest)
    host = rest if kind in ("tcp", "tcp4", "tcp6") else name
    if host.startswith("["):
        host, _, port = host[1:].partition("]")
        port = port.removeprefix(":")
    else:
        host, _, port = host.partition(":")
    port = port or str(PORT)
    if not host or not port.isdecimal() or int(port) > LAST_PORT:
        return None
    return Address(host=host, port=int(port))


def cookie() -> bytes:
    """Return what a server knows its friends by; zeros where there is none.

    To a server of the same user and machine its socket is enough.
    """
    told = os.environ.get("PULSE_COOKIE") or _configured().get("cookie-file")
    usual = (_settings() / "cookie", _home() / ".pulse-cookie")
    for path in (Path(told),) if told else usual:
        if len(found := _read(path)) >= COOKIE_BYTES:
            return found[:COOKIE_BYTES]
    return bytes(COOKIE_BYTES)


def _folders() -> Iterator[Path]:
    if told := os.environ.get("PULSE_RUNTIME_PATH"):
        yield Path(told)
    elif runtime := os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(runtime) / "pulse"
    else:
        yield Path(f"/run/user/{os.getuid()}/pulse")
        machine = _read(Path("/etc/machine-id")).decode(errors="replace").strip()
        yield _settings() / f"{machine}-runtime"
    yield Path("/run/pulse")


def _configured() -> dict[str, str]:
    """What client.conf sets: the user's own, else the machine's with its additions."""
    own = os.environ.get("PULSE_CLIENTCONFIG")
    told = [_read(Path(own) if own else _settings() / "client.conf")]
    if not told[0]:
        parts = sorted(_MACHINES.with_name("client.conf.d").glob("*.conf"))
        told = [_read(file) for file in (_MACHINES, *parts)]
    settings: dict[str, str] = {}
    for line in b"\n".join(told).decode(errors="replace").splitlines():
        key, equals, value = line.partition("=")
        if equals and not key.lstrip().startswith(("#", ";")):
            settings[key.strip()] = value.strip()
    return settings


def _settings() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or _home() / ".config") / "pulse"


def _home() -> Path:
    """The user's folder; the root's where a service's user has none."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
