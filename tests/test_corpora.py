"""The corpus readers, against the publishers' names and, where they are, the corpora themselves."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("pyroomacoustics")

from train.cli import main
from train.corpora import CORPORA, EMOTIONS, Clip, CorpusError, default_root, read, voice_votes
from train.corpora.crema_d import checksums
from train.corpora.survey import LFS_POINTER, damages

ROOT = default_root()
RATE = 16000

# What the readers leave out of what the publisher has.
DROPPED = {
    "crema_d": {
        *("1076_MTI_SAD_XX", "1006_TIE_HAP_XX", "1006_TIE_NEU_XX", "1013_WSI_DIS_XX"),
        *("1013_WSI_SAD_XX", "1017_IWW_ANG_XX", "1017_IWW_FEA_XX"),
    },
    "ravdess": {"03-01-03-01-02-02-07"},
    "ased": {"n1-07-02-02-53", "h3-01-02-02-08"},
}


def tree(root: Path, *paths: str) -> Path:
    """Empty files of these names: readers go by names alone."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def one(root: Path, corpus: str) -> Clip:
    clips = CORPORA[corpus].read(root)
    assert len(clips) == 1
    return clips[0]


def needed(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"{path} is absent: set STREAMSER_CORPORA to the folder of the corpora")
    return path


# corpus, path as published, then name, speaker, gender, language, emotion, emotion_raw, intensity,
# statement, repetition
PUBLISHED = [
    (
        "crema_d",
        "CREMA-D/AudioWAV/1001_IEO_ANG_HI.wav",
        ("1001_IEO_ANG_HI", "1001", "male", "en", "angry", "ANG", "high", "IEO", None),
    ),
    (
        "crema_d",
        "crema_d/AudioMP3/1091_TSI_NEU_XX.mp3",
        ("1091_TSI_NEU_XX", "1091", "female", "en", "neutral", "NEU", "unspecified", "TSI", None),
    ),
    (
        "ravdess",
        "ravdess/Audio_Speech_Actors_01-24/Actor_02/03-01-02-02-01-02-02.wav",
        (
            *("03-01-02-02-01-02-02", "Actor_02", "female", "en", "neutral"),
            *("02", "strong", "01", "02"),
        ),
    ),
    (
        "ravdess_song",
        "Audio_Song_Actors_01-24/Actor_07/03-02-06-01-02-01-07.wav",
        (
            *("03-02-06-01-02-01-07", "Actor_07", "male", "en", "fearful"),
            *("06", "normal", "02", "01"),
        ),
    ),
    (
        "tess",
        "TESS Toronto emotional speech set data/OAF_Pleasant_surprise/OAF_chat_ps.wav",
        ("OAF_chat_ps", "OAF", "female", "en", "surprised", "ps", None, "chat", None),
    ),
    (
        "tess",
        "tess/OAF_neutral/OA_bite_neutral.wav",
        ("OA_bite_neutral", "OAF", "female", "en", "neutral", "neutral", None, "bite", None),
    ),
    (
        "savee",
        "savee/AudioData/DC/su03.wav",
        ("DC_su03", "DC", "male", "en", "surprised", "su", None, "su03", None),
    ),
    (
        "savee",
        "SAVEE/ALL/KL_n30.wav",
        ("KL_n30", "KL", "male", "en", "neutral", "n", None, "n30", None),
    ),
    (
        "emodb",
        "EMO-DB/wav/08a05Lb.wav",
        ("08a05Lb", "08", "female", "de", "boredom", "L", None, "a05", "b"),
    ),
    (
        "emovo",
        "EMOVO/EMOVO/f1/gio-f1-b1.wav",
        ("gio-f1-b1", "f1", "female", "it", "happy", "gio", None, "b1", None),
    ),
    (
        "shemo",
        "ShEMO/female/F21W05.wav",
        ("F21W05", "F21", "female", "fa", "surprised", "W", None, "05", None),
    ),
    (
        "nemo",
        "nEMO/samples/MP0_sadness_84.wav",
        ("MP0_sadness_84", "MP0", "male", "pl", "sad", "sadness", None, "84", None),
    ),
    (
        "ased",
        "ASED_V1/04Sad/S4-04-02-01-29.wav",
        ("S4-04-02-01-29", "29", "female", "am", "sad", "S", None, "04", "02"),
    ),
    (
        "esc10",
        "ESC-10-master/001 - Dog bark/1-30226-A.ogg",
        ("1-30226-A", "30226", None, None, "unknown", None, None, "001 - Dog bark", "fold1"),
    ),
    (
        "emospeech_background",
        "emospeech-dataset-v1/Roads/background-glass break-None-20190709094653-d14a028c2a3a.wav",
        (
            *("background-glass break-None-20190709094653-d14a028c2a3a", "20190709", None, None),
            *("unknown", "None", None, "glass break", "glass break"),
        ),
    ),
    (
        "ordinary_speech",
        "ordinary_speech/data/test/audio/debate_sample.wav",
        ("debate_sample", "debate_sample", None, "en", None, None, None, "nkululeko", None),
    ),
]


