"""No speaker on two sides, every clip once, the same split on every machine."""

from __future__ import annotations

import csv
import itertools
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from train.corpora import CORPORA, Clip, CorpusError, default_root
from train.encoders import EMOBOX_FOLDS
from train.folds import EMOBOX_DEV, POOLED, STRICT
from train.splits import (
    Split,
    emobox,
    leave_out,
    pooled,
    pooled_emobox,
    pooled_sentence_out,
    refit,
    sentence_out,
    strict,
)

ROOT = default_root()


def invented() -> list[Clip]:
    """All of RAVDESS, SAVEE, EMOVO and CREMA-D by their known names, of the others some clips."""
    names = {corpus: sorted(reader.names()) for corpus, reader in CORPORA.items() if reader.names}
    emodb = ("03", "08", "09", "10", "11", "12", "13", "14", "15", "16")
    nemo = ("EB0", "IC0", "KD0", "KS0", "MK0", "MP0", "SM0", "TP0", "WR0")
    shemo = [f"F{n:02}" for n in range(1, 32)] + [f"M{n:02}" for n in range(1, 57)]
    names["tess"] = [f"{who}_{word}_sad" for who in ("OAF", "YAF") for word in ("back", "bar")]
    names["emodb"] = [f"{who}a01{emotion}a" for who in emodb for emotion in "FNL"]
    names["nemo"] = [f"{who}_anger_{number}" for who in nemo for number in (1, 2)]
    names["shemo"] = [f"{who}{emotion}01" for who in shemo for emotion in "AN"]
    names["ased"] = [f"a5-01-01-01-{who:02}" for who in range(1, 66)]
    names["esc10"] = [f"{fold}-{fold}00{take}-A" for fold in range(1, 6) for take in (1, 2)]
    names["ordinary_speech"] = ["trial_truth_002", "trial_truth_003", "testset-audio-03"]
    folder = {"esc10": "001 - Dog bark"}
    clips = []
    for corpus, name in ((corpus, name) for corpus, of in names.items() for name in of):
        clip = CORPORA[corpus].parse(Path(folder.get(corpus, ""), f"{name}.wav"))
        assert clip is not None
        clips.append(clip)
    return clips


CLIPS = invented()
POOLED_FOLDS = max(map(len, POOLED.values()))
SPEAKER_DISJOINT = [
    *(pooled(CLIPS, fold) for fold in range(1, POOLED_FOLDS + 1)),
    *(split for corpus in STRICT for split in strict(CLIPS, corpus)),
    *(leave_out(CLIPS, corpus) for corpus in ("ravdess", "savee", "emodb", "emovo")),
    *(refit(pooled(CLIPS, fold)) for fold in range(1, POOLED_FOLDS + 1)),
    *(refit(leave_out(CLIPS, corpus)) for corpus in ("ravdess", "savee", "emodb", "emovo")),
]
SHARED = [*sentence_out(CLIPS), *(pooled_sentence_out(CLIPS, fold) for fold in (1, 2))]


@pytest.mark.parametrize("split", SPEAKER_DISJOINT, ids=lambda split: split.name)
def test_no_speaker_stands_on_two_sides(split: Split) -> None:
    speakers = [{clip.speaker_key for clip in side} for side in split.sides.values()]
    for one, other in itertools.combinations(speakers, 2):
        assert not one & other
    assert split.train and split.test


@pytest.mark.parametrize("split", [*SPEAKER_DISJOINT, *SHARED], ids=lambda split: split.name)
def test_no_clip_stands_on_two_sides(split: Split) -> None:
    keys = Counter(clip.key for side in split.sides.values() for clip in side)
    assert max(keys.values()) == 1


@pytest.mark.parametrize("fold", range(1, POOLED_FOLDS + 1))
def test_a_pooled_fold_uses_every_clip_once(fold: int) -> None:
    sides = pooled(CLIPS, fold).sides.values()
    assert Counter(c.key for side in sides for c in side) == Counter(c.key for c in CLIPS)


