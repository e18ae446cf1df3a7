"""/metrics for Prometheus, /healthz and /readyz, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from streamser.config import Metrics
from streamser.events import Event
from streamser.flow import Flow
from streamser.log import Log
from streamser.outputs.access import Token, addresses, listen, tls
from streamser.outputs.door import Door
from streamser.outputs.output import Tally
from streamser.outputs.prometheus import CONTENT_TYPE, Measures
from streamser.streams.pool import Streams

LONGEST = 8192
"""Bytes of a request's head; longer ones are refused."""

PATIENCE = 5.0
"""Seconds for a request to come and for its answer to be taken."""

PLAIN = "text/plain; charset=utf-8"

_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}

_log = Log("metrics")

Answer = tuple[int, str, str]
"""Status, content type, body."""


class MetricsServer:
    """One request a connection; a head that is too long, too slow or none gets no further."""

    name = "metrics"

    def __init__(
        self,
        section: Metrics,
        flow: Flow,
        tallies: Callable[[], Mapping[str, Tally]],
        streams: Streams,
    ) -> None:
        """Raises OutputError."""
        self.tally = Tally()
        self._section = section
        self._token = Token(section)
        self._tls = tls(section)
        self._flow = flow
        self._tallies = tallies
        self._streams = streams
        self._measures = Measures()
        self._door = Door(section, self.tally)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to serve. Raises OutputError."""
        handle = self._door.guard(self._serve)
        self._server = await listen(
            self._section, handle, tls=self._tls, handshake=PATIENCE, limit=LONGEST
        )
        _log.info("open", at=addresses(self._server.sockets), tls=self._tls is not None)

    def publish(self, event: Event, line: str) -> None:
        """Count an event."""
        self._measures.push(event)

    async def stop(self) -> None:
        """End."""
        if self._server is not None:
            self._server.close()
            await self._door.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(PATIENCE):
            head = b""
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.LimitOverrunError:
                status, kind, body = 431, PLAIN, "too long\n"
            else:
                status, kind, body = self._answer(head)
            self.tally.refused += 400 <= status < 500
            content = body.encode()
            fields = (
                f"HTTP/1.1 {status} {_REASONS[status]}",
                f"Content-Type: {kind}",
                f"Content-Length: {len(content)}",
                "Connection: close",
            )
            writer.write("\r\n".join(fields).encode() + b"\r\n\r\n")
            if not head.startswith(b"HEAD "):
                writer.write(content)
            await writer.drain()

    def _answer(self, head: bytes) -> Answer:
        """Return what a request gets."""
        request, *lines = head.decode("latin-1").split("\r\n")
        parts = request.split(" ")
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
            return 400, PLAIN, "this is HTTP/1.1\n"
        if parts[0] not in ("GET", "HEAD"):
            return 405, PLAIN, "GET or HEAD\n"
        fields = [line.partition(":") for line in lines]
        shown = [value.strip() for name, _, value in fields if name.lower() == "authorization"]
        if not self._token.admits(shown[0] if shown else None):
            return 401, PLAIN, "show the token\n"
        match parts[1].partition("?")[0]:
            case "/metrics":
                tallies, streams = self._tallies(), self._streams.tally()
                return 200, CONTENT_TYPE, self._measures.text(tallies, streams, self._flow)
            case "/healthz":
                return self._state(self._flow.alive, "alive", "the listener hangs")
            case "/readyz":
                return self._state(self._flow.ready, "ready", "no audio")
        return 404, PLAIN, "/metrics, /healthz or /readyz\n"

    def _state(self, good: bool, yes: str, no: str) -> Answer:
        return (200, PLAIN, yes + "\n") if good else (503, PLAIN, no + "\n")
