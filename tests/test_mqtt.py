"""MQTT with Debian's mosquitto: state, discovery, last will, and a broker that goes away."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import events_schema
import pytest
from broker import MOSQUITTO, Broker, Subscriber
from serving import SECOND, UTTERANCES, Serving, certificate, speech, until

from streamser.config import Mqtt
from streamser.events import (
    Emotion,
    ModelInfo,
    SessionEnded,
    SessionStarted,
    SourceLost,
    SourceRestored,
    SpeechStarted,
    Utterance,
)
from streamser.flow import Flow
from streamser.outputs.homeassistant import discovery
from streamser.outputs.mqtt import MqttClient

needs_broker = pytest.mark.skipif(MOSQUITTO is None, reason="needs apt-get install mosquitto")


NOBODY = dict.fromkeys(("emotion", "status", "confidence", "valence", "arousal", "time"))
"""Of the state, while nobody has been judged."""


def judged(*, t: float, utterance: int) -> dict[str, Any]:
    """Return the fields of a verdict."""
    scores = {"neutral": 0.25, "fearful": 0.75}
    span = {"t": t, "utterance": utterance, "start": t - 1.0, "end": t}
    verdict = {"status": "steady", "label": "fearful", "confidence": 0.75, "scores": scores}
    return span | verdict | {"valence": -0.5, "arousal": 0.5, "time": "2030-01-01T00:00:00Z"}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path, "allow_anonymous true")
    broker.start()
    yield broker
    broker.stop()


@needs_broker
def test_home_assistant_finds_it_and_follows(tmp_path: Path, broker: Broker) -> None:
    config = f"[mqtt]\nport = {broker.port}\nid = 'ear'\nevents = true\n"
    home = Subscriber(broker.port)
    with Serving(tmp_path, config) as serving:
        found = home.until("homeassistant/device/ear/config")
        assert found["dev"]["ids"] == ["ear"] and found["o"]["name"] == "streamser"
        entities = {"emotion", "confidence", "valence", "arousal", "speaking", "listening"}
        assert set(found["cmps"]) == entities
        assert home.until("streamser/ear/state")["emotion"] is None
        serving.hear(SECOND)
        home.until("streamser/ear/state", speaking=False)
        serving.hear(speech() + SECOND)
        home.until("streamser/ear/state", speaking=True)
        home.until("streamser/ear/state", speaking=False)
        home.until("streamser/ear/events", type="utterance", utterance=UTTERANCES - 1)
        serving.hear(SECOND)

        # Home Assistant was started anew and asks.
        home.client.publish("homeassistant/status", "online", qos=1)
        again = home.until("homeassistant/device/ear/config")
        assert again == found
        state = home.until("streamser/ear/state")
        assert state["emotion"] in [None, *found["cmps"]["emotion"]["options"]]
        assert -1 <= state["valence"] <= 1 and 0 <= state["confidence"] <= 1

        # Who comes late finds all of it retained.
        late = Subscriber(broker.port)
        assert late.until("streamser/ear/state") == state
        late.close()

        serving.signal(signal.SIGTERM)
        while home.until("streamser/ear/events")["type"] != "session.ended":
            pass
        serving.end()
    home.close()


@needs_broker
def test_a_new_voice_is_nobodys_emotion_until_it_is_judged(broker: Broker) -> None:
    home = Subscriber(broker.port)
    output = MqttClient(Mqtt(port=broker.port, id="ear", interval=3600.0), Flow())
    output.open()
    until(output._client.is_connected)
    output.push(SpeechStarted(t=1.0, utterance=0, start=0.5), "")
    output.push(Utterance(**judged(t=2.0, utterance=0), speech_seconds=1.0), "")
    verdict = home.until("streamser/ear/state", speaking=False, emotion="fearful")
    assert (verdict["confidence"], verdict["time"]) == (0.75, "2030-01-01T00:00:00Z")

    output.push(SpeechStarted(t=3.0, utterance=1, start=2.5), "")
    home.until("streamser/ear/state", speaking=True, **NOBODY)
    # Another connection, as after the broker was away, tells the same.
    connection = output._client.socket()
    assert isinstance(connection, socket.socket)
    connection.shutdown(socket.SHUT_RDWR)
    home.until("streamser/ear/state", speaking=True, **NOBODY)
    # The first answer comes at once, even if it is the one that was given before.
    output.push(Emotion(**judged(t=3.5, utterance=1)), "")
    home.until("streamser/ear/state", speaking=True, emotion="fearful")

    output.push(SpeechStarted(t=5.0, utterance=2, start=4.5), "")
    output.push(SourceLost(t=6.0, source="mic", reason="x"), "")
    home.until("streamser/ear/state", speaking=False, **NOBODY)
    output.close()
    home.close()


@needs_broker
def test_every_event_is_published_if_wanted(tmp_path: Path, broker: Broker) -> None:
    config = f"[mqtt]\nport = {broker.port}\nid = 'ear'\nevents = true\nhome_assistant = ''\n"
    home = Subscriber(broker.port)
    with Serving(tmp_path, config) as serving:
        serving.log.until("connected")
        serving.hear(SECOND + speech() + SECOND)
        seqs = []
        while True:
            event = events_schema.check(home.until("streamser/ear/events"))
            seqs.append(event["seq"])
            if event["type"] == "utterance" and event["utterance"] == 0:
                serving.signal(signal.SIGTERM)
            if event["type"] == "session.ended":
                break
        assert seqs == list(range(seqs[0], seqs[-1] + 1)) and len(seqs) > 10
        serving.end()
    topics = {topic for topic, *_ in list(home.messages.queue)}
    assert not any(topic.startswith("homeassistant") for topic in topics)
    home.close()


@needs_broker
def test_the_last_will_and_the_farewell(tmp_path: Path, broker: Broker) -> None:
    config = f"[mqtt]\nport = {broker.port}\nid = 'ear'\nkeepalive = 5\n"
    home = Subscriber(broker.port)
    (tmp_path / "one").mkdir()
    with Serving(tmp_path / "one", config) as serving:
        assert home.until("streamser/ear/availability") == "offline"  # no audio yet
        stop = threading.Event()

        def talk() -> None:
            while not stop.wait(0.05):
                serving.hear(speech()[:16_000])

        talking = threading.Thread(target=talk)
        talking.start()
        assert home.until("streamser/ear/availability") == "online"
        stop.set()
        talking.join()
        serving.process.kill()
        assert home.until("streamser/ear/availability") == "offline"
    (tmp_path / "two").mkdir()
    with Serving(tmp_path / "two", config) as serving:
        assert home.until("streamser/ear/availability") == "offline"
        for _ in range(5):
            serving.hear(speech())
        assert home.until("streamser/ear/availability") == "online"
        serving.end()
        assert home.until("streamser/ear/availability") == "offline"
    home.close()


@needs_broker
def test_a_broker_that_comes_late_goes_and_returns(tmp_path: Path) -> None:
    broker = Broker(tmp_path, "allow_anonymous true")
    config = f"[mqtt]\nport = {broker.port}\nid = 'ear'\n[socket]\n"
    with Serving(tmp_path, config) as serving:
        try:
            serving.log.until("the broker does not answer")
            serving.hear(SECOND + speech() + SECOND)
            broker.start()
            serving.log.until("connected")
            home = Subscriber(broker.port)
            state = home.until("streamser/ear/state")
            assert state["status"] is not None  # of what was said while nobody listened
            home.close()
            broker.stop()
            serving.log.until("the broker went away")
            serving.hear(speech())
            broker.start()
            serving.log.until("connected")
            serving.end()
        finally:
            broker.stop()


@needs_broker
def test_a_broker_that_hangs_holds_nothing_up_and_costs_what_is_counted(
    tmp_path: Path, broker: Broker
) -> None:
    home = Subscriber(broker.port)
    output = MqttClient(Mqtt(port=broker.port, id="ear", events=True), Flow())
    output.open()
    until(output._client.is_connected)
    broker.freeze(True)
    begun = time.monotonic()
    for number in range(1000):
        output.push(SessionEnded(t=float(number), reason="x" * 1000), str(number))
    assert time.monotonic() - begun < 2.0
    lost = output.tally.lost
    assert 1500 < lost < 2000  # an event and a state each; about a hundred wait
    broker.freeze(False)
    until(lambda: not output._client._out_messages)
    output.push(SessionEnded(t=0.0, reason="x"), "the last")
    got = [home.until("streamser/ear/events")]
    while got[-1] != "the last":
        got.append(home.until("streamser/ear/events"))
    assert got[:3] == ["0", "1", "2"] and len(got) + lost <= 2002
    assert output.failure() is None
    output.close()
    home.close()


@needs_broker
@pytest.mark.parametrize("waiting", [0, 120])
def test_a_broker_that_comes_back_retains_what_is_true_now(broker: Broker, waiting: int) -> None:
    """Even if older messages wait for it, or so many that there is no room for another."""
    flow = Flow(clock=lambda: 0.0)
    output = MqttClient(Mqtt(port=broker.port, id="ear", events=True), flow)
    flow.note([], 1.0)
    output.open()
    until(output._client.is_connected)
    broker.freeze(True)
    for number in range(waiting):
        output.push(SessionEnded(t=1.0, reason="x"), str(number))
    lost = SourceLost(t=1.0, source="mic", reason="x")
    flow.note([lost], 1.0)
    output.push(lost, "lost")

    connection = output._client.socket()
    assert isinstance(connection, socket.socket)
    connection.shutdown(socket.SHUT_RDWR)
    until(lambda: not output._client.is_connected())
    restored = SourceRestored(t=2.0, source="mic", reason="x")
    flow.note([restored], 2.0)
    output.push(restored, "restored")
    output.push(SpeechStarted(t=3.0, utterance=0, start=3.0), "speech")
    broker.freeze(False)
    until(output._client.is_connected)
    until(lambda: not output._client._out_messages)
    late = Subscriber(broker.port)
    assert late.until("streamser/ear/availability") == "online"
    assert late.until("streamser/ear/state")["speaking"]
    late.close()
    output.close()


@needs_broker
def test_a_broker_that_hung_retains_what_is_true_now(broker: Broker) -> None:
    output = MqttClient(Mqtt(port=broker.port, id="ear"), Flow())
    output.open()
    until(output._client.is_connected)
    broker.freeze(True)
    for _ in range(120):
        output.push(SessionEnded(t=1.0, reason="x"), "")
    output.push(SpeechStarted(t=2.0, utterance=0, start=2.0), "")
    broker.freeze(False)
    until(lambda: not output._client._out_messages)
    late = Subscriber(broker.port)
    assert late.until("streamser/ear/state")["speaking"]
    late.close()
    output.close()


@needs_broker
def test_user_password_and_tls(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    passwords = tmp_path / "passwords"
    command = ["mosquitto_passwd", "-b", "-c", str(passwords), "robot", "secret of mine"]
    subprocess.run(command, check=True, capture_output=True)
    broker = Broker(
        tmp_path,
        f"certfile {cert}",
        f"keyfile {key}",
        "allow_anonymous false",
        f"password_file {passwords}",
    )
    broker.start()
    (tmp_path / "password").write_text("secret of mine\n")
    config = f"[mqtt]\nhost = 'localhost'\nport = {broker.port}\ntls = true\nca = '{cert}'\n"
    try:
        with Serving(tmp_path, config + "user = 'robot'\npassword = 'wrong'\n") as serving:
            assert "refuses" in serving.log.until("the broker")
            serving.config.write_text(
                config + f"user = 'robot'\npassword_file = '{tmp_path}/password'\n"
            )
            serving.signal(signal.SIGHUP)
            serving.log.until("connected")
            log = serving.end()
            assert not any("secret of mine" in line for line in log)
    finally:
        broker.stop()


@needs_broker
def test_a_broker_that_refuses_is_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING")
    broker = Broker(tmp_path, "allow_anonymous false")
    broker.start()
    output = MqttClient(Mqtt(port=broker.port, id="ear"), Flow())
    attempts: list[object] = []
    output._client.on_pre_connect = lambda *_: attempts.append(None)
    try:
        output.open()
        until(lambda: len(attempts) > 2)
        (told,) = (record.getMessage() for record in caplog.records)
        assert "refuses" in told
    finally:
        output.close()
        broker.stop()


@needs_broker
def test_two_clients_with_one_id_are_told_of_once_and_try_ever_less_often(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    now = 0.0
    output = MqttClient(Mqtt(port=broker.port, id="ear"), Flow(), clock=lambda: now)
    attempts: list[object] = []
    output._client.on_pre_connect = lambda *_: attempts.append(None)
    output.open()
    until(output._client.is_connected)
    rival = Subscriber(broker.port, session="ear")
    until(lambda: output._client._reconnect_min_delay == 4)
    assert len(attempts) == 3
    rival.close()
    until(output._client.is_connected)
    now += 3600
    output.push(SpeechStarted(t=1.0, utterance=0, start=1.0), "")
    output.close()
    opened, *told = (record.getMessage() for record in caplog.records)
    gone, suspected = told.pop(1), told.pop(2)
    assert "open" in opened and "the broker went away" in gone
    assert "another client with the id ear? set mqtt.id" in suspected
    assert len(told) == 3 and all("connected" in line for line in told)


@needs_broker
def test_a_certificate_that_is_not_trusted_is_told(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    broker = Broker(tmp_path, f"certfile {cert}", f"keyfile {key}", "allow_anonymous true")
    broker.start()
    (tmp_path / "other").mkdir()
    other, _ = certificate(tmp_path / "other")
    config = f"[mqtt]\nhost = 'localhost'\nport = {broker.port}\ntls = true\nca = '{other}'\n"
    try:
        with Serving(tmp_path, config) as serving:
            assert "certificate verify failed" in serving.log.until("the broker")
            serving.end()
    finally:
        broker.stop()


def test_discovery_says_what_home_assistant_needs() -> None:
    model = ModelInfo(name="m", version="1", sha256="0" * 64, labels=("neutral", "sad", "unknown"))
    session = SessionStarted(t=0.0, version="9", model=model, source="mic", sample_rate=48_000)
    found = discovery(session, id="ear", state_topic="a/state", availability_topic="a/availability")
    assert found["cmps"]["emotion"]["options"] == ["neutral", "sad"]
    for key, component in found["cmps"].items():
        assert component["p"] in ("sensor", "binary_sensor")
        assert component["unique_id"] == f"ear_{key}"
        template = component.get("value_template", "")
        assert template.count("{{") == template.count("}}") == (key != "listening")
    assert "state_class" not in found["cmps"]["emotion"]
    assert found["qos"] == 1 and found["state_topic"] == "a/state"


def test_that_nothing_is_heard_turns_listening_off_and_the_others_unavailable() -> None:
    """As Home Assistant reads it: what its components inherit has a topic of its own, or not."""
    model = ModelInfo(name="m", version="1", sha256="0" * 64, labels=("neutral", "sad", "unknown"))
    session = SessionStarted(t=0.0, version="9", model=model, source="mic", sample_rate=48_000)
    found = discovery(session, id="ear", state_topic="a/state", availability_topic="a/availability")
    shared = {key: value for key, value in found.items() if key in INHERITED}
    components = {key: shared | component for key, component in found["cmps"].items()}
    listening = components.pop("listening")
    assert listening["state_topic"] == "a/availability"
    assert (listening["payload_on"], listening["payload_off"]) == ("online", "offline")
    assert not any("avail" in key for key in listening)
    for component in components.values():
        assert component["state_topic"] == "a/state"
        assert component["availability_topic"] == "a/availability"
        assert component["payload_available"] == "online"
        assert component["payload_not_available"] == "offline"


INHERITED = (
    "availability",
    "availability_mode",
    "availability_template",
    "availability_topic",
    "command_topic",
    "payload_available",
    "payload_not_available",
    "state_topic",
)
"""Of a device, by all its components that do not say otherwise."""


def test_a_name_is_made_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "my robot.local/#")
    assert MqttClient(Mqtt(), Flow())._id == "streamser-my_robot_local__"
