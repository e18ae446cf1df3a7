"""What every output of the daemon offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from streamser.events import Event


class OutputError(Exception):
    """An output cannot be switched on; the message says why and what to do, in one line."""


@dataclass(slots=True)
class Tally:
    """What an output counts; written by its own thread, read by any."""

    clients: int = 0
    """Connected now."""

    refused: int = 0
    """Connections that were turned away."""

    lost: int = 0
    """Events, one for each client, that were dropped because somebody was too slow or away."""


class Output(Protocol):
    """Takes events from the daemon's main thread, which it never holds up."""

    name: str
    """As its section is called."""

    tally: Tally

    def open(self) -> None:
        """Switch on. Raises OutputError."""

    def push(self, event: Event, line: str) -> None:
        """Take an event and its line of JSON; never waits, never raises."""

    def failure(self) -> str | None:
        """Return why it cannot go on, if so: the daemon ends then."""

    def close(self) -> None:
        """Deliver what can be delivered in two seconds, and free everything."""
