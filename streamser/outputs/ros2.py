"""A voice for ROS 2, without ROS: a participant of DDS, as ROS 2's nodes are."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import quoteattr

from cyclonedds.core import DDSException, Listener, Policy, Qos
from cyclonedds.domain import Domain, DomainParticipant
from cyclonedds.pub import DataWriter
from cyclonedds.topic import Topic
from cyclonedds.util import duration

from streamser.config import Ros2
from streamser.events import Event
from streamser.flow import Flow
from streamser.log import Log
from streamser.outputs.actor import Actor
from streamser.outputs.output import Tally
from streamser.outputs.ros4hri import TRACKED, Message, Voice

WAITING = 256
"""Events that wait while there is no network; then the oldest is dropped and counted."""

DEPTH = 100
"""Messages of a topic that are kept for a slow subscriber; older ones are dropped, for that
subscriber alone, and DDS does not tell how many."""

PRESENCE = 1.0
"""Seconds between two reports that it listens."""

FIRST_RETRY, LAST_RETRY = 1.0, 60.0
"""Seconds between two attempts to join the domain, doubled from the first to the last."""

FAREWELL = 0.5
"""Seconds for subscribers to take the last messages."""

CONFIGURATION = """\
<CycloneDDS><Domain>
<General><Interfaces><NetworkInterface name={interface} multicast="true"/></Interfaces></General>
<Discovery>
<ParticipantIndex>auto</ParticipantIndex>
<Peers><Peer address="localhost"/><Peer address="239.255.0.1"/></Peers>
</Discovery>
<Tracing><Verbosity>none</Verbosity></Tracing>
</Domain></CycloneDDS>"""
"""Of Cyclone DDS: one interface; participants are looked for by DDS's own multicast address, and on
this machine without it, too."""

_log = Log("ros2")


class Ros2Publisher(Actor[Event]):
    """Publishes REP-155's topics for one voice, reliable and volatile as ROS 2's default is.

    `tracked` is kept for who comes late. A thread of its own joins the domain, again and again
    until there is the network interface, and publishes: nothing of DDS holds the daemon up.
    """

    name = "ros2"

    def __init__(self, section: Ros2, flow: Flow) -> None:
        super().__init__(WAITING)
        self._section = section
        self._flow = flow
        self._voice = Voice(section)
        self._writers: dict[str, DataWriter[Any]] = {}
        self._entities: list[Any] = []

    def open(self) -> None:
        """Begin to look for the network; that it is away is no error."""
        self._thread.start()

    def push(self, event: Event, line: str) -> None:
        """Let the thread publish an event."""
        self._put(event)

    def _run(self) -> None:
        if self._join():
            self._publish_all()
            self._leave()

    def _join(self) -> bool:
        """Join the domain. Returns False if the output is closed before that."""
        section, retry, told = self._section, FIRST_RETRY, False
        where = {"domain": section.domain, "interface": section.interface}
        while not self._closing:
            try:
                self._create()
            except DDSException as error:
                self._entities.clear()
                if not told:
                    told = True
                    _log.warning("cannot join the domain", **where, reason=error.msg)
                self._pause(retry)
                retry = min(2 * retry, LAST_RETRY)
            else:
                _log.info("open", **where, voice=section.voice)
                return True
        return False

    def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._closing and (left := deadline - time.monotonic()) > 0:
            self._wait(left)

    def _create(self) -> None:
        section = self._section
        interface = quoteattr(section.interface)
        domain = Domain(section.domain, CONFIGURATION.format(interface=interface))
        participant = DomainParticipant(section.domain)
        self._entities = [domain, participant]
        matched = _Matched(self.tally)
        for name, kind in self._voice.topics.items():
            topic = Topic(participant, f"rt/{name}", kind)
            qos = _qos(late=name == TRACKED)
            listener = matched if name == self._voice.expression else None
            self._writers[name] = DataWriter(participant, topic, qos=qos, listener=listener)

    def _publish_all(self) -> None:
        flowing, due = None, time.monotonic()
        while not self._closing:
            self._wait(max(0.0, due - time.monotonic()))
            self._publish_events()
            now, before, flowing = time.monotonic(), flowing, self._flow.flowing
            if now >= due or flowing != before:
                self._present(flowing)
                due = now + PRESENCE
        self._publish_events()
        self._present(False)

    def _publish_events(self) -> None:
        for event in self._mailbox.take():
            self._write(self._voice.push(event))

    def _present(self, flowing: bool) -> None:
        self._write([self._voice.presence(flowing=flowing, at=datetime.now(UTC))])

    def _write(self, messages: Iterable[Message]) -> None:
        for topic, message in messages:
            try:
                self._writers[topic].write(message)
            except DDSException as error:
                self.tally.lost += 1
                _log.debug("a message is lost", topic=topic, reason=error.msg)

    def _leave(self) -> None:
        for writer in self._writers.values():
            # What it raises when a subscriber hangs: cyclonedds means another `Exception` there.
            with contextlib.suppress(DDSException, AttributeError):
                writer.wait_for_acks(duration(seconds=FAREWELL / len(self._writers)))
        self._writers.clear()
        self._entities.clear()


class _Matched(Listener):
    """Counts those who subscribe to what is felt."""

    def __init__(self, tally: Tally) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._tally = tally

    def on_publication_matched(self, writer: Any, status: Any) -> None:
        """Take what DDS knows, on a thread of its own."""
        self._tally.clients = status.current_count


def _qos(*, late: bool) -> Qos:
    return Qos(
        Policy.Reliability.Reliable(duration(milliseconds=100)),
        Policy.Durability.TransientLocal if late else Policy.Durability.Volatile,
        Policy.History.KeepLast(1 if late else DEPTH),
        Policy.DataRepresentation(use_cdrv0_representation=True),
    )
