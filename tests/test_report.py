"""The table of all systems: each protocol apart, each voice counted once."""

from __future__ import annotations

import pytest

from train.report import as_json, markdown, systems
from train.results import kept


def test_seeds_of_one_fold_count_as_their_mean() -> None:
    records = [r for r in kept() if r["recipe"] == "streamser-open"]
    (before,) = as_json(systems(records))
    (first,) = (r for r in records if r["split"] == "pooled-1" and r["kind"] != "cost")
    rows = {name: row | {"ua": row["ua"] + 3.0} for name, row in first["by_corpus"].items()}
    records.append(first | {"seed": 7, "ua": first["ua"] + 3.0, "by_corpus": rows})
    (after,) = found = systems(records)
    (figures,) = as_json(found)
    folds = {record["split"] for record in after.honest}
    assert figures["honest_ua"] - before["honest_ua"] == pytest.approx(1.5 / len(folds), abs=0.02)
    page = markdown(found, pictures="results")
    assert "/pooled-1, seed 7," in page and "| *2 seeds span* | 3.0 | 3.0 |" in page


def test_a_group_of_speakers_counts_once_however_many_folds_test_it() -> None:
    """SAVEE has four groups: the fifth pooled fold tests the first again."""
    first = next(
        r for r in kept() if r["recipe"] == "streamser-quick" and r["protocol"] == "honest"
    )

    def fold(number: int, savee: float, crema_d: float) -> dict[str, object]:
        rows = {
            name: {"clips": 9, "wa": ua, "ua": ua}
            for name, ua in (("savee", savee), ("crema_d", crema_d), ("ravdess_song", 0.0))
        }
        ua = (savee + crema_d) / 2
        return first | {"split": f"pooled-{number}", "by_corpus": rows, "ua": ua, "wa": ua}

    folds = [fold(n, *uas) for n, uas in enumerate(((70, 60), (40, 60), (40, 60), (50, 60)), 1)]
    (system,) = found = systems([*folds, fold(5, 90.0, 80.0)])
    # SAVEE: (80 + 40 + 40 + 50) / 4; CREMA-D: (4 x 60 + 80) / 5.
    page = markdown(found, pictures="results")
    assert "| streamser-quick | 64.0 (5) |  | 52.5 (4) |" in page
    (figures,) = as_json(found)
    assert figures["honest_ua"] == figures["honest_wa"] == 58.25
    assert figures["honest_folds"] == 5
    alone = [
        {key: told for key, told in r.items() if key != "model"} | {"split": f"savee-{r['split']}"}
        for r in system.honest
    ]
    for record in alone:
        record["by_corpus"] = {"savee": record["by_corpus"]["savee"]}
        record["ua"] = record["by_corpus"]["savee"]["ua"]
    assert as_json(systems(alone))[0]["honest_ua"] == 52.5


def test_in_int8_is_told_of_the_own_protocol_alone() -> None:
    records = [r for r in kept() if r["recipe"] == "ser-2d-cnn"]
    (cost,) = (r for r in records if r["kind"] == "cost")
    (before,) = as_json(systems(records))
    honest_cost = cost | {"split": "savee-pooled-1", "protocol": "honest", "int8_wa": 1.0}
    (after,) = as_json(systems([*records, honest_cost]))
    assert after["own_int8_wa"] == before["own_int8_wa"] == round(cost["int8_wa"], 2)


def test_folds_with_shared_speakers_stand_apart_from_honest_ones() -> None:
    common = {
        "kind": "result", "recipe": "mine", "seed": 0, "ece": 0.1, "epochs": 1, "wa": 50.0,
        "epochs_planned": 1, "seconds": 60.0, "parameters": 1, "split_sha256": "0", "commit": "1",
        "described": "",
    }  # fmt: skip

    def record(protocol: str, split: str, corpus: str, ua: float) -> dict[str, object]:
        row = {"clips": 10, "ua": ua, "ua_four": ua + 1, "wa": ua}
        return common | {"protocol": protocol, "split": split, "ua": ua, "by_corpus": {corpus: row}}

    (system,) = systems(
        [
            record("honest", "pooled-1", "savee", 50.0),
            record("emobox", "emobox-1", "savee", 60.0),
            record("emobox", "emobox-2", "savee", 70.0),
            record("emobox", "emobox-5", "savee", 50.0),
            record("left-out", "emovo-left-out-1", "emovo", 30.0),
            record("sentence-out", "sentence-out-1", "ravdess", 60.0),
            record("sentence-out", "sentence-out-2", "ravdess", 63.0),
        ]
    )
    assert [record["ua"] for record in system.honest] == [50.0]
    page = markdown([system], pictures="results")
    assert "| **mine** |  |  |  | 62.5 (2 of 4) |  |  |" in page
    assert "| HuBERT-base | 71.1 | 65.4 |" in page
    assert "| mine | emovo | 10 | 30.0 | 31.0 | 0.100 |" in page
    assert "60.0 | 63.0 | 61.5 |" in page