@pytest.mark.parametrize(
    ("corpus", "path", "described"), PUBLISHED, ids=lambda item: str(item)[:40]
)
def test_reads_what_the_publisher_calls_it(
    tmp_path: Path, corpus: str, path: str, described: tuple[str | None, ...]
) -> None:
    clip = one(tree(tmp_path, path), corpus)
    assert clip.path == tmp_path / path
    assert clip.corpus == corpus
    assert described == (
        *(clip.name, clip.speaker, clip.gender, clip.language, clip.emotion, clip.emotion_raw),
        *(clip.intensity, clip.statement, clip.repetition),
    )


@pytest.mark.parametrize("suffix", [".wav", ".WAV", ".flac", ".opus", ".mp3", ".ogg"])
def test_any_format_and_any_nesting_gives_the_same_clip(tmp_path: Path, suffix: str) -> None:
    clip = one(tree(tmp_path, f"emodb/download/deep/wav/03a01Fa{suffix}"), "emodb")
    assert (clip.name, clip.emotion) == ("03a01Fa", "happy")


def test_a_clip_that_lies_there_twice_counts_once(tmp_path: Path) -> None:
    name = "OAF_angry/OAF_back_angry.wav"
    tree(tmp_path, f"tess/{name}", f"tess/copy/{name}", f"tess/{name[:-4]}.flac")
    one(tmp_path, "tess")


def test_files_that_are_no_clips_are_passed_over(tmp_path: Path) -> None:
    paths = ["savee/DC/a01.wav", "savee/DC/._a02.wav", "savee/Info.txt", "savee/JK/x.wav"]
    assert one(tree(tmp_path, *paths), "savee").name == "DC_a01"


def test_speech_and_song_of_ravdess_may_share_a_folder_and_share_their_actors(
    tmp_path: Path,
) -> None:
    speech, song = "03-01-05-01-01-01-07.wav", "03-02-05-01-01-01-07.wav"
    clips = read(tree(tmp_path, f"ravdess/Actor_07/{speech}", f"ravdess/Actor_07/{song}"))
    assert [clip.corpus for clip in clips] == ["ravdess", "ravdess_song"]
    assert {clip.speaker_key for clip in clips} == {"ravdess:Actor_07"}


def test_speech_of_ravdess_alone_is_no_song(tmp_path: Path) -> None:
    (clip,) = read(tree(tmp_path, "ravdess/Actor_07/03-01-05-01-01-01-07.wav"))
    assert clip.corpus == "ravdess"


@pytest.mark.parametrize("corpus", DROPPED)
def test_silent_contradictory_and_repeated_clips_are_dropped(corpus: str) -> None:
    assert all(CORPORA[corpus].parse(Path(f"{name}.wav")) is None for name in DROPPED[corpus])


@pytest.mark.parametrize("corpus", CORPORA)
def test_an_absent_corpus_is_one_line_that_says_where_to_get_it(
    tmp_path: Path, corpus: str
) -> None:
    with pytest.raises(CorpusError) as error:
        read(tmp_path, [corpus])
    message = str(error.value)
    assert corpus in message and str(tmp_path) in message and "\n" not in message
    assert CORPORA[corpus].download in message


def test_no_corpus_at_all_and_an_unknown_name_are_errors(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="STREAMSER_CORPORA"):
        read(tmp_path)
    with pytest.raises(CorpusError, match="no corpus named xyz"):
        read(tmp_path, ["xyz"])


@pytest.mark.parametrize("corpus", [name for name, reader in CORPORA.items() if reader.names])
def test_known_names_parse_and_are_as_many_as_stated(tmp_path: Path, corpus: str) -> None:
    reader = CORPORA[corpus]
    assert reader.names is not None
    names = list(reader.names())
    clips = [reader.parse(Path(f"{name}.wav")) for name in names]
    assert [clip.name for clip in clips if clip] == names
    assert len(set(names)) == len(names) == reader.clips


def test_missing_names_are_told(tmp_path: Path) -> None:
    reader = CORPORA["savee"]
    assert reader.names is not None
    names = sorted(reader.names())
    tree(tmp_path, *(f"savee/ALL/{name}.wav" for name in names[3:]))
    assert reader.missing(reader.read(tmp_path)) == names[:3]


