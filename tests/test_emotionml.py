"""Every EmotionML document fits the grammar of the W3C's Recommendation, at any time."""

from __future__ import annotations

import io
import os
import re
import resource
import shutil
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

etree = pytest.importorskip("lxml.etree", reason="needs pip install lxml")

from hypothesis import given
from hypothesis import strategies as st
from serving import SECOND, Serving, SocketClient, speech, until
from test_cli import streamser

from streamser.clip import demo_clip
from streamser.config import EmotionMlFile as Section
from streamser.events import ModelInfo, SessionStarted, Utterance
from streamser.outputs.emotionml import NAMESPACE, EmotionMl, beginning
from streamser.outputs.emotionmlfile import EmotionMlFile
from streamser.outputs.output import OutputError
from streamser.outputs.records import Record

GRAMMAR = etree.RelaxNG(file=str(Path(__file__).with_name("emotionml.rng")))
NS = "{http://www.w3.org/2009/10/emotionml}"
BIG_6 = {"anger", "disgust", "fear", "happiness", "sadness", "surprise"}
PAD = {"pleasure", "arousal", "dominance"}
LABELS = ("neutral", "sad", "unknown")


def emotions(document: bytes) -> list[etree._Element]:
    """Return the emotions of a document that is as the Recommendation wants it.

    What a grammar cannot say is looked at here: names are of the vocabularies that the document
    names, and unique, and time does not run backwards.
    """
    root = etree.fromstring(document)
    GRAMMAR.assertValid(root)
    ids = [vocabulary.get("id") for vocabulary in root.iter(f"{NS}vocabulary")]
    assert root.get("category-set") == f"#{ids[0]}" and len(set(ids)) == len(ids)
    assert root.get("dimension-set") == "http://www.w3.org/TR/emotion-voc/xml#pad-dimensions"
    items = [item.get("name") for item in root.iter(f"{NS}item")]
    assert len(set(items)) == len(items)
    found = root.findall(f"{NS}emotion")
    for emotion in found:
        for kind, known in (("category", set(items)), ("dimension", PAD)):
            names = [child.get("name") for child in emotion.findall(f"{NS}{kind}")]
            assert len(set(names)) == len(names) and set(names) <= known
        assert int(emotion.get("start", "0")) <= int(emotion.get("end", "1" + "0" * 15))
    return found


def utterance(labels: tuple[str, ...] = LABELS, **fields: object) -> Utterance:
    told = {"t": 2.0, "utterance": 0, "start": 0.5, "end": 1.5, "status": "steady"}
    told |= {"label": labels[0], "confidence": 0.5, "valence": -1.0, "arousal": 1.0}
    told |= {"scores": {label: 1 / len(labels) for label in labels}, "speech_seconds": 1.0}
    return Utterance(**(told | fields))  # type: ignore[arg-type]


def test_the_grammar_refuses_what_is_none() -> None:
    stream = io.StringIO()
    writer = EmotionMl(stream, LABELS)
    writer.write(Record(path="a.wav", start=0.5, end=1.5, utterance=utterance()))
    writer.close()
    good = stream.getvalue()
    assert len(emotions(good.encode())) == 1
    for part, instead in (
        ('version="1.0" ', ""),
        ('confidence="0.3333"', 'confidence="1.1"'),
        ('duration="1000"', 'duration="-1"'),
        ("</info>", "</info><intensity/>"),
        ('role="expressedBy"', 'role="writtenBy"'),
        ('type="category"', 'type="kind"'),
        ("<category name=", "<feeling name="),
        ('expressed-through="voice"', 'through="voice"'),
    ):
        bad = good.replace('version="1.0" xmlns', "xmlns") if not instead else good
        bad = bad.replace(part, instead) if instead else bad
        assert bad != good
        with pytest.raises((etree.DocumentInvalid, etree.XMLSyntaxError)):
            emotions(bad.encode())


def token(label: str) -> str:
    return re.sub("[^A-Za-z0-9_.:-]", "_", label)


names = st.text(min_size=1, max_size=12).filter(lambda label: token(label) != "no_speech")


@given(
    labels=st.lists(names, min_size=1, max_size=5, unique_by=token),
    path=st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1),
    start=st.floats(0, 1e6),
    length=st.floats(0, 1e6),
    valence=st.floats(-2, 2, allow_nan=False),
)
def test_any_recording_makes_a_valid_document(
    labels: list[str], path: str, start: float, length: float, valence: float
) -> None:
    stream = io.StringIO()
    writer = EmotionMl(stream, labels)
    for said in (utterance(tuple(labels), valence=valence), None):
        writer.write(Record(path=path, start=start, end=start + length, utterance=said))
    writer.close()
    emotions(stream.getvalue().encode())


def test_analyze_writes_valid_documents(tmp_path: Path) -> None:
    for name in ("a b.flac", "ö&<>'\".flac", "100%.flac"):
        shutil.copy(demo_clip(), tmp_path / name)
    shutil.copy(demo_clip(), os.fsencode(tmp_path / "x") + b"\xff.flac")
    for more in ((), ("--whole",)):
        done = streamser("analyze", "--format", "emotionml", *more, str(tmp_path))
        assert done.returncode == 0, done.stderr
        assert len(emotions(done.stdout.encode())) >= 4