@pytest.mark.parametrize("corpus", POOLED)
def test_the_first_pooled_folds_test_each_clip_of_a_corpus_once(corpus: str) -> None:
    own = Counter(clip.key for clip in CLIPS if clip.corpus == corpus)
    folds = range(1, len(POOLED[corpus]) + 1)
    tested = (clip for fold in folds for clip in pooled(CLIPS, fold).test)
    assert Counter(clip.key for clip in tested if clip.corpus == corpus) == own


@pytest.mark.parametrize("corpus", STRICT)
def test_strict_folds_test_each_clip_once_and_use_all(corpus: str) -> None:
    own = Counter(clip.key for clip in CLIPS if clip.corpus == corpus)
    folds = strict(CLIPS, corpus)
    assert Counter(clip.key for split in folds for clip in split.test) == own
    for split in folds:
        assert Counter(c.key for side in split.sides.values() for c in side) == own
        assert bool(split.dev) == (corpus != "tess")


@pytest.mark.parametrize("groups", [*POOLED.values(), *STRICT.values()])
def test_groups_share_nobody(groups: tuple[frozenset[str], ...]) -> None:
    assert sum(map(len, groups)) == len(frozenset().union(*groups))


def test_the_pooled_test_side_is_the_one_of_the_published_figures() -> None:
    held_out: dict[str, set[str]] = {}
    for clip in pooled(CLIPS).test:
        held_out.setdefault(clip.corpus, set()).add(clip.speaker)
    actors = {"Actor_01", "Actor_11", "Actor_20", "Actor_21"}
    assert held_out["crema_d"] == {str(actor) for actor in range(1073, 1092)}
    assert held_out["ravdess"] == held_out["ravdess_song"] == actors
    assert held_out["savee"] == {"JE"}
    assert held_out["emodb"] == {"08", "10"}
    assert held_out["emovo"] == {"f2"}
    assert held_out["tess"] == {"YAF"}
    assert len(held_out["nemo"]) == 2
    assert len(held_out["ased"]) == 10
    assert {c.repetition for c in pooled(CLIPS).test if c.corpus == "esc10"} == {"fold5"}
    assert {c.repetition for c in pooled(CLIPS).dev if c.corpus == "esc10"} == {"fold4"}


def test_the_pooled_dev_side_is_taken_from_the_other_speakers() -> None:
    chosen: dict[str, set[str]] = {}
    for clip in pooled(CLIPS).dev:
        chosen.setdefault(clip.corpus, set()).add(clip.speaker)
    assert chosen["crema_d"] == {str(actor) for actor in range(1001, 1019)}
    assert chosen["ravdess"] == {"Actor_04", "Actor_10", "Actor_12", "Actor_14"}
    assert chosen["emodb"] == {"03", "09"}
    assert chosen["emovo"] == {"m3"}
    assert len(chosen["nemo"]) == 1
    assert len(chosen["ased"]) == 8
    assert not {"tess", "savee"} & set(chosen)


@pytest.mark.parametrize("fold", range(1, POOLED_FOLDS + 1))
def test_song_follows_its_actor(fold: int) -> None:
    split = pooled(CLIPS, fold)
    side_of = {
        clip.speaker: side
        for side, clips in split.sides.items()
        for clip in clips
        if clip.corpus == "ravdess"
    }
    for side, clips in split.sides.items():
        assert all(side_of[c.speaker] == side for c in clips if c.corpus == "ravdess_song")


def test_a_refit_moves_most_dev_speakers_to_training_and_none_of_test() -> None:
    chosen, again = pooled(CLIPS), refit(pooled(CLIPS))
    assert again.test == chosen.test
    assert {*again.train, *again.dev} == {*chosen.train, *chosen.dev}
    voices = {(c.corpus, c.speaker) for c in again.dev if c.corpus != "esc10"}
    assert {who for corpus, who in voices if corpus == "crema_d"} == {
        str(actor) for actor in range(1001, 1007)
    }
    assert {who for corpus, who in voices if corpus == "ravdess"} == {"Actor_04"}
    assert not {"emodb", "emovo", "nemo"} & {corpus for corpus, _ in voices}
    sounds = [c for c in chosen.dev if c.emotion == "unknown"]
    assert sounds == [c for c in again.dev if c.emotion == "unknown"]


