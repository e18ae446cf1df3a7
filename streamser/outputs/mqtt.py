"""State and events to an MQTT broker, with Home Assistant's discovery."""

from __future__ import annotations

import json
import re
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from streamser.config import Mqtt
from streamser.events import (
    Emotion,
    Event,
    SessionEnded,
    SessionStarted,
    SourceLost,
    SpeechStarted,
    Utterance,
)
from streamser.flow import Flow
from streamser.log import Log
from streamser.outputs.access import secret
from streamser.outputs.homeassistant import OFFLINE, ONLINE, discovery
from streamser.outputs.output import OutputError, Tally

FIRST_RETRY, LAST_RETRY = 1, 60
"""Seconds between two attempts to reach the broker, doubled from the first to the last."""

STEADY = 2 * LAST_RETRY
"""Seconds after which a connection counts as good. Two clients with one id end each other's: where
both wait as long as they may, each of them lasts for half of this."""

UNDELIVERED = 100
"""Messages that a slow broker may leave unacknowledged; further ones are dropped and counted."""

GRACE = 2.0

_log = Log("mqtt")


class MqttClient:
    """Publishes at QoS 1: availability and state, retained, and events if wanted.

    While the broker is away only the latest state is kept, and published when it is back; events
    of that time are dropped and counted. paho's thread does the sending.
    """

    name = "mqtt"

    def __init__(
        self, section: Mqtt, flow: Flow, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Raises OutputError."""
        self.tally = Tally()
        self._section = section
        self._flow = flow
        self._clock = clock
        host = re.sub(r"[^A-Za-z0-9_-]", "_", socket.gethostname())
        self._id = section.id or f"streamser-{host}"
        self._topic = f"{section.prefix}/{self._id}"
        self._lock = threading.Lock()
        self._session: SessionStarted | None = None
        self._emotion: Emotion | None = None
        """The latest of the utterance that is open, or the verdict of the one before."""
        self._speaking = False
        self._available = False
        self._stated_at = 0.0
        self._problem = ""
        self._accepted_at: float | None = None
        self._falls = 0
        """Accepted connections that have ended, one soon after the other."""
        self._truth: dict[str, str] = {}
        """What the broker is to retain, by topic."""
        self._untold: set[str] = set()
        """Topics for which it may retain something else, until they are told again."""
        self._thread: threading.Thread | None = None
        self._client = self._prepared()

    def open(self) -> None:
        """Begin to look for the broker; that it is away is no error."""
        section = self._section
        self._client.connect_async(section.host, section.port, keepalive=section.keepalive)
        before = set(threading.enumerate())
        self._client.loop_start()
        paho = (thread for thread in threading.enumerate() if thread.name.startswith("paho"))
        self._thread = next(thread for thread in paho if thread not in before)
        _log.info("open", broker=f"{section.host}:{section.port}", topic=self._topic)

    def push(self, event: Event, line: str) -> None:
        """Publish what is news."""
        with self._lock:
            news = self._note(event)
            if self._client.is_connected():
                self.tally.clients = 1
                self._settle()
                if isinstance(event, SessionStarted):
                    self._discover()
                self._tell_available()
                if news:
                    self._state(event.t)
                if self._section.events:
                    self._publish(f"{self._topic}/events", line, retain=False)
            else:
                self.tally.clients = 0
                self.tally.lost += self._section.events

    def failure(self) -> str | None:
        """Return why the client cannot go on, if so."""
        alive = self._thread is None or self._thread.is_alive()
        return None if alive else "its thread ended"

    def close(self) -> None:
        """Say goodbye, so that the last will is not needed."""
        if self._client.is_connected():
            with self._lock:
                self._available = False
                farewell = self._retain(f"{self._topic}/availability", OFFLINE)
            if farewell is not None:
                farewell.wait_for_publish(GRACE)
        self._thread = None
        self._client.disconnect()
        # It joins paho's thread, which may be waiting for a name server.
        leaving = threading.Thread(target=self._client.loop_stop, name="mqtt end", daemon=True)
        leaving.start()
        leaving.join(GRACE)

    def _prepared(self) -> Client:
        section = self._section
        client = Client(CallbackAPIVersion.VERSION2, client_id=self._id)
        client.reconnect_delay_set(FIRST_RETRY, LAST_RETRY)
        client.max_queued_messages_set(UNDELIVERED)
        client.will_set(f"{self._topic}/availability", OFFLINE, qos=1, retain=True)
        if section.user is not None:
            password = secret(section.password, section.password_file, "password_file")
            client.username_pw_set(section.user, password)
        if section.tls:
            try:
                client.tls_set(ca_certs=section.ca)
            except OSError as error:
                raise OutputError(f"ca {section.ca}: {error.strerror or error}") from None
        client.on_connect = self._connected
        client.on_connect_fail = self._unreached
        client.on_disconnect = self._disconnected
        client.on_message = self._heard
        client.on_publish = self._acknowledged
        return client

    def _note(self, event: Event) -> bool:
        """Remember an event. Returns whether the state is to be published for it."""
        match event:
            case SessionStarted():
                self._session = event
                self._emotion, self._speaking, self._stated_at = None, False, 0.0
                return True
            case Utterance():
                self._emotion, self._speaking = event, False
                return True
            case Emotion():
                changed = self._emotion is None or self._emotion.label != event.label
                self._emotion = event
                return changed or event.t - self._stated_at >= self._section.interval
            case SpeechStarted():
                self._emotion, self._speaking = None, True
                return True
            case SourceLost() | SessionEnded():
                self._speaking = False
                return True
        return False

    def _retain(self, topic: str, payload: str) -> MQTTMessageInfo | None:
        """Have the broker retain what is true, now or when it has taken some of what waits."""
        self._truth[topic] = payload
        info = self._publish(topic, payload, retain=True)
        if info is None:
            self._untold.add(topic)
        return info

    def _publish(self, topic: str, payload: str, *, retain: bool) -> MQTTMessageInfo | None:
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
            return info
        self.tally.lost += 1
        return None

    def _state(self, t: float) -> None:
        self._stated_at = t
        emotion = self._emotion
        fields: dict[str, Any] = {"speaking": self._speaking, "emotion": None, "status": None}
        fields |= {"confidence": None, "valence": None, "arousal": None, "time": None}
        fields["source"] = self._session.source if self._session is not None else None
        if emotion is not None:
            fields |= {"emotion": emotion.label, "status": emotion.status, "time": emotion.time}
            fields["confidence"] = round(emotion.confidence, 4)
            fields["valence"] = round(emotion.valence, 4)
            fields["arousal"] = round(emotion.arousal, 4)
        self._retain(f"{self._topic}/state", json.dumps(fields))

    def _tell_available(self, *, anew: bool = False) -> None:
        available = self._flow.flowing
        if anew or available != self._available:
            self._available = available
            self._retain(f"{self._topic}/availability", ONLINE if available else OFFLINE)

    def _discover(self) -> None:
        if self._session is None or not self._section.home_assistant:
            return
        topics = {f"{name}_topic": f"{self._topic}/{name}" for name in ("state", "availability")}
        payload = json.dumps(discovery(self._session, id=self._id, **topics))
        topic = f"{self._section.home_assistant}/device/{self._id}/config"
        self._retain(topic, payload)

    def _unreached(self, client: Client, userdata: Any) -> None:
        self._falls = 0
        # paho says no more, but calls this while it handles the error.
        error = sys.exc_info()[1]
        if isinstance(error, ssl.SSLError):
            self._trouble(f"no TLS with the broker: {error}")
        else:
            self._trouble("the broker does not answer")

    def _connected(
        self, client: Client, userdata: Any, flags: Any, code: ReasonCode, properties: Any
    ) -> None:
        if code.is_failure:
            self._falls = 0
            self._trouble(f"the broker refuses: {code}")
            return
        self._accepted_at = self._clock()
        if self._falls < 2:
            self._tell_connected()
        if self._section.home_assistant:
            client.subscribe(f"{self._section.home_assistant}/status", qos=1)
        with self._lock:
            # It may be unacknowledged: paho sends it again, but after what is told now.
            self._untold.update(self._truth)
        self._tell_all()

    def _tell_all(self) -> None:
        with self._lock:
            self._discover()
            self._tell_available(anew=True)
            self._state(self._stated_at)

    def _disconnected(
        self, client: Client, userdata: Any, flags: Any, code: ReasonCode, properties: Any
    ) -> None:
        if self._thread is None:
            return
        if self._accepted_at is not None:
            lasted, self._accepted_at = self._clock() - self._accepted_at, None
            self._falls = self._falls + 1 if lasted < STEADY else 1
            # paho begins with the first delay after each connection that was accepted.
            delay = min(FIRST_RETRY << min(self._falls - 1, 30), LAST_RETRY)
            client.reconnect_delay_set(delay, LAST_RETRY)
        if self._falls > 1:
            other = f"another client with the id {self._id}? set mqtt.id"
            self._trouble(f"no connection lasts: {other}")
        elif not self._problem:  # who refuses goes away, too, at each attempt
            self._trouble(f"the broker went away: {code}")

    def _heard(self, client: Client, userdata: Any, message: MQTTMessage) -> None:
        """Home Assistant's birth message: it may have forgotten everything."""
        if message.payload == b"online":
            self._tell_all()

    def _acknowledged(
        self, client: Client, userdata: Any, mid: int, code: ReasonCode, properties: Any
    ) -> None:
        """Tell what is untold.

        paho holds its lock meanwhile, so ours would be a deadlock; `_truth` is set before that
        lock is asked for, so that nothing older can come last.
        """
        for topic in self._untold.copy():
            info = client.publish(topic, self._truth[topic], qos=1, retain=True)
            if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._untold.discard(topic)

    def _settle(self) -> None:
        """Take a connection for good that has lasted, after those that have not."""
        accepted_at = self._accepted_at
        if self._falls > 1 and accepted_at is not None and self._clock() - accepted_at >= STEADY:
            self._falls = 0
            self._tell_connected()

    def _tell_connected(self) -> None:
        self._problem = ""
        _log.info("connected", broker=f"{self._section.host}:{self._section.port}")

    def _trouble(self, problem: str) -> None:
        """Tell a problem when it is news."""
        if problem != self._problem:
            self._problem = problem
            _log.warning(problem, broker=f"{self._section.host}:{self._section.port}")
