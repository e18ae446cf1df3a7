"""What the doctor tells about privacy: who listens, to what, and who can hear of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from streamser.cli.processes import endpoints, microphone_users, others
from streamser.config import (
    OUTPUTS,
    Config,
    File,
    Mqtt,
    Ros2,
    TcpServer,
    UnixSocket,
    WebSocket,
    Wyoming,
    loopback,
)

HERE, THERE = "this machine alone", "open to the network"


def listening() -> Iterator[tuple[str, str]]:
    """Yield what is looked at and what was found: who holds the microphone, what streamsers run."""
    users = [f"{name} (process {pid})" for pid, name in microphone_users()]
    yield "microphone", f"in use by {', '.join(users)}" if users else "nobody else listens"
    for pid, command in others():
        places = ", ".join(dict.fromkeys(map(str, endpoints(pid))))
        yield "running", f"streamser {command}, process {pid}: {places or 'reached by nobody'}"


def configured(config: Config) -> Iterator[tuple[str, str, str | None]]:
    """Yield what `streamser serve` would listen to and let out, and what to do about it, if so.

    A section's name, what it does, and how to mend it.
    """
    yield "listen", f"{config.listen.input}; audio is neither kept nor sent", None
    for name in OUTPUTS:
        if (section := getattr(config, name)) is not None:
            yield name, *_told(section)


def _told(section: Any) -> tuple[str, str | None]:
    match section:
        case UnixSocket():
            return f"events on {section.path or 'a Unix socket'}, for this user alone", None
        case TcpServer():
            return _server(section)
        case Mqtt():
            far = not loopback(section.host)
            clear = far and not section.tls
            told = f"state{' and events' if section.events else ''} to {section.host}"
            mend = "set mqtt.tls = true, so that nobody on the way can read it"
            return f"{told}, {THERE if far else HERE}", mend if clear else None
        case Ros2():
            far = section.interface != "lo"
            mend = "DDS asks for no token: choose a network that only robots are on"
            where = f"domain {section.domain} on {section.interface}, {THERE if far else HERE}"
            return f"a voice in {where}", mend if far else None
        case File():
            return f"events are kept in {section.path}", None
    return "switched on", None


def _server(section: TcpServer) -> tuple[str, str | None]:
    far, token = not loopback(section.host), section.token or section.token_file
    takes = isinstance(section, Wyoming) or (isinstance(section, WebSocket) and section.audio)
    told = ["takes audio at" if takes else "at", f"{section.host}:{section.port},"]
    told += [THERE if far else HERE, "with a token" if token else "without a token"]
    told += ["and TLS" if section.certificate else "and without TLS"]
    mend = "set certificate and key, so that nobody on the way can read it and the token"
    return " ".join(told), mend if far and not section.certificate else None