def test_dev_of_a_strict_fold_is_the_next_test_side() -> None:
    folds = strict(CLIPS, "crema_d")
    for split, following in zip(folds, [*folds[1:], folds[0]], strict=True):
        assert split.dev == following.test


def test_leaving_out_ravdess_leaves_out_its_song() -> None:
    split = leave_out(CLIPS, "ravdess")
    assert {clip.corpus for clip in split.test} == {"ravdess"}
    assert not {"ravdess", "ravdess_song"} & {c.corpus for c in (*split.train, *split.dev)}


def test_sentence_out_never_trains_on_the_tested_sentence() -> None:
    first, second = sentence_out(CLIPS)
    for split, tested in ((first, "02"), (second, "01")):
        assert {clip.statement for clip in split.test} == {tested}
        assert tested not in {clip.statement for clip in (*split.train, *split.dev)}


def test_sentence_out_beside_the_other_corpora_hears_neither_the_sentence_nor_the_song() -> None:
    for fold, tested in ((1, "02"), (2, "01")):
        split = pooled_sentence_out(CLIPS, fold)
        assert {(clip.corpus, clip.statement) for clip in split.test} == {("ravdess", tested)}
        heard = {c.statement for c in (*split.train, *split.dev) if c.corpus.startswith("ravdess")}
        assert len(heard) == 1
        assert tested not in heard
        assert {"crema_d", "savee"} <= {clip.corpus for clip in split.train}
        assert not {"ravdess_song"} & {c.corpus for c in (*split.train, *split.dev)}


def test_the_hash_does_not_depend_on_order_or_place() -> None:
    shuffled = [replace(clip, path=Path("/elsewhere") / clip.path) for clip in CLIPS]
    random.Random(0).shuffle(shuffled)
    assert pooled(shuffled).hash == pooled(CLIPS).hash
    assert [c.key for c in pooled(shuffled).train] == [c.key for c in pooled(CLIPS).train]


def test_the_hash_tells_sides_and_clips_apart() -> None:
    split = pooled(CLIPS)
    turned = Split(name="x", train=split.train, dev=split.test, test=split.dev)
    shorter = Split(name="x", train=split.train[1:], dev=split.dev, test=split.test)
    assert len({split.hash, turned.hash, shorter.hash, pooled(CLIPS, 2).hash}) == 4


def test_a_speaker_on_two_sides_is_refused() -> None:
    one, other = [clip for clip in CLIPS if clip.speaker_key == "savee:JE"][:2]
    with pytest.raises(ValueError, match="speaker savee:JE is in train and test"):
        Split(name="x", train=(one,), dev=(), test=(other,))
    Split(name="x", train=(one,), dev=(), test=(other,), speaker_independent=False)
    with pytest.raises(ValueError, match="speaker savee:JE is in train and dev"):
        Split(name="x", train=(one,), dev=(other,), test=(), speaker_independent=False)
    with pytest.raises(ValueError, match="clip"):
        Split(name="x", train=(one,), dev=(), test=(one,), speaker_independent=False)


def test_song_of_a_test_actor_is_refused_in_training() -> None:
    actor = [clip for clip in CLIPS if clip.speaker_key == "ravdess:Actor_01"]
    speech = tuple(clip for clip in actor if clip.corpus == "ravdess")
    song = tuple(clip for clip in actor if clip.corpus == "ravdess_song")
    with pytest.raises(ValueError, match="Actor_01"):
        Split(name="x", train=song, dev=(), test=speech)


def test_emobox_folds_by_speaker_need_no_table(tmp_path: Path) -> None:
    for corpus in ("ravdess", "savee", "emovo"):
        folds = emobox(CLIPS, corpus, tmp_path)
        assert [split.test for split in folds] == [split.test for split in strict(CLIPS, corpus)]
        assert folds[0].name == f"{corpus}/emobox/1"
        assert len(folds) == EMOBOX_FOLDS[corpus]


