"""What systemd is told: ready, alive, reloading, stopping (sd_notify without its library)."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping


class Notifier:
    """Sends datagrams to $NOTIFY_SOCKET; without one it does nothing. Never waits, never fails."""

    def __init__(
        self,
        environment: Mapping[str, str] = os.environ,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
        self._clock = clock
        self._interval = _interval(environment)
        self._fed_at = -float("inf")
        self._status = ""
        self._ready = False

    def ready(self) -> None:
        """Tell once that the service does its work; from then on the watchdog wants to be fed."""
        if not self._ready:
            self._ready = True
            self._send("READY=1")

    def feed(self) -> None:
        """Tell the watchdog that all is well, twice as often as it asks for."""
        if self._interval is not None and self._clock() - self._fed_at >= self._interval:
            self._fed_at = self._clock()
            self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Tell in one line what goes on, when it is news."""
        text = " ".join(text.split())
        if text != self._status:
            self._status = text
            self._send(f"STATUS={text}")

    def reloading(self) -> None:
        """Tell that the configuration is being read again; `reloaded` follows."""
        if self._ready:
            self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def reloaded(self) -> None:
        """Tell that reloading is over."""
        if self._ready:
            self._send("READY=1")

    def stopping(self) -> None:
        """Tell that the end has begun."""
        self._send("STOPPING=1")

    def close(self) -> None:
        """Free the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, text: str) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.sendto(text.encode("utf-8", "replace"), self._address)


def _interval(environment: Mapping[str, str]) -> float | None:
    """Return the seconds between two feedings; None without a watchdog for this process."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        microseconds = int(environment.get("WATCHDOG_USEC", ""))
    except ValueError:
        return None
    return microseconds / 2e6 if microseconds > 0 else None