def parsed_manifest(corpus: str) -> list[tuple[dict[str, str], Clip | None]]:
    manifest = needed(ROOT / f"{corpus}.csv")
    with manifest.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [(row, CORPORA[corpus].parse(Path(row["path"]))) for row in rows]


@pytest.mark.parametrize("corpus", [name for name in CORPORA if name != "shemo"])
def test_reader_agrees_with_the_manifest_row_by_row(corpus: str) -> None:
    dropped = set()
    for row, clip in parsed_manifest(corpus):
        if clip is None:
            dropped.add(Path(row["path"]).stem)
            continue
        expected = {key: row[key] or None for key in ("gender", "emotion_raw", "intensity")}
        expected |= {key: row[key] or None for key in ("statement", "repetition")}
        assert {key: getattr(clip, key) for key in expected} == expected, row["path"]
        if corpus not in ("emospeech_background", "ordinary_speech"):  # the manifest knows nobody
            assert clip.speaker == row["speaker"], row["path"]
        if row["language"] != "en/zh?":
            assert clip.language == (row["language"] or None), row["path"]
        if row["vocal_channel"] == "noise":
            assert clip.emotion == "unknown"
        else:
            calm_folded = {"calm": "neutral", "": None}
            assert clip.emotion == calm_folded.get(row["emotion"], row["emotion"]), row["path"]
    assert dropped == DROPPED.get(corpus, set())


@pytest.mark.parametrize("corpus", [name for name in CORPORA if name != "shemo"])
def test_every_recording_of_the_folder_is_found(corpus: str) -> None:
    manifest = parsed_manifest(corpus)
    needed(ROOT / corpus)
    clips = CORPORA[corpus].read(ROOT)
    found = {clip.path.relative_to(ROOT / corpus).as_posix() for clip in clips}
    assert found == {row["path"] for row, clip in manifest if clip is not None}
    assert {clip.emotion for clip in clips} <= {*EMOTIONS, "boredom", "unknown", None}
    if corpus not in ("nemo", "ased"):  # parts only
        assert len(clips) == CORPORA[corpus].clips


def test_shemo_is_read_by_its_true_names(tmp_path: Path) -> None:
    with needed(ROOT / "shemo_expected.csv").open(newline="") as file:
        rows = {Path(row["original_path"]).stem: row for row in csv.DictReader(file)}
    tree(tmp_path, *(f"shemo/{row['original_path']}" for row in rows.values()))
    clips = CORPORA["shemo"].read(tmp_path)
    assert {clip.name for clip in clips} == rows.keys()
    for clip in clips:
        row = rows[clip.name]
        assert clip.emotion == row["emobox_emotion"]
        assert clip.gender == Path(row["original_path"]).parent.name
        assert re.fullmatch(r"[FM]\d\d", clip.speaker)
        assert clip.name.startswith(clip.speaker)


def test_keys_are_unique_over_all_corpora() -> None:
    needed(ROOT / "crema_d")
    clips = read(ROOT)
    assert max(Counter(clip.key for clip in clips).values()) == 1
    corpora_of: dict[str, set[str]] = {}
    for clip in clips:
        corpora_of.setdefault(clip.speaker_key, set()).add(clip.corpus)
    shared = [corpora for corpora in corpora_of.values() if len(corpora) > 1]
    assert all(corpora == {"ravdess", "ravdess_song"} for corpora in shared)


def test_votes_of_the_listed_table_are_shares(tmp_path: Path) -> None:
    (tmp_path / "crema_d_voice_votes.csv").write_text(
        "name,angry,disgust,fearful,happy,neutral,sad,responses\n1001_DFA_ANG_XX,6,2,0,0,1,0,9\n"
    )
    shares = voice_votes(tmp_path)["1001_DFA_ANG_XX"]
    assert shares["angry"] == pytest.approx(6 / 9)
    assert sum(shares.values()) == pytest.approx(1)


def test_votes_come_from_the_publishers_table_otherwise(tmp_path: Path) -> None:
    tree(tmp_path, "CREMA-D/AudioWAV/1001_DFA_ANG_XX.wav")
    table = tmp_path / "CREMA-D/processedResults/tabulatedVotes.csv"
    table.parent.mkdir()
    table.write_text(
        '"","A","D","F","H","N","S","fileName","numResponses"\n'
        '"100062",6,2,0,0,1,0,"1001_DFA_ANG_XX",9\n'
        '"200062",0,0,0,0,9,0,"1001_DFA_ANG_XX",9\n'
        '"300062",0,0,9,0,0,0,"1001_DFA_ANG_XX",9\n'
    )
    votes = voice_votes(tmp_path)
    assert votes == {
        "1001_DFA_ANG_XX": {
            "angry": 6 / 9,
            "disgust": 2 / 9,
            "neutral": 1 / 9,
            **dict.fromkeys(("fearful", "happy", "sad"), 0),
        }
    }