def test_emobox_folds_drawn_at_random_are_read_from_the_table(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"emodb\.csv"):
        emobox(CLIPS, "emodb", tmp_path)
    own = [clip for clip in CLIPS if clip.corpus == "emodb"]
    rows = [f"wav/{clip.name}.wav,cv,{number % 5 + 1}" for number, clip in enumerate(own)]
    (tmp_path / "emodb.csv").write_text("\n".join(["path,emobox_split,emobox_fold", *rows]))
    folds = emobox(CLIPS, "emodb", tmp_path)
    assert Counter(c.key for split in folds for c in split.test) == Counter(c.key for c in own)
    for split, dev in zip(folds, EMOBOX_DEV["emodb"], strict=True):
        assert not split.speaker_independent
        assert {clip.speaker for clip in split.dev} == dev


@pytest.mark.parametrize(
    "corpus", ["crema_d", "ravdess", "tess", "savee", "emodb", "emovo", "ased"]
)
def test_emobox_test_sides_are_those_of_the_manifest(corpus: str) -> None:
    manifest, folder = ROOT / f"{corpus}.csv", ROOT / corpus
    if not (manifest.is_file() and folder.is_dir()):
        pytest.skip(f"{manifest} is absent: set STREAMSER_CORPORA to the folder of the corpora")
    clips = CORPORA[corpus].read(ROOT)
    kept = {clip.path.relative_to(folder).as_posix() for clip in clips}
    drawn: dict[int, set[str]] = {}
    with manifest.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["emobox_split"] in ("cv", "test") and row["path"] in kept:
                drawn.setdefault(int(row["emobox_fold"]), set()).add(row["path"])
    folds = emobox(clips, corpus, ROOT)
    tested = {
        number: {clip.path.relative_to(folder).as_posix() for clip in split.test}
        for number, split in enumerate(folds, start=1)
    }
    assert tested == drawn


def test_emobox_of_shemo_reads_its_list() -> None:
    listed = ROOT / "shemo_expected.csv"
    if not listed.is_file():
        pytest.skip(f"{listed} is absent: set STREAMSER_CORPORA to the folder of the corpora")
    with listed.open(newline="") as file:
        rows = list(csv.DictReader(file))
    clips = [CORPORA["shemo"].parse(Path(row["original_path"])) for row in rows]
    (split,) = emobox([clip for clip in clips if clip], "shemo", ROOT)
    assert len(split.test) == sum(row["emobox_split"] == "test" for row in rows) == 707
    assert len(split.train) + len(split.dev) == 2131


def test_all_clips_of_the_corpora_find_their_side() -> None:
    if not (ROOT / "crema_d").is_dir():
        pytest.skip(f"{ROOT} is absent: set STREAMSER_CORPORA to the folder of the corpora")
    from train.corpora import read

    clips = read(ROOT)
    split = pooled(clips)
    assert sum(map(len, split.sides.values())) == len(clips)
    grouped = {corpus: frozenset().union(*groups) for corpus, groups in POOLED.items()}
    for clip in clips:
        who = clip.repetition if clip.corpus == "esc10" else clip.speaker
        assert who in grouped[clip.corpus], clip.key


def test_all_emobox_folds_at_once_are_those_of_each_corpus() -> None:
    if not (ROOT / "crema_d.csv").is_file():
        pytest.skip(f"no tables of EmoBox in {ROOT}: set STREAMSER_CORPORA to their folder")
    clips = [clip for clip in CLIPS if clip.corpus not in ("tess", "emodb", "shemo", "ased")]
    for fold in (1, 4, 6):
        together = pooled_emobox(clips, fold, ROOT)
        for corpus, folds in (("crema_d", 1), ("ravdess", 6), ("savee", 4)):
            alone = emobox(clips, corpus, ROOT)[(fold - 1) % folds]
            for side, chosen in together.sides.items():
                assert tuple(c for c in chosen if c.corpus == corpus) == alone.sides[side]
        for corpus in ("nemo", "ravdess_song"):
            testing = {c.speaker_key for c in together.test if c.corpus == corpus}
            assert testing and not testing & {c.speaker_key for c in together.train}
