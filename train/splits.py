"""Which clips train, choose and judge a network: speaker-disjoint unless a split says otherwise."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from train.corpora import CORPORA, Clip, CorpusError, default_root
from train.corpora.clip import UNKNOWN
from train.folds import EMOBOX_DEV, POOLED, POOLED_DEV, STRICT, STRICT_DEV, Group

EMOBOX = ("ravdess", "savee", "emovo", *EMOBOX_DEV)
"""Corpora whose EmoBox folds are known."""

DEALT = 5
"""Groups into which the speakers of a corpus that train.folds does not list are dealt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Three sides of one experiment, each sorted by key; no clip stands on two of them.

    Raises:
        ValueError: a clip, or in a speaker-independent split a speaker, is on two sides.
    """

    name: str
    train: tuple[Clip, ...]
    dev: tuple[Clip, ...]
    test: tuple[Clip, ...]
    speaker_independent: bool = True
    """False: test speakers may train and choose as well."""

    hash: str = field(init=False)
    """SHA-256 over the clip keys of each side, whatever the order they were found in."""

    def __post_init__(self) -> None:
        digest = hashlib.sha256()
        for side, clips in self.sides.items():
            ordered = tuple(sorted(clips, key=lambda clip: clip.key))
            object.__setattr__(self, side, ordered)
            digest.update("\n".join([side, *(clip.key for clip in ordered), ""]).encode())
        object.__setattr__(self, "hash", digest.hexdigest())
        self._refuse_shared("clip", lambda clip: clip.key, self.sides)
        independent = self.sides if self.speaker_independent else ("train", "dev")
        self._refuse_shared("speaker", lambda clip: clip.speaker_key, independent)

    @property
    def sides(self) -> dict[str, tuple[Clip, ...]]:
        return {"train": self.train, "dev": self.dev, "test": self.test}

    def _refuse_shared(self, what: str, key: Callable[[Clip], str], sides: Iterable[str]) -> None:
        side_of: dict[str, str] = {}
        for side in sides:
            for clip in self.sides[side]:
                first = side_of.setdefault(key(clip), side)
                if first != side:
                    raise ValueError(f"{self.name}: {what} {key(clip)} is in {first} and {side}")


def pooled(clips: Iterable[Clip], fold: int = 1) -> Split:
    """All corpora at once, speaker-disjoint; fold 1 is the split of the pooled figures.

    In fold k (from 1) every corpus holds out its own k-th group of speakers, beginning again after
    its last one: the first folds of a corpus, as many as it has groups, test each clip once.
    """
    clips = list(clips)
    groups = pooled_groups(clips)

    def held_out(corpus: str) -> tuple[Group, Group]:
        return _turn(groups[corpus], fold, POOLED_DEV.get(corpus, 1))

    return _split(f"pooled/{fold}", clips, held_out)


def pooled_groups(clips: Sequence[Clip]) -> dict[str, tuple[Group, ...]]:
    """The groups of speakers of each corpus that `pooled` holds out in turn."""
    corpora = {clip.corpus for clip in clips}
    return {corpus: POOLED.get(corpus) or groups_of(corpus, clips) for corpus in corpora}


def refit(split: Split) -> Split:
    """The same test side, once nothing is left to choose: most dev speakers train as well.

    A third of each corpus' dev speakers stays, to fit temperature and thresholds on; sounds stay.
    """
    whose: dict[str, set[str]] = {}
    for clip in split.dev:
        whose.setdefault(_family(clip.corpus), set()).add(clip.speaker_key)
    kept = {who for known in whose.values() for who in sorted(known)[: len(known) // 3]}
    stays = [c.emotion == UNKNOWN or c.speaker_key in kept for c in split.dev]
    return Split(
        name=f"{split.name}/refit",
        train=(*split.train, *(c for c, stay in zip(split.dev, stays, strict=True) if not stay)),
        dev=tuple(c for c, stay in zip(split.dev, stays, strict=True) if stay),
        test=split.test,
        speaker_independent=split.speaker_independent,
    )


def strict(clips: Iterable[Clip], corpus: str) -> list[Split]:
    """One corpus alone, speaker-disjoint: each group of its speakers is test once."""
    own = [clip for clip in clips if clip.corpus == corpus]
    groups = groups_of(corpus, own)
    return [
        _split(
            f"{corpus}/strict/{fold}", own, _always(_turn(groups, fold, STRICT_DEV.get(corpus, 1)))
        )
        for fold in range(1, len(groups) + 1)
    ]


def groups_of(corpus: str, clips: Iterable[Clip]) -> tuple[Group, ...]:
    """Groups of speakers that are held out in turn: of a corpus alone, else pooled, else dealt."""
    listed = STRICT.get(corpus) or POOLED.get(corpus)
    if listed:
        return listed
    speakers = sorted({clip.speaker for clip in clips if clip.corpus == corpus})
    return tuple(frozenset(speakers[first::DEALT]) for first in range(min(DEALT, len(speakers))))


def leave_out(clips: Iterable[Clip], corpus: str, fold: int = 1) -> Split:
    """Tests on all of one corpus; the train and dev speakers of the others are `pooled`'s.

    RAVDESS' song stays away when its speech is tested, and the other way round.
    """
    clips = list(clips)
    others = pooled([clip for clip in clips if _family(clip.corpus) != _family(corpus)], fold)
    return Split(
        name=f"{corpus}/left-out/{fold}",
        train=others.train,
        dev=others.dev,
        test=tuple(clip for clip in clips if clip.corpus == corpus),
    )


def sentence_out(clips: Iterable[Clip]) -> list[Split]:
    """RAVDESS: trains on one of its two sentences, tests on the other, by the same actors.

    Dev is the training sentence by actors who do not train.
    """
    own = [clip for clip in clips if clip.corpus == "ravdess"]
    dev = STRICT["ravdess"][1]
    return [
        Split(
            name=f"ravdess/sentence-out/{test}",
            train=tuple(c for c in own if c.statement != test and c.speaker not in dev),
            dev=tuple(c for c in own if c.statement != test and c.speaker in dev),
            test=tuple(c for c in own if c.statement == test),
            speaker_independent=False,
        )
        for test in ("02", "01")
    ]


def pooled_sentence_out(clips: Iterable[Clip], fold: int = 1) -> Split:
    """RAVDESS by sentence, in fold 1 and 2 each of `sentence_out`; the other corpora as `pooled`.

    RAVDESS' song has the same two sentences and stays away.
    """
    clips = list(clips)
    sentences = sentence_out(clips)
    own = sentences[(fold - 1) % len(sentences)]
    others = pooled([clip for clip in clips if _family(clip.corpus) != "ravdess"])
    return Split(
        name=f"sentence-out/{fold}",
        train=(*own.train, *others.train),
        dev=(*own.dev, *others.dev),
        test=own.test,
        speaker_independent=False,
    )


def emobox(clips: Iterable[Clip], corpus: str, root: Path | None = None) -> list[Split]:
    """EmoBox' folds of one corpus, for comparison with its published figures.

    RAVDESS, SAVEE and EMOVO are split by speaker, so the folds follow from `strict`. The others
    were drawn at random, with the same speakers in train and test: what EmoBox drew is read from
    the table beside the corpus folder. EmoBox has no dev side; speakers taken out of the training
    side make one, none in TESS, which has but two.

    Raises:
        CorpusError: the table is not there.
        KeyError: EmoBox, or this module, has no folds for the corpus.
    """
    own = [clip for clip in clips if clip.corpus == corpus]
    if corpus not in EMOBOX_DEV:
        by_speaker = enumerate(strict(own, corpus), start=1)
        return [replace(split, name=f"{corpus}/emobox/{fold}") for fold, split in by_speaker]
    test_fold = _emobox_table(corpus, root or default_root())
    folds = sorted(set(test_fold.values()) - {0})
    splits = []
    for fold, dev in zip(folds, EMOBOX_DEV[corpus], strict=True):
        rest = [clip for clip in own if test_fold.get(clip.name, fold) != fold]
        splits.append(
            Split(
                name=f"{corpus}/emobox/{fold}",
                train=tuple(clip for clip in rest if clip.speaker not in dev),
                dev=tuple(clip for clip in rest if clip.speaker in dev),
                test=tuple(clip for clip in own if test_fold.get(clip.name) == fold),
                speaker_independent=False,
            )
        )
    return splits


def pooled_emobox(clips: Iterable[Clip], fold: int = 1, root: Path | None = None) -> Split:
    """Fold k of EmoBox in every corpus at once, beginning again after a corpus' last one.

    Corpora that EmoBox does not have are split as in `pooled`. Raises CorpusError.
    """
    clips = list(clips)
    present = {clip.corpus for clip in clips}
    parts = [pooled([clip for clip in clips if clip.corpus not in EMOBOX], fold)]
    for corpus in EMOBOX:
        if corpus in present:
            folds = emobox(clips, corpus, root)
            parts.append(folds[(fold - 1) % len(folds)])
    return Split(
        name=f"emobox/{fold}",
        train=tuple(clip for part in parts for clip in part.train),
        dev=tuple(clip for part in parts for clip in part.dev),
        test=tuple(clip for part in parts for clip in part.test),
        speaker_independent=False,
    )


def _emobox_table(corpus: str, root: Path) -> dict[str, int]:
    """Clip name to the fold it is test in; 0 where it always trains."""
    tables = (root / f"{corpus}.csv", root / f"{corpus}_expected.csv")
    table = next((path for path in tables if path.is_file()), None)
    if table is None:
        raise CorpusError(
            f"no EmoBox folds for {corpus}: {tables[0]} with the columns path, emobox_split and "
            f"emobox_fold is missing"
        )
    test_fold = {}
    with table.open(newline="") as file:
        for row in csv.DictReader(file):
            clip = CORPORA[corpus].parse(Path(row.get("path") or row["original_path"]))
            if clip is not None:
                fold = int(row.get("emobox_fold") or 1)
                test_fold[clip.name] = 0 if row["emobox_split"] == "train" else fold
    return test_fold


def _split(
    name: str, clips: Iterable[Clip], held_out: Callable[[str], tuple[Group, Group]]
) -> Split:
    """The split that `held_out` makes: a corpus' test and dev speakers; the others train."""
    sides: tuple[list[Clip], list[Clip], list[Clip]] = ([], [], [])
    for clip in clips:
        test, dev = held_out(clip.corpus)
        # ESC-10 has folds instead of speakers: all takes of a recording are in one.
        who = clip.repetition if clip.corpus == "esc10" else clip.speaker
        sides[2 if who in test else 1 if who in dev else 0].append(clip)
    train, dev_side, test_side = map(tuple, sides)
    return Split(name=name, train=train, dev=dev_side, test=test_side)


def _turn(groups: Sequence[Group], fold: int, dev_groups: int) -> tuple[Group, Group]:
    """The test group of a fold (from 1) and the ones after it, around the end, for dev.

    One group is left to train in any case.
    """
    spare = min(dev_groups, len(groups) - 2)
    dev = (groups[(fold + step) % len(groups)] for step in range(spare))
    return groups[(fold - 1) % len(groups)], frozenset().union(*dev)


def _always(held_out: tuple[Group, Group]) -> Callable[[str], tuple[Group, Group]]:
    return lambda corpus: held_out


def _family(corpus: str) -> str:
    return corpus.removesuffix("_song")
