"""Which clips train, choose and judge a network: speaker-disjoint unless a split says otherwise."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from train.corpora import Clip


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
    hash: str = field(init=False)
    """SHA-256 over the clip keys of each side, whatever the order they were found in."""

    def __post_init__(self) -> None:
        digest = hashlib.sha256()
        for side, clips in self.sides.items():
            ordered = tuple(sorted(clips, key=lambda clip: clip.key))
            object.__setattr__(self, side, ordered)
            digest.update("\n".join([side, *(clip.key for clip in ordered), ""]).encode())
        object.__setattr__(self, "hash", digest.hexdigest())
        self._refuse_shared("clip", lambda clip: clip.key)
        if self.speaker_independent:
            self._refuse_shared("speaker", lambda clip: clip.speaker_key)

    @property
    def sides(self) -> dict[str, tuple[Clip, ...]]:
        return {"train": self.train, "dev": self.dev, "test": self.test}

    def _refuse_shared(self, what: str, key: Callable[[Clip], str]) -> None:
        side_of: dict[str, str] = {}
        for side, clips in self.sides.items():
            for clip in clips:
                if side_of.setdefault(key(clip), side) != side:
                    raise ValueError(
                        f"{self.name}: {what} {key(clip)} is in {side_of[key(clip)]} and {side}"
                    )


Fold = tuple[frozenset[str], frozenset[str]]
"""The test and the dev speakers of a fold; everybody else trains."""


def _folds(groups: Iterable[Iterable[str]], dev_groups: int = 1) -> tuple[Fold, ...]:
    """Each group is test once; the next ones, around the end, are dev."""
    sets = [frozenset(group) for group in groups]
    return tuple(
        (
            test,
            frozenset().union(*(sets[(k + step) % len(sets)] for step in range(1, dev_groups + 1))),
        )
        for k, test in enumerate(sets)
    )


def _actors(*numbers: int) -> frozenset[str]:
    return frozenset(f"Actor_{number:02}" for number in numbers)


def _block(first: int, last: int) -> frozenset[str]:
    return frozenset(str(actor) for actor in range(first, last + 1))


_RAVDESS = (
    _actors(1, 11, 20, 21),
    _actors(4, 10, 12, 14),
    _actors(8, 9, 19, 23),
    _actors(3, 5, 7, 24),
    _actors(2, 15, 16, 18),
    _actors(6, 13, 17, 22),
)

STRICT: dict[str, tuple[Fold, ...]] = {
    "crema_d": _folds(
        _block(*ends)
        for ends in ((1001, 1018), (1019, 1036), (1037, 1054), (1055, 1072), (1073, 1091))
    ),
    "ravdess": _folds(_RAVDESS),
    "ravdess_song": _folds(_RAVDESS),
    # Two actresses: none to spare for dev.
    "tess": _folds([["OAF"], ["YAF"]], dev_groups=0),
    "savee": _folds([["JE"], ["KL"], ["DC"], ["JK"]]),
    # Men and women in turn, so that the two dev speakers are one of each.
    "emodb": _folds(
        [["03"], ["08"], ["10"], ["09"], ["11"], ["13"], ["12"], ["14"], ["15"], ["16"]],
        dev_groups=2,
    ),
    "emovo": _folds([["f2"], ["m3"], ["m2"], ["f3"], ["f1"], ["m1"]]),
    # Every fifth speaker of each gender.
    "shemo": _folds(
        [
            *(f"F{number:02}" for number in range(1 + fold, 32, 5)),
            *(f"M{number:02}" for number in range(1 + fold, 57, 5)),
        ]
        for fold in range(5)
    ),
}
"""Speaker-independent folds of each corpus, numbered from 1 in this order."""

POOLED: dict[str, Fold] = {
    "crema_d": STRICT["crema_d"][4],
    "ravdess": STRICT["ravdess"][0],
    "ravdess_song": STRICT["ravdess_song"][0],
    "tess": (frozenset({"YAF"}), frozenset()),
    "savee": (frozenset({"JE"}), frozenset({"DC"})),
    "emodb": (frozenset({"08", "10"}), frozenset({"03", "09"})),
    "emovo": (frozenset({"f2"}), frozenset({"m3"})),
    "shemo": STRICT["shemo"][0],
    # One woman and one man; a man.
    "nemo": (frozenset({"EB0", "KS0"}), frozenset({"SM0"})),
    # Five women and five men, four and four, of those who spoke most. Speakers 09, 15, 23 and 25
    # have a clip each that names the other gender, so they only train.
    "ased": (
        frozenset({"01", "11", "21", "31", "48", "04", "20", "30", "41", "51"}),
        frozenset({"05", "13", "27", "58", "06", "26", "45", "55"}),
    ),
    "emospeech_background": (
        # Days: roads and glass, house, screams; then metro, lake and screams train.
        frozenset({"20190709", "20190623", "20190713", "d6ef33412a1c", "98f394bd19a4"}),
        frozenset({"20190624", "20190629", "20190712", "1cfb3698acaf", "8a21da1cbc1e"}),
    ),
    "ordinary_speech": (
        # Three sources that training never hears, and a third of the fourth for dev.
        frozenset({"trial", "debate_sample", "test"}),
        frozenset(f"testset-audio-{number:02}" for number in range(3, 31, 3)),
    ),
}


def hold_out(
    clips: Iterable[Clip], name: str, test: Callable[[Clip], bool], dev: Callable[[Clip], bool]
) -> Split:
    """The split whose test side is what `test` picks, dev what `dev` picks of the rest."""
    sides: dict[str, list[Clip]] = {"train": [], "dev": [], "test": []}
    for clip in clips:
        sides["test" if test(clip) else "dev" if dev(clip) else "train"].append(clip)
    return Split(name=name, **{side: tuple(found) for side, found in sides.items()})


def pooled(clips: Iterable[Clip]) -> Split:
    """All corpora at once, the split of the pooled figures.

    ESC-10 goes by its publisher's folds: 5 is test, 4 dev.
    """
    return hold_out(
        clips, "pooled", lambda clip: _pooled_in(clip, 0), lambda clip: _pooled_in(clip, 1)
    )


def _pooled_in(clip: Clip, side: int) -> bool:
    if clip.corpus == "esc10":
        return clip.repetition == ("fold5", "fold4")[side]
    return clip.speaker in POOLED[clip.corpus][side]


def strict(clips: Iterable[Clip], corpus: str) -> list[Split]:
    """The speaker-independent folds of one corpus; dev is the next fold's speakers."""
    own = [clip for clip in clips if clip.corpus == corpus]
    return [
        hold_out(
            own,
            f"{corpus}/strict/{number}",
            lambda clip, test=test: clip.speaker in test,
            lambda clip, dev=dev: clip.speaker in dev,
        )
        for number, (test, dev) in enumerate(STRICT[corpus], start=1)
    ]
