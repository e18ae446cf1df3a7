"""What docs/api.md and README.md show is run, and every field of every event is explained."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import io
import json
import re
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import events_schema
import pulse
import pytest
import soundfile
from broker import MOSQUITTO, Broker, Subscriber
from serving import ROOT, speech, until

import streamser
from streamser.clip import demo_clip
from streamser.config import Mqtt
from streamser.events import Health, Latency, ModelInfo, SessionStarted, Utterance
from streamser.flow import Flow
from streamser.outputs.mqtt import MqttClient
from streamser.outputs.output import Tally
from streamser.outputs.prometheus import Measures
from streamser.outputs.records import Csv, Jsonl, Record
from streamser.streams.pool import Streams

API = (ROOT / "docs" / "api.md").read_text()
README = (ROOT / "README.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    """Return the code of a language in a page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def talk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the first seconds of the clip as talk.wav, to be in."""
    samples, rate = soundfile.read(demo_clip(), dtype="int16", frames=16_000 * 6)
    soundfile.write(tmp_path / "talk.wav", samples[: 16_000 * 5], rate)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_does_what_it_shows(talk: Path) -> None:
    """One program, as one would type it; what it prints has the form of what is shown."""
    module = types.ModuleType("page")
    pairs = re.findall(r"^```python\n(.*?)^```$(?:\n+^```text\n(.*?)^```$)?", API, re.S | re.M)
    assert len(pairs) == len(blocks(API, "python")) >= 8
    for code, shown in pairs:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "docs/api.md", "exec"), module.__dict__)
        assert printed.getvalue().count("\n") == shown.count("\n"), code
        if not re.search("label|labels", code):  # what the network says may change with it
            assert printed.getvalue() == shown


def test_every_event_of_the_page_fits_the_schema() -> None:
    shown = [json.loads(line) for block in blocks(API, "json") for line in block.splitlines()]
    assert {events_schema.check(event)["type"] for event in shown} == set(events_schema.KINDS)


def test_every_field_of_every_event_is_explained() -> None:
    common = fields("All events")
    assert common == {"type", "seq", "t", "time"}
    for kind, schema in events_schema.SCHEMA["$defs"].items():
        assert fields(kind) | common == set(schema["properties"]), kind


def test_every_field_of_a_record_is_explained() -> None:
    record = Record(path="talk.wav", start=0.0, end=1.0, utterance=None)
    lines, table = io.StringIO(), io.StringIO()
    Jsonl(lines).write(record)
    Csv(table, ["neutral", "sad"]).write(record)
    columns = table.getvalue().splitlines()[0].split(",")
    told = fields("Records of analyze")
    assert told - {"score_LABEL"} == set(json.loads(lines.getvalue()))
    assert told - {"score_LABEL", "scores"} | {"score_neutral", "score_sad"} == set(columns)


@pytest.mark.skipif(MOSQUITTO is None, reason="needs apt-get install mosquitto")
def test_every_field_of_the_mqtt_state_is_explained(tmp_path: Path) -> None:
    broker = Broker(tmp_path, "allow_anonymous true")
    broker.start()
    output = MqttClient(Mqtt(port=broker.port, id="ear"), Flow())
    try:
        output.open()
        reader = Subscriber(broker.port)
        assert fields("MQTT") == set(reader.until("streamser/ear/state"))
        reader.close()
    finally:
        output.close()
        broker.stop()


def test_every_metric_and_its_labels_are_explained() -> None:
    measures = Measures()
    latency = Latency(p50=1.0, p95=1.0, p99=1.0)
    model = ModelInfo(name="m", version="1", sha256="0" * 64, labels=("neutral", "unknown"))
    verdict = {"status": "unknown", "label": None, "confidence": 1.0, "valence": 0.0}
    span = {"utterance": 0, "start": 0.0, "end": 1.0, "speech_seconds": 1.0}
    for event in (
        SessionStarted(t=0.0, version="1", model=model, source="mic", sample_rate=16_000),
        Utterance(t=1.0, scores={}, arousal=0.0, **span, **verdict),
        Health(
            t=1.0,
            lag_s=0.0,
            overruns=0,
            dropped_s=0.0,
            level_dbfs=-60.0,
            latency_ms=latency,
            cpu=0.0,
            rss_mb=50.0,
            speech=False,
        ),
    ):
        measures.push(event)
    page = measures.text({"mqtt": Tally()}, Streams().tally(), Flow())
    found = {
        name: set(re.findall(r"(\w+)=", labels))
        for name, labels in re.findall(r"^(streamser_\w+)\{(.*)\}", page, re.MULTILINE)
    }
    rows = re.findall(r"^\| `(\w+)` \| (.*?)\|", section("Prometheus"), re.MULTILINE)
    assert found == {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}


def section(title: str) -> str:
    (found,) = re.findall(rf"^### {re.escape(title)}\n(.*?)(?=^##)", API, re.DOTALL | re.MULTILINE)
    return found


def fields(title: str) -> set[str]:
    cells = re.findall(r"^\| (`.*?) \|", section(title), re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_everything_exported_is_on_the_page() -> None:
    events = {"Event", "Health", "Latency", "ModelInfo", "SessionStarted", "SessionEnded"}
    events |= {"SourceLost", "SourceRestored", "SpeechStarted", "__version__"}
    for name in set(streamser.__all__) - events:
        assert f"`{name}" in API or f"import {name}" in API or f", {name}" in API, name


def test_what_is_to_be_installed_can_be_found() -> None:
    """The package is in no index: what names it names a checkout or a wheel."""
    places = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "deploy").iterdir()]
    for path in filter(Path.is_file, [*places, *(ROOT / "examples").iterdir()]):
        assert not re.search(r"pipx? install .*(?<!/)\bstreamser\b", path.read_text()), path


@pytest.mark.flaky(reruns=2)
@pytest.mark.skipif(pulse.missing() is not None, reason=str(pulse.missing()))
def test_the_readme_does_what_it_shows(talk: Path) -> None:
    """With a real microphone, which hears the clip."""
    server = pulse.PulseServer(talk, 16_000)
    server.start()
    try:
        command = [sys.executable, __file__]
        program = subprocess.Popen(command, env=server.env, cwd=talk, stdout=subprocess.PIPE)
        until(lambda: server.play(talk / "talk.wav") or program.poll() is not None)
        assert program.returncode == 0 and program.stdout is not None
        printed = program.stdout.read().decode()
        assert "SessionStarted(" in printed and "Utterance(" in printed
    finally:
        server.kill()


def run_readme() -> None:
    """Run the README's Python as a prompt would that knows `await` (`python -m asyncio`)."""
    import numpy as np

    [code] = blocks(README, "python")
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    names: dict[str, Any] = {"samples": np.frombuffer(speech()[:192_000], dtype=np.int16)}
    task = eval(compile(code, "README.md", "exec", flags=flags), names)
    if task is not None:
        asyncio.run(task)
    assert any(isinstance(event, streamser.Utterance) for event in names["events"])


if __name__ == "__main__":
    run_readme()
