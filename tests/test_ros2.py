"""ROS 2 over DDS: the bytes are ROS's, and a participant in another process hears what is said."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cyclonedds", reason="needs pip install cyclonedds (no wheel for aarch64)")

from hypothesis import given
from hypothesis import strategies as st
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from serving import ROOT, SECOND, Lines, Serving, SocketClient, speech, until

from streamser.config import Ros2
from streamser.events import Emotion, SpeechStarted
from streamser.flow import Flow
from streamser.outputs.ros2 import Ros2Publisher
from streamser.outputs.ros4hri import EXPRESSIONS, Voice
from streamser.outputs.rosmessages import Bool, Expression, Header, IdsList, Time, stamp

DOMAIN = 20 + os.getpid() % 200
"""Hardly anybody else's."""

HRI = {
    "hri_msgs/msg/Expression": "std_msgs/Header header\nstring expression\n"
    "float32 valence\nfloat32 arousal\nfloat32 confidence\n",
    "hri_msgs/msg/IdsList": "std_msgs/Header header\nstring[] ids\n",
}
"""The fields of the message files of hri_msgs."""

STORE = get_typestore(Stores.ROS2_HUMBLE)
for name, text in HRI.items():
    STORE.register(get_types_from_msg(text, name))

texts = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)
floats = st.floats(width=32)
headers = st.builds(
    Header,
    stamp=st.builds(Time, sec=st.integers(-(2**31), 2**31 - 1), nanosec=st.integers(0, 2**32 - 1)),
    frame_id=texts,
)
messages = st.one_of(
    st.tuples(st.just("std_msgs/msg/Bool"), st.builds(Bool, data=st.booleans())),
    st.tuples(
        st.just("hri_msgs/msg/IdsList"),
        st.builds(IdsList, header=headers, ids=st.lists(texts, max_size=4)),
    ),
    st.tuples(
        st.just("hri_msgs/msg/Expression"),
        st.builds(
            Expression,
            header=headers,
            expression=texts,
            valence=floats,
            arousal=floats,
            confidence=floats,
        ),
    ),
)


@given(messages)
def test_the_bytes_are_those_of_ros(pair: tuple[str, Any]) -> None:
    """rosbags has a CDR of its own: it reads our bytes, and writes the same ones."""
    name, message = pair
    ours = message.serialize()
    theirs = STORE.deserialize_cdr(ours, name)
    assert bytes(STORE.serialize_cdr(theirs, name)) == ours
    assert repr(type(message).deserialize(ours)) == repr(message)
    assert theirs.__msgtype__ == name
    mangled = name.replace("/", "::").replace("msg::", "msg::dds_::") + "_"
    assert type(message).__idl_typename__.replace(".", "::") == mangled


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2037, 1, 1)))
def test_a_stamp_is_that_time(at: datetime) -> None:
    at = at.replace(tzinfo=UTC)
    found = stamp(at)
    assert 0 <= found.nanosec < 1_000_000_000
    assert abs(found.sec + found.nanosec / 1e9 - at.timestamp()) < 2e-6


def test_without_cyclonedds_it_is_told_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "cyclonedds.py").write_text("raise ImportError('no cyclonedds here')")
    command = [sys.executable, "-m", "streamser", "serve", "--set", "ros2", "--input", "-"]
    env = os.environ | {"PYTHONPATH": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=ROOT, timeout=60)
    assert done.returncode == 2
    assert "pip install 'streamser[ros2]'" in done.stderr.splitlines()[-1]


def test_what_fits_no_label_claims_nothing() -> None:
    voice = Voice(Ros2(voice="ear"))
    fields: dict[str, Any] = {"t": 1.0, "utterance": 0, "start": 0.0, "end": 1.0, "scores": {}}
    fields |= {"confidence": 0.9, "valence": 0.5, "arousal": 0.5}
    unknown = Emotion(status="unknown", label=None, **fields)
    [(topic, told)] = voice.push(unknown)
    assert topic == "humans/voices/ear/expression" and isinstance(told, Expression)
    assert told.expression == "" and told.confidence == 0.0 and math.isnan(told.valence)
    assert not list(voice.push(Emotion(status="warming_up", label=None, **fields)))
    [(_, scared)] = voice.push(Emotion(status="steady", label="fearful", **fields))
    assert isinstance(scared, Expression) and scared.expression == "scared"


