"""What lies between the listener and the outputs: nothing dies alone, hangs or grows."""

from __future__ import annotations

import ast
import asyncio
import dataclasses
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import events_schema
import pytest
from serving import ROOT, until

import streamser.events
from streamser import log
from streamser.config import Clients
from streamser.events import (
    Emotion,
    Event,
    Health,
    SessionEnded,
    SessionStarted,
    SourceLost,
    SourceRestored,
    SpeechStarted,
    Utterance,
    as_dict,
    to_json,
)
from streamser.flow import Flow
from streamser.outputs import network
from streamser.outputs.audience import Audience
from streamser.outputs.door import Bucket, Door
from streamser.outputs.mailbox import Mailbox
from streamser.outputs.network import Hosted, Network
from streamser.outputs.output import OutputError, Tally
from streamser.outputs.snapshot import Snapshot
from streamser.systemd import Notifier

ENDED = SessionEnded(t=1.0, reason="none")


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Broken:
    """A service that fails to start, fails to publish, or hangs."""

    name = "broken"

    def __init__(self, *, start: Exception | None = None, hang: float = 0.0) -> None:
        self.tally = Tally()
        self._start = start
        self._hang = hang

    async def start(self) -> None:
        if self._start is not None:
            raise self._start

    def publish(self, event: Event, line: str) -> None:
        if not self._hang:
            raise ZeroDivisionError("a bug")
        time.sleep(self._hang)

    async def stop(self) -> None:
        pass


def test_a_service_that_fails_is_a_reason_to_end() -> None:
    net = Network()
    output = Hosted(net, Broken())
    output.open()
    assert output.failure() is None
    output.push(ENDED, "{}")
    reason = until(output.failure, patience=10)
    assert reason == "broken: ZeroDivisionError: a bug"
    output.close()
    net.close()


def test_a_service_that_cannot_start_says_why() -> None:
    net = Network()
    with pytest.raises(OutputError, match="no room"):
        Hosted(net, Broken(start=OutputError("no room"))).open()
    net.close()


def test_a_loop_that_hangs_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "STALLED", 0.2)
    monkeypatch.setattr(network, "STOP_TIMEOUT", 0.1)
    net = Network()
    output = Hosted(net, Broken(hang=1.0))
    output.open()
    output.push(ENDED, "{}")
    time.sleep(0.05)
    for _ in range(5000):
        output.push(ENDED, "{}")
    assert "hangs" in until(output.failure, patience=10)
    assert output.tally.lost == 5000 - network.WAITING
    net.close()


DYING = """\
import sys, threading, time
from streamser.daemon import Daemon
from streamser.layers import Layers
from streamser.audio import portaudio
def die():
    time.sleep(0.5)
    raise RuntimeError("out of luck")
threading.Thread(target=die, name="unlucky", daemon=True).start()
sys.exit(Daemon(Layers(environment={}, settings=sys.argv[1:])).run())
"""


def test_a_thread_that_dies_takes_the_process_with_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", DYING, f"socket.path={tmp_path}/s", "listen.input=-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.wait(30) == 1
        assert process.stderr is not None
        lines = process.stderr.read().splitlines()
    death = 'msg="a thread died" thread=unlucky error="RuntimeError: out of luck"'
    assert sum(death in line for line in lines) == 1
    assert 'reason="the thread unlucky died"' in lines[-1]
    assert not (tmp_path / "s").exists()


HANGING = """\
import sys, time
from streamser import supervisor
from streamser.daemon import Daemon
from streamser.layers import Layers
from streamser.listener import Listener
supervisor.TICK, supervisor.TICKS = 0.2, 5
polls = []
def poll(self, timeout):
    polls.append(timeout)
    time.sleep(timeout if len(polls) < 10 else 3600)
    return []
Listener.poll = poll
sys.exit(Daemon(Layers(environment={}, settings=sys.argv[1:])).run())
"""


