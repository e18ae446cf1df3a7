"""Who is held out: the speakers of each corpus, in groups that are test and dev in turn."""

from __future__ import annotations

Group = frozenset[str]


def _group(*speakers: str) -> Group:
    return frozenset(speakers)


def _numbered(prefix: str, *numbers: int) -> Group:
    return frozenset(f"{prefix}{number:02}" for number in numbers)


def _actors(first: int, last: int) -> Group:
    return frozenset(str(actor) for actor in range(first, last + 1))


_CREMA_D = (
    _actors(1001, 1018),
    _actors(1019, 1036),
    _actors(1037, 1054),
    _actors(1055, 1072),
    _actors(1073, 1091),
)

# EmoBox' folds of RAVDESS, SAVEE and EMOVO are these, in this order.
_RAVDESS = (
    _numbered("Actor_", 1, 11, 20, 21),
    _numbered("Actor_", 4, 10, 12, 14),
    _numbered("Actor_", 8, 9, 19, 23),
    _numbered("Actor_", 3, 5, 7, 24),
    _numbered("Actor_", 2, 15, 16, 18),
    _numbered("Actor_", 6, 13, 17, 22),
)
_SAVEE = (_group("JE"), _group("KL"), _group("DC"), _group("JK"))
_EMOVO = tuple(_group(speaker) for speaker in ("f2", "m3", "m2", "f3", "f1", "m1"))

# Every fifth woman and every fifth man.
_SHEMO = tuple(
    _numbered("F", *range(first, 32, 5)) | _numbered("M", *range(first, 57, 5))
    for first in range(1, 6)
)

STRICT: dict[str, tuple[Group, ...]] = {
    "crema_d": _CREMA_D,
    "ravdess": _RAVDESS,
    "ravdess_song": _RAVDESS,
    "tess": (_group("OAF"), _group("YAF")),
    "savee": _SAVEE,
    # Men and women in turn, so that the two speakers after each are one of both.
    "emodb": tuple(
        _group(speaker) for speaker in ("03", "08", "10", "09", "11", "13", "12", "14", "15", "16")
    ),
    "emovo": _EMOVO,
    "shemo": _SHEMO,
}
"""One corpus alone: each group is test once, the groups after it are dev."""

STRICT_DEV = {"tess": 0, "emodb": 2}
"""How many groups are dev, if not one: TESS has no third actress to spare."""

POOLED: dict[str, tuple[Group, ...]] = {
    "crema_d": (_CREMA_D[4], *_CREMA_D[:4]),
    "ravdess": _RAVDESS,
    "ravdess_song": _RAVDESS,
    "tess": (_group("YAF"), _group("OAF")),
    "savee": (_group("JE"), _group("DC"), _group("KL"), _group("JK")),
    # A woman and a man each.
    "emodb": (
        _group("08", "10"),
        _group("09", "03"),
        _group("13", "11"),
        _group("14", "12"),
        _group("16", "15"),
    ),
    "emovo": _EMOVO,
    "shemo": _SHEMO,
    # The same, and one man over.
    "nemo": (
        _group("EB0", "KS0"),
        _group("SM0"),
        _group("IC0", "MP0"),
        _group("KD0", "TP0"),
        _group("MK0", "WR0"),
    ),
    # Five women and five men, then four and four, of those who spoke most; then the others, where
    # 09, 15, 23 and 25 have a clip each that names the other gender.
    "ased": (
        _numbered("", 1, 11, 21, 31, 48, 4, 20, 30, 41, 51),
        _numbered("", 5, 13, 27, 58, 6, 26, 45, 55),
        _numbered("", 3, 19, 25, 37, 62, 8, 12, 22, 34, 39, 44, 53, 60),
        _numbered("", 7, 15, 29, 43, 2, 14, 24, 36, 40, 46, 54, 61),
        _numbered("", 9, 17, 33, 47, 10, 16, 28, 38, 42, 50, 56, 63),
        _numbered("", 23, 35, 49, 18, 32, 52, 57, 59, 64, 65),
    ),
    # Its publisher's folds.
    "esc10": tuple(_group(f"fold{fold}") for fold in (5, 4, 3, 2, 1)),
    # Days of recording and users of the web service, with voices and places in each group.
    "emospeech_background": (
        _group("20190709", "20190623", "20190713", "d6ef33412a1c", "98f394bd19a4"),
        _group("20190624", "20190629", "20190712", "1cfb3698acaf", "8a21da1cbc1e"),
        _group("20190710", "20190622", "20190727", "c6b4400c611a"),
        _group("20190701", "20190621", "7d8e058a46f3"),
        _group("20190626", "20190628", "20190630", "d4bb615394c2"),
    ),
    # Three sources that only the first group has, and the fourth in thirds.
    "ordinary_speech": (
        _group("trial", "debate_sample", "test"),
        _numbered("testset-audio-", *range(3, 31, 3)),
        _numbered("testset-audio-", *range(1, 31, 3)),
        _numbered("testset-audio-", *range(2, 31, 3)),
    ),
}
"""All corpora at once: in fold k of the pooled split the k-th group is test, the next one dev."""

POOLED_DEV = {"tess": 0, "savee": 0}
"""How many groups are dev, if not one: neither corpus has speakers to spare."""

EMOBOX_DEV: dict[str, tuple[Group, ...]] = {
    "crema_d": (_group(*(str(actor) for actor in range(1005, 1092, 10))),),
    "tess": (_group(),),
    # Another speaker in each of the five folds.
    "emodb": tuple(_group(speaker) for speaker in ("03", "08", "10", "09", "11")),
    "shemo": (_numbered("F", 5, 15, 25) | _numbered("M", 5, 15, 25, 35, 45, 55),),
    "ased": (_numbered("", 5, 13, 27, 58, 6, 26, 45, 55),),
}
"""Dev speakers of the EmoBox folds that share speakers between train and test."""