def test_votes_that_are_not_there_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"tabulatedVotes\.csv"):
        voice_votes(tmp_path)


def test_every_clip_of_crema_d_has_votes() -> None:
    needed(ROOT / "crema_d_voice_votes.csv")
    votes = voice_votes(ROOT)
    reader = CORPORA["crema_d"]
    assert reader.names is not None
    assert set(reader.names()) <= votes.keys()


def test_checksums_are_those_of_the_publisher() -> None:
    with needed(ROOT / "crema_d_expected.csv").open(newline="") as file:
        rows = {Path(row["original_path"]).stem: row["lfs_sha256"] for row in csv.DictReader(file)}
    assert checksums() == rows


def wav(samples: np.ndarray, **options: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="WAV", **options)
    return file.getvalue()


def flac(samples: np.ndarray) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="FLAC")
    return file.getvalue()


TONE = np.sin(np.arange(RATE) * 0.1).astype(np.float32) * 0.5
NOISE = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (wav(TONE), None),
        (b"", "is empty"),
        (LFS_POINTER + b"/v1\noid sha256:00\nsize 65176\n", "Git LFS pointer"),
        (b"this is no audio", "cannot be decoded"),
        (wav(TONE[:0]), "no samples"),
        (wav(TONE * 0), "is silent"),
        (wav(TONE * np.nan, subtype="FLOAT"), "no numbers"),
        (flac(NOISE)[:9000], r"cannot be decoded|breaks off"),
    ],
    ids=["good", "empty", "lfs", "text", "no-samples", "silent", "nan", "cut"],
)
def test_damage_is_found_and_told(tmp_path: Path, content: bytes, reason: str | None) -> None:
    tree(tmp_path, "emodb/wav/03a01Fa.wav")
    (tmp_path / "emodb/wav/03a01Fa.wav").write_bytes(content)
    ticks: list[None] = []
    found = damages(CORPORA["emodb"].read(tmp_path), tick=lambda: ticks.append(None))
    assert len(ticks) == 1
    assert len(found) == (reason is not None)
    if reason is not None:
        assert re.search(reason, found[0].reason)


def test_an_altered_wav_of_crema_d_is_found(tmp_path: Path) -> None:
    tree(tmp_path, "crema_d/AudioWAV/1001_DFA_ANG_XX.wav")
    (tmp_path / "crema_d/AudioWAV/1001_DFA_ANG_XX.wav").write_bytes(wav(TONE))
    (found,) = damages(CORPORA["crema_d"].read(tmp_path))
    assert "SHA-256" in found.reason


def test_the_command_counts_checks_and_writes_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tree(tmp_path / "corpora", "emodb/wav/08a01Fa.wav", "emodb/wav/03a01Wa.wav")
    (root / "emodb/wav/08a01Fa.wav").write_bytes(wav(TONE))
    options = ["corpora", "--root", str(root), "--json"]
    assert main(options) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["clips"] == 2
    assert found["emotions"] == {"angry": 1, "happy": 1}
    assert found["speakers"] == {"03": 1, "08": 1}
    assert found["damaged"] is None
    assert main([*options, "--check", "--csv", str(tmp_path / "tables")]) == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert [bad["reason"] for bad in found["damaged"]] == ["is empty"]
    assert (tmp_path / "tables/emodb.csv").read_text().splitlines() == [
        "path,label,speaker,split",
        "emodb/wav/03a01Wa.wav,angry,03,dev",
        "emodb/wav/08a01Fa.wav,happy,08,test",
    ]


def test_the_command_prints_a_table_and_what_is_absent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tree(tmp_path, "savee/ALL/DC_a01.wav")
    assert main(["corpora", "--root", str(root)]) == 0
    out = capsys.readouterr().out
    assert re.search(r"savee +1 +480", out)
    assert "savee: missing DC_a02, DC_a03, DC_a04, DC_a05, DC_a06 and 474 more" in out
    assert f"absent: tess, from {CORPORA['tess'].download}" in out


@pytest.mark.parametrize(
    "arguments", [["corpora", "--corpus", "xyz"], ["corpora", "--root", "/nonexistent"]]
)
def test_a_command_that_fails_says_so_in_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert not captured.out
    assert captured.err.count("\n") == 1


def test_wrong_usage_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["corpora", "--nonsense"])
    assert "usage" in capsys.readouterr().err