def test_a_main_thread_that_hangs_is_ended_and_a_suspended_one_is_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HANGING, f"socket.path={tmp_path}/s", "listen.input=-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        until(lambda: (tmp_path / "s").exists())
        process.send_signal(signal.SIGSTOP)
        time.sleep(1.5)
        process.send_signal(signal.SIGCONT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        assert process.wait(30) == 1
        assert process.stderr is not None
        assert 'reason="the main thread hangs since 1 s"' in process.stderr.read()


def test_mailbox_drops_the_oldest_and_wakes_once() -> None:
    clock, woken = Time(), []
    box: Mailbox[int] = Mailbox(3, lambda: woken.append(clock.now), clock=clock)
    dropped = []
    for number in range(5):
        dropped.append(box.put(number))
        clock.now += 1
    assert (dropped, woken) == ([None, None, None, 0, 1], [100.0])
    assert box.take() == [2, 3, 4] and box.take() == []
    box.put(9)
    assert woken == [100.0, 105.0]


def test_a_mailbox_that_nobody_empties_is_noticed_unless_all_was_suspended() -> None:
    clock = Time()
    box: Mailbox[int] = Mailbox(3, lambda: None, clock=clock)
    box.put(1)
    assert box.unread() == 0.0
    clock.now += 3600
    assert box.unread() == 1.0
    for _ in range(100):
        clock.now += 0.25
        box.put(2)
        unread = box.unread()
    assert unread == 26.0
    box.take()
    box.put(3)
    assert box.unread() == 0.0


def test_bucket_and_door_count_whom_they_refuse() -> None:
    clock = Time()
    bucket = Bucket(2.0, 4.0, clock=clock)
    assert [bucket.take() for _ in range(6)] == [True] * 4 + [False] * 2
    clock.now += 1.0
    assert [bucket.take() for _ in range(3)] == [True, True, False]
    clock.now += 3600
    assert [bucket.take() for _ in range(5)] == [True] * 4 + [False]
    tally = Tally()
    door = Door(Clients(clients=2), tally)
    assert [door.enter() for _ in range(4)] == [True, True, False, False]
    door.leave()
    assert door.enter() and tally.refused == 2


def every_event() -> list[Event]:
    model = streamser.events.ModelInfo(name="m", version="1", sha256="0" * 64, labels=("a", "b"))
    heard = {"start": 0.0, "end": 1.0, "scores": {"a": 0.25, "b": 0.75}, "confidence": 0.75}
    felt = {"utterance": 0, "status": "steady", "label": "b", "valence": 0.0, "arousal": -1.0}
    events: list[Event] = [
        SessionStarted(t=0.0, version="1", model=model, source="mic", sample_rate=16_000),
        SourceLost(t=0.0, source="mic", reason="x"),
        SourceRestored(t=0.0, source="mic", reason="x"),
        SpeechStarted(t=0.5, utterance=0, start=0.0),
        Emotion(t=1.0, **heard, **felt),  # type: ignore[arg-type]
        Utterance(t=2.0, **heard, **felt, speech_seconds=1.0),  # type: ignore[arg-type]
        Health(
            t=2.0,
            lag_s=0.0,
            overruns=0,
            dropped_s=0.0,
            level_dbfs=None,
            latency_ms=None,
            cpu=0.1,
            rss_mb=None,
            speech=False,
        ),
        ENDED,
    ]
    return [dataclasses.replace(event, seq=seq) for seq, event in enumerate(events)]


def test_the_schema_has_every_event_and_every_field() -> None:
    events_schema.WHOLE.check_schema(events_schema.SCHEMA)
    events = every_event()
    kinds = {
        cls.type
        for cls in vars(streamser.events).values()
        if isinstance(cls, type) and issubclass(cls, Event) and cls is not Event
    }
    assert kinds == set(events_schema.KINDS) == {event.type for event in events}
    for event in events:
        fields = as_dict(event)
        assert events_schema.WHOLE.is_valid(fields) and events_schema.problem(fields) is None
        schema = events_schema.SCHEMA["$defs"][event.type]
        assert set(schema["properties"]) == set(schema["required"]) == set(fields)
        for name in fields:
            assert events_schema.problem({k: v for k, v in fields.items() if k != name})
        assert events_schema.problem({**fields, "more": 1})
    assert events_schema.problem({**as_dict(events[4]), "label": None})
    assert events_schema.problem({**as_dict(events[4]), "status": "unknown"})
    assert events_schema.problem({**as_dict(events[4]), "confidence": 1.5})


def test_a_snapshot_is_what_still_holds() -> None:
    started, lost, restored, speech, emotion, utterance, health, ended = every_event()

    def after(*events: Event) -> list[Event]:
        snapshot = Snapshot()
        for event in events:
            snapshot.push(event, "")
        return [event for event, _ in snapshot.events()]

    assert after(started, lost) == [started, lost]
    assert after(started, lost, restored, speech, emotion) == [started, restored, speech, emotion]
    assert after(started, speech, emotion, utterance, health) == [started, utterance, health]
    assert after(started, speech, emotion, ended, started) == [started]


def test_who_comes_late_hears_how_things_stand_and_a_slow_one_only_the_newest() -> None:
    async def check() -> None:
        tally = Tally()
        audience = Audience(16, tally)
        lines = [to_json(event) for event in every_event()]
        for event, line in zip(every_event()[:5], lines, strict=False):
            audience.publish(event, line)
        seat = audience.join()
        assert [await seat.take() for _ in range(4)] == [lines[i] for i in (0, 2, 3, 4)]
        for number in range(20):
            audience.publish(ENDED, str(number))
        audience.end()
        got = [await seat.take() for _ in range(17)]
        assert got == [*map(str, range(4, 20)), None] and tally.lost == 4
        audience.leave(seat)
        audience.leave(seat)
        assert tally.clients == 0

    asyncio.run(check())


def test_flow_knows_sound_from_time_that_passes() -> None:
    clock = Time()
    flow = Flow(clock)
    started, lost, restored, *_ = every_event()
    flow.note([started], 0.0)
    assert flow.alive and not flow.flowing
    flow.note([], 0.1)
    assert flow.flowing
    clock.now += 1.0
    flow.note([lost], 1.1)
    assert flow.lost and not flow.flowing
    clock.now += 5.0
    flow.note([], 6.0)  # time that is skipped is no sound
    assert not flow.flowing
    flow.note([restored], 6.1)
    assert flow.flowing and not flow.lost
    clock.now += 3.0
    flow.note([], 6.1)
    assert not flow.flowing and flow.alive
    clock.now += 30.0
    assert not flow.alive


def test_systemd_is_told_over_files_and_abstract_names(tmp_path: Path) -> None:
    for address in (str(tmp_path / "n"), f"@streamser-test-{os.getpid()}"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.bind("\0" + address[1:] if address[0] == "@" else address)
            systemd.settimeout(5)
            clock = Time()
            environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "10000000"}
            notifier = Notifier(environment, clock=clock)
            notifier.reloading()
            notifier.reloaded()  # before it is ready that is nobody's business
            for _ in range(3):
                notifier.ready()
                notifier.feed()
                notifier.status("two\nlines")
                clock.now += 2.0
            notifier.reloading()
            notifier.stopping()
            notifier.close()
            notifier.stopping()
            systemd.setblocking(False)
            told = []
            while True:
                try:
                    told.append(systemd.recv(4096).decode())
                except BlockingIOError:
                    break
            assert told[:3] == ["READY=1", "WATCHDOG=1", "STATUS=two lines"]
            assert told[3].startswith("RELOADING=1\nMONOTONIC_USEC=")
            assert told[4:] == ["STOPPING=1"]
    for environment in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone")}):
        notifier = Notifier(environment)
        notifier.ready()
        notifier.close()
    other = {"WATCHDOG_USEC": "5", "WATCHDOG_PID": "1", "NOTIFY_SOCKET": str(tmp_path / "n")}
    assert Notifier(other)._interval is None
    assert Notifier({"WATCHDOG_USEC": "x"})._interval is None


def test_logs_are_one_line_whatever_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    before = logging.getLogger().level
    try:
        for style in ("logfmt", "json"):
            log.configure(style, "info")
            teller = log.Log("test")
            teller.debug("not told")
            teller.info(
                "two\nlines", text='a "b"\n\x1b[2J', none=None, yes=True, number=1.5, empty=""
            )
            try:
                raise ValueError("odd\nthing")
            except ValueError as error:
                teller.error("it failed", error=error)
            logging.getLogger("websockets.server").error("of a %s", "library")
        lines = capsys.readouterr().err.splitlines()
    finally:
        for handler in list(logging.getLogger().handlers):
            if isinstance(handler, log._Handler):
                logging.getLogger().removeHandler(handler)
        logging.getLogger().setLevel(before)
    assert len(lines) == 6 and all(line.isprintable() for line in lines)
    told = lines[0].partition("part=")[2]
    assert told == (
        r'test msg="two\nlines" text="a \"b\"\n\u001b[2J" none=null yes=true number=1.5 empty=""'
    )
    assert 'error="ValueError: odd\\nthing" at=' in lines[1]
    assert "part=websockets.server" in lines[2]
    assert json.loads(lines[3])["number"] == 1.5 and json.loads(lines[4])["level"] == "error"


def test_what_hears_does_not_know_who_listens() -> None:
    """Below the outputs nothing imports them, and `listen` loads nothing of the daemon."""
    package = ROOT / "streamser"
    below = [
        *package.glob("analysis/*.py"),
        *package.glob("audio/*.py"),
        *package.glob("model/*.py"),
    ]
    below += [package / "listener.py", package / "events.py"]
    for path in below:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [getattr(node, "module", "") or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not any(
                name.startswith(("streamser.outputs", "streamser.daemon")) for name in names
            )
    code = (
        "import sys, io\nfrom streamser.cli import main\nfrom streamser.clip import demo_clip\n"
        "code = main(['listen', '--fast', '--input', str(demo_clip())])\n"
        "print(code, *sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    exit_code, *loaded = done.stderr.split()
    daemon = {"config", "layers", "daemon", "systemd", "flow", "log", "outputs.network"}
    assert exit_code == "0"
    assert not {f"streamser.{name}" for name in daemon} & set(loaded)
    assert not {"websockets", "paho", "tomllib", "jsonschema"} & set(loaded)