class Peer:
    """A subscriber in another process."""

    def __init__(self, domain: int = DOMAIN) -> None:
        command = [sys.executable, str(Path(__file__).with_name("ros2_peer.py")), str(domain)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.lines = Lines(self.process.stdout)
        self.lines.until("ready")

    @property
    def heard(self) -> list[dict[str, Any]]:
        """All so far."""
        return [json.loads(line) for line in list(self.lines.seen)]

    @property
    def found(self) -> set[str]:
        """The topics that somebody publishes."""
        return {message["found"] for message in self.heard if "found" in message}

    def on(self, topic: str) -> list[dict[str, Any]]:
        """What was heard on a topic."""
        return [message for message in self.heard if message.get("topic") == topic]


@contextlib.contextmanager
def peer(domain: int = DOMAIN) -> Iterator[Peer]:
    found = Peer(domain)
    try:
        yield found
    finally:
        found.process.kill()
        found.process.wait()


def test_a_participant_elsewhere_hears_every_verdict(tmp_path: Path) -> None:
    config = f"[ros2]\ndomain = {DOMAIN}\nvoice = 'ear'\nframe = 'mic'\n[socket]\n"
    with peer() as robot, Serving(tmp_path, config) as serving:
        serving.log.until("part=ros2 msg=open")
        client = SocketClient(serving.socket_path)
        until(lambda: len(robot.found) >= 3)
        assert not any(message["ids"] for message in robot.on("tracked"))  # no audio yet
        audio = SECOND + speech() + SECOND
        for begin in range(0, len(audio), len(SECOND)):
            serving.hear(audio[begin : begin + len(SECOND)])
            time.sleep(0.05)
        until(lambda: any(message["ids"] == ["ear"] for message in robot.on("tracked")))
        serving.signal(signal.SIGTERM)
        client.rest()
        serving.end()
        told = [e for e in client.events if e["type"] in ("emotion", "utterance")]
        told = [event for event in told if event["status"] != "warming_up"]
        until(lambda: len(robot.on("ear/expression")) >= len(told))
        until(lambda: robot.on("tracked")[-1]["ids"] == [])
        heard = robot.on("ear/expression")
        assert len(heard) == len(told) > 20
        for event, message in zip(told, heard, strict=True):
            assert message["expression"] == EXPRESSIONS.get(event["label"] or "", "")
            assert message["header"]["frame_id"] == "mic"
            at = message["header"]["stamp"]
            time_told = datetime.fromisoformat(event["time"]).timestamp()
            assert abs(at["sec"] + at["nanosec"] / 1e9 - time_told) < 0.002
            if event["label"] is not None:
                assert abs(message["valence"] - event["valence"]) < 1e-5
                assert abs(message["confidence"] - event["confidence"]) < 1e-5
        until(lambda: robot.on("ear/is_speaking")[-1]["data"] is False)
        speaking = [message["data"] for message in robot.on("ear/is_speaking")]
        spoken = [e["type"] for e in client.events if e["type"] in ("speech.started", "utterance")]
        assert speaking[: len(spoken)] == [kind == "speech.started" for kind in spoken]

        found = {m["found"]: m for m in robot.heard if "found" in m}
        for topic, kind in (
            ("rt/humans/voices/ear/expression", "hri_msgs::msg::dds_::Expression_"),
            ("rt/humans/voices/ear/is_speaking", "std_msgs::msg::dds_::Bool_"),
            ("rt/humans/voices/tracked", "hri_msgs::msg::dds_::IdsList_"),
        ):
            assert found[topic]["type"] == kind
            assert "Reliability.Reliable" in found[topic]["qos"]


@pytest.mark.skipif(
    shutil.which("g++") is None or not Path("/usr/include/fastdds").is_dir(),
    reason="needs apt-get install g++ libfastrtps-dev",
)
def test_fast_dds_hears_every_verdict(tmp_path: Path) -> None:
    """ROS 2's usual middleware, built from its own library; rosbags reads the bytes."""
    source = Path(__file__).with_name("fastdds_peer.cpp")
    command = ["g++", "-std=c++17", str(source), "-o", str(tmp_path / "peer"), "-lfastrtps"]
    subprocess.run([*command, "-lfastcdr"], check=True)
    robot = subprocess.Popen(
        [tmp_path / "peer", str(DOMAIN)], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert robot.stdout is not None
    lines = Lines(robot.stdout)
    try:
        lines.until("ready")
        config = f"[ros2]\ndomain = {DOMAIN}\nvoice = 'ear'\n[socket]\n"
        with Serving(tmp_path, config) as serving:
            serving.log.until("part=ros2 msg=open")
            client = SocketClient(serving.socket_path)
            lines.until("tracked")
            time.sleep(1)  # the other topics are matched, too
            audio = SECOND + speech() + SECOND
            for begin in range(0, len(audio), len(SECOND)):
                serving.hear(audio[begin : begin + len(SECOND)])
                time.sleep(0.1)
            serving.signal(signal.SIGTERM)
            client.rest()
            serving.end()
        told = [
            EXPRESSIONS.get(event["label"] or "", "")
            for event in client.events
            if event["type"] in ("emotion", "utterance") and event["status"] != "warming_up"
        ]

        def heard() -> list[Any]:
            return [
                STORE.deserialize_cdr(bytes.fromhex(line.split()[1]), "hri_msgs/msg/Expression")
                for line in list(lines.seen)
                if line.startswith("rt/humans/voices/ear/expression")
            ]

        until(lambda: len(heard()) == len(told))
        assert [message.expression for message in heard()] == told
    finally:
        robot.kill()
        robot.wait()


def test_who_hangs_holds_nobody_up_and_who_comes_late_hears_who_is_tracked() -> None:
    flow = Flow()
    output = Ros2Publisher(Ros2(domain=DOMAIN, voice="ear"), flow)
    with peer() as frozen, peer() as lively:
        output.open()
        until(lambda: output.tally.clients == 2)
        until(lambda: "rt/humans/voices/ear/is_speaking" in frozen.found & lively.found)
        frozen.process.send_signal(signal.SIGSTOP)
        for number in range(300):
            output.push(SpeechStarted(t=float(number), utterance=number, start=0.0), "")
            time.sleep(0.002)
        until(lambda: len(lively.on("ear/is_speaking")) + output.tally.lost == 300)
        assert output.tally.lost == 0
        flow.note([], 1.0)
        until(lambda: any(message["ids"] for message in lively.on("tracked")))
        frozen.process.send_signal(signal.SIGCONT)
        until(lambda: any(message["ids"] for message in frozen.on("tracked")))
        with peer() as late:
            until(lambda: late.on("tracked"))
        frozen.process.send_signal(signal.SIGSTOP)
        output.push(SpeechStarted(t=0.0, utterance=0, start=0.0), "")
        until(lambda: len(lively.on("ear/is_speaking")) == 301)
        output.close()  # while somebody hangs
        assert output.failure() is None
        again = Ros2Publisher(Ros2(domain=DOMAIN, voice="ear"), flow)
        again.open()
        until(lambda: again.tally.clients)
        again.close()


def test_a_network_that_is_not_there_yet_is_looked_for(tmp_path: Path) -> None:
    absent = f"[ros2]\ndomain = {DOMAIN}\nvoice = 'ear'\ninterface = 'nowhere0'\n[socket]\n"
    with peer() as robot, Serving(tmp_path, absent) as serving:
        serving.log.until("cannot join the domain")
        serving.hear(speech())
        client = SocketClient(serving.socket_path)
        client.until("utterance")
        serving.config.write_text(absent.replace("nowhere0", "lo"))
        serving.signal(signal.SIGHUP)
        serving.log.until("part=ros2 msg=open")
        until(lambda: robot.on("tracked"))
        # Another domain is another world; and back again.
        with peer(DOMAIN + 1) as other:
            for domain, ear in ((DOMAIN + 1, other), (DOMAIN, robot)):
                before = len(ear.on("tracked"))
                serving.config.write_text(
                    absent.replace("nowhere0", "lo").replace(str(DOMAIN), str(domain))
                )
                serving.signal(signal.SIGHUP)
                serving.log.until(f"domain={domain} ")
                until(lambda ear=ear, before=before: len(ear.on("tracked")) > before)
        assert all(line.startswith("time=") for line in serving.end())


ETH_P_ALL = 3


def interface() -> str | None:
    """Return a network interface that is up and leads away from this machine."""
    for _, name in socket.if_nameindex():
        state = Path(f"/sys/class/net/{name}/operstate")
        if name != "lo" and state.is_file() and state.read_text().strip() == "up":
            return name
    return None


def test_nothing_of_it_goes_over_the_network_until_told_so() -> None:
    """Looked at on the wire; that something is seen when it is told so shows that one would see."""
    away = interface()
    try:
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    except PermissionError:
        pytest.skip("needs root to look at the wire")
    if away is None:
        pytest.skip("there is no network")
    wire.setblocking(False)
    ports = range(7400 + 250 * DOMAIN, 7400 + 250 * (DOMAIN + 1))

    found: set[str] = set()

    def seen(where: str) -> bool:
        """Note the interfaces of this domain's packets; return whether `where` is among them."""
        with contextlib.suppress(BlockingIOError):
            while True:
                packet, (name, *_) = wire.recvfrom(65536)
                head = (packet[0] & 15) * 4
                port = int.from_bytes(packet[head + 2 : head + 4], "big")
                if packet[0] >> 4 == 4 and packet[9] == socket.IPPROTO_UDP and port in ports:
                    found.add(name)
        return where in found

    for where in ("lo", away):
        output = Ros2Publisher(Ros2(domain=DOMAIN, interface=where), Flow())
        output.open()
        until(lambda where=where: seen(where))
        until(lambda output=output: output._writers)
        time.sleep(1)
        seen(where)
        output.close()
        assert found == {"lo"} or where == away
    wire.close()