def test_serve_keeps_a_valid_document(tmp_path: Path) -> None:
    path = tmp_path / "heard.emotionml"
    with Serving(tmp_path, f"[emotionml]\npath = '{path}'\n[socket]\n") as serving:
        serving.log.until("session started")
        client = SocketClient(serving.socket_path)
        begun = datetime.now(UTC).timestamp() * 1000
        until(lambda: path.stat().st_size)
        assert emotions(path.read_bytes()) == []
        for _ in range(3):
            serving.hear(SECOND + speech() + SECOND)
            event = client.until("utterance")
            until(lambda: path.stat().st_size and emotions(path.read_bytes()))
        first = emotions(path.read_bytes())[0]
        assert abs(int(first.get("start")) - begun) < 60_000
        assert event["status"] in {e.find(f"{NS}info")[0].text for e in emotions(path.read_bytes())}
        serving.process.send_signal(signal.SIGKILL)  # whenever it dies, the document is whole
        serving.process.wait()
    before = len(emotions(path.read_bytes()))
    (tmp_path / "again").mkdir()
    with Serving(tmp_path / "again", f"[emotionml]\npath = '{path}'\n") as serving:
        serving.hear(SECOND + speech() + SECOND)
        until(lambda: len(emotions(path.read_bytes())) > before)
        serving.end()


@pytest.fixture
def output(tmp_path: Path) -> Iterator[EmotionMlFile]:
    found = EmotionMlFile(Section(path=str(tmp_path / "e"), max_mb=0.003, keep=2))
    found.open()
    yield found
    found.close()


def session(*labels: str) -> SessionStarted:
    model = ModelInfo(name="m", version="1", sha256="0" * 64, labels=labels)
    return SessionStarted(t=0.0, version="9", model=model, source="mic", sample_rate=16_000)


def test_it_is_turned_over_when_it_is_full_and_for_another_model(
    tmp_path: Path, output: EmotionMlFile
) -> None:
    output.push(session(*LABELS), "")
    for number in range(20):
        for _ in range(2):  # what is told again is not written again
            output.push(utterance(end=number + 2.0), "")
    output.push(session("happy", "unknown"), "")
    output.push(utterance(("happy", "unknown")), "")
    output.close()
    assert output.tally.lost == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["e", "e.1", "e.2"]
    lengths = []
    for name in ("e.2", "e.1", "e"):
        assert (tmp_path / name).stat().st_size <= 3000
        lengths += [emotion.get("duration") for emotion in emotions((tmp_path / name).read_bytes())]
    assert len(set(lengths)) == len(lengths) > 3
    assert len(emotions((tmp_path / "e").read_bytes())) == 1


def test_a_document_is_whole_before_anything_was_heard(tmp_path: Path) -> None:
    path = tmp_path / "e"
    for labels in (LABELS, LABELS, ("happy", "unknown")):  # begun again, and with another model
        output = EmotionMlFile(Section(path=str(path)))
        output.open()
        output.push(session(*labels), "")
        output.push(session(*labels), "")
        output.close()
        assert emotions(path.read_bytes()) == []
    assert [p.name for p in tmp_path.iterdir()] == ["e"]


@pytest.mark.parametrize("lost", [1, 5, 13, 30, 300, 100_000])
def test_what_a_loss_of_power_cut_short_is_mended(tmp_path: Path, lost: int) -> None:
    path = tmp_path / "e"
    for _ in range(2):
        output = EmotionMlFile(Section(path=str(path)))
        output.open()
        output.push(session(*LABELS), "")
        for number in range(3):
            output.push(utterance(end=number + 1.0), "")
        output.close()
        whole = path.read_bytes()
        assert len(emotions(whole)) >= 3
        path.write_bytes(whole[: max(0, len(whole) - lost)])


def test_a_full_disk_loses_and_leaves_the_document_whole(tmp_path: Path) -> None:
    path = tmp_path / "e"
    with Serving(tmp_path, f"[emotionml]\npath = '{path}'\n") as serving:
        serving.hear(SECOND + speech() + SECOND)
        until(lambda: path.stat().st_size and emotions(path.read_bytes()))
        serving.hear(SECOND)
        size = path.stat().st_size
        unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
        # The kernel takes 40 bytes more, then no more: so does a disk that runs full.
        resource.prlimit(serving.process.pid, resource.RLIMIT_FSIZE, (size + 40, unlimited[1]))
        serving.hear(speech() + SECOND)
        serving.log.until("events are lost")
        whole = len(emotions(path.read_bytes()))
        resource.prlimit(serving.process.pid, resource.RLIMIT_FSIZE, unlimited)
        serving.hear(speech() + SECOND)
        serving.log.until("events are written again")
        until(lambda: len(emotions(path.read_bytes())) > whole)
        serving.end()


def test_a_document_that_was_cut_short_in_its_beginning_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "e"
    whole = beginning(LABELS).encode()
    for length in range(1, len(whole)):
        path.write_bytes(whole[:length] + bytes(length % 3))
        output = EmotionMlFile(Section(path=str(path)))
        output.open()
        output.close()
        assert path.read_bytes() == b""


XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
FOREIGN = [
    "my diary",
    f'{XML}<svg xmlns="http://www.w3.org/2000/svg"/>',
    f'{XML}<emotionml version="1.0" xmlns="{NAMESPACE}"/>',
    f'{XML}<emotionml version="1.0" xmlns="{NAMESPACE}">\n</emotionml>\n',
]


@pytest.mark.parametrize("content", FOREIGN)
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "e"
    path.write_text(content)
    with pytest.raises(OutputError, match="no EmotionML"):
        EmotionMlFile(Section(path=str(path))).open()
    assert path.read_text() == content
