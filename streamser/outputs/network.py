"""One thread with one event loop, where all servers live."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import Any, Protocol

from streamser.events import Event
from streamser.log import Log
from streamser.outputs.mailbox import Mailbox
from streamser.outputs.output import OutputError, Tally

START_TIMEOUT = 10.0
STOP_TIMEOUT = 8.0
STALLED = 30.0
"""Seconds without a turn of the loop, and it hangs."""

WAITING = 1024
"""Events that may wait for the loop."""

_log = Log("network")


class Service(Protocol):
    """A server in the loop."""

    name: str
    tally: Tally

    async def start(self) -> None:
        """Begin to serve. Raises OutputError."""

    def publish(self, event: Event, line: str) -> None:
        """Let clients have an event; never waits."""

    async def stop(self) -> None:
        """Let clients have what waits for them, and end."""


class Network:
    """The thread; it begins with the first service."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._done: asyncio.Event | None = None
        self._failure: str | None = None
        self._thread = threading.Thread(target=self._run, name="network", daemon=True)
        self._begun = threading.Event()
        self._mailbox: Mailbox[tuple[Service, Event, str]] = Mailbox(WAITING, self._wake)

    def call(self, work: Coroutine[Any, Any, None], timeout: float) -> None:
        """Do `work` in the loop and wait for it. Raises what it raises, or TimeoutError."""
        if not self._thread.is_alive() and self._failure is None:
            self._thread.start()
            self._begun.wait()
        if self._loop is None or self._failure is not None:
            work.close()
            raise OutputError(f"the network thread ended: {self._failure}")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            future.result(timeout)
        except concurrent.futures.TimeoutError:
            future.cancel()
            raise TimeoutError("the network thread does not answer") from None

    def post(self, service: Service, event: Event, line: str) -> None:
        """Let a service publish an event, soon; when the loop is slow, the oldest is lost."""
        dropped = self._mailbox.put((service, event, line))
        if dropped is not None:
            dropped[0].tally.lost += 1

    def failure(self) -> str | None:
        """Return why the thread cannot go on, if so."""
        if self._failure is None and (hangs := self._mailbox.unread()) > STALLED:
            return f"the network thread hangs since {hangs:.0f} s"
        return self._failure

    def close(self) -> None:
        """End the thread, if it runs."""
        if self._thread.is_alive() and self._loop is not None and self._done is not None:
            self._loop.call_soon_threadsafe(self._done.set)
            self._thread.join(STOP_TIMEOUT)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = f"{type(error).__name__}: {error}"
        else:
            self._failure = "it was closed"
        finally:
            self._begun.set()

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_complain)
        self._done = asyncio.Event()
        self._loop = loop
        self._begun.set()
        await self._done.wait()

    def _wake(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        for service, event, line in self._mailbox.take():
            try:
                service.publish(event, line)
            except Exception as error:
                self._failure = f"{service.name}: {type(error).__name__}: {error}"
                raise


class Hosted:
    """A service as an output."""

    def __init__(self, network: Network, service: Service) -> None:
        self.name = service.name
        self.tally = service.tally
        self._network = network
        self._service = service

    def open(self) -> None:
        """Start the service. Raises OutputError."""
        try:
            self._network.call(self._service.start(), START_TIMEOUT)
        except TimeoutError as error:
            raise OutputError(str(error)) from None

    def push(self, event: Event, line: str) -> None:
        """Let the service have an event."""
        self._network.post(self._service, event, line)

    def failure(self) -> str | None:
        """Return why the network cannot go on, if so."""
        return self._network.failure()

    def close(self) -> None:
        """Stop the service, unless the thread ended with all of them."""
        if self._network.failure() is not None:
            return
        try:
            self._network.call(self._service.stop(), STOP_TIMEOUT)
        except Exception as error:
            _log.error("a server did not stop", output=self.name, error=error)


def _complain(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """One client's mishap ends that client alone, and is told."""
    _log.error(context.get("message", "error"), error=context.get("exception"))
