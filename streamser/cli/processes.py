"""Who listens on this machine, and where streamser can be reached: what Linux tells of it."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")

_LISTENING, _ESTABLISHED = "0A", "01"
_CAPTURE = re.compile(r"/dev/snd/(pcmC\d+D\d+c)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a process can be reached, or whom it reaches."""

    kind: str
    """tcp, udp, unix, or `to` for a connection that leads away."""

    address: str
    outside: bool
    """Whether other machines can reach it, or are reached."""

    def __str__(self) -> str:
        far = " (open to the network)" if self.outside and self.kind != "to" else ""
        return f"{self.kind} {self.address}{far}"


def others() -> Iterator[tuple[int, str]]:
    """Yield the running streamser processes but this one: number and command."""
    for pid in _numbers():
        words = _read(PROC / str(pid) / "cmdline").split("\0")
        python = Path(words[0]).name.startswith("python")
        for position, word in enumerate(words[: 4 if python else 1]):
            if Path(word).name == "streamser" and pid != os.getpid():
                yield pid, words[position + 1] if len(words) > position + 2 else "live"
                break


def endpoints(pid: int) -> Iterator[Endpoint]:
    """Yield where a process of this user can be reached, and whom it reaches."""
    inodes = {link[8:-1] for link in _open_files(pid) if link.startswith("socket:[")}
    rows = [
        (table[:3], fields[1], fields[2], fields[3])
        for table in ("tcp", "tcp6", "udp", "udp6")
        for fields in map(str.split, _read(PROC / "net" / table).splitlines()[1:])
        if fields[9] in inodes
    ]
    ports = set()
    for kind, here, _, state in rows:
        if kind == "udp" or state == _LISTENING:
            ports.add(here.rpartition(":")[2])
            yield _endpoint(kind, here)
    for kind, here, there, state in rows:
        if kind == "tcp" and state == _ESTABLISHED and here.rpartition(":")[2] not in ports:
            yield _endpoint("to", there)
    for line in _read(PROC / "net" / "unix").splitlines()[1:]:
        fields = line.split()
        listening = len(fields) > 7 and int(fields[3], 16) & 0x10000
        if listening and fields[6] in inodes:
            yield Endpoint(kind="unix", address=fields[7], outside=False)


def microphone_users() -> Iterator[tuple[int, str]]:
    """Yield who holds a microphone open: number and name, each once.

    With a sound server, this is the server and, where `pactl` can ask it, its clients. Processes
    of other users are told by their device alone.
    """
    found: dict[int, str] = {}
    for pid in _numbers():
        if any(_CAPTURE.match(link) for link in _open_files(pid)):
            found[pid] = _name(pid)
    for status in sorted(PROC.glob("asound/card*/pcm*c/sub*/status")):
        if owner := re.search(r"^owner_pid\s*:\s*(\d+)", _read(status), re.MULTILINE):
            found.setdefault(int(owner[1]), _name(int(owner[1])))
    found |= dict(_clients_of_sound_server())
    found.pop(os.getpid(), None)
    yield from found.items()


def _clients_of_sound_server() -> Iterator[tuple[int, str]]:
    with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
        command = ["pactl", "--format=json", "list", "source-outputs"]
        done = subprocess.run(command, capture_output=True, timeout=2, check=True)
        for output in json.loads(done.stdout):
            about = output.get("properties", {})
            pid, name = about.get("application.process.id"), about.get("application.name")
            if pid and not output.get("corked"):  # a module of the server's has none
                yield int(pid), name or "a program"


def _numbers() -> list[int]:
    with contextlib.suppress(OSError):
        return sorted(int(path.name) for path in PROC.iterdir() if path.name.isdecimal())
    return []


def _open_files(pid: int) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for link in (PROC / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):
                yield str(link.readlink())


def _name(pid: int) -> str:
    return _read(PROC / str(pid) / "comm").strip() or "a program"


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _endpoint(kind: str, text: str) -> Endpoint:
    """Return an address of a table of /proc/net: words of four bytes, each in host order."""
    host, _, port = text.partition(":")
    raw = bytes.fromhex(host)
    words = (raw[at : at + 4] for at in range(0, len(raw), 4))
    address = ipaddress.ip_address(b"".join(word[::-1] for word in words))
    mapped = getattr(address, "ipv4_mapped", None) or address
    shown = f"[{mapped}]" if mapped.version == 6 else str(mapped)
    where = f"{shown}:{int(port, 16)}"
    return Endpoint(kind=kind, address=where, outside=not mapped.is_loopback)
