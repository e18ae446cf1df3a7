"""The table of all systems: own protocol beside honest protocol, size and speed."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from train import encoders
from train.group_means import by_group, mean
from train.recipe import RECIPES
from train.results import PROTOCOLS, Record
from train.systems.recipe import SystemRecipe, find_recipe

CORPORA = ("crema_d", "ravdess", "savee", "emodb", "emovo", "tess", "nemo", "ased", "ravdess_song")
HEAD = """# All systems by the same protocol

Made by `python -m train report` from the results in `train/results/`; do not edit by hand.

WA is accuracy, UA the mean recall of the classes, both in percent: agreement with the **acted**
label. *Own* is the publication's protocol, which has the same speakers on both sides (and, where
said, copies of a test clip in the training side); its figure here is measured by this re-creation.
*Honest* is speaker-independent: no speaker on two sides; dev speakers choose the epoch where a
corpus has some to spare, else the last one counts, as it always does of streamser's networks; mean
over the groups of speakers that were tested, each once however many folds and seeds did (of
streamser's networks in each corpus, then over the corpora of speech). Milliseconds are one thread's
processor time on an AMD EPYC (streamser-open's on a faster Xeon, speech-emotion-analyzer's for men
and both on a busy one), x86-64, Python 3.11, per second of audio: from a recording of 3 s to one
answer by the INT8 network; of the streaming networks over the bundled clip, seven tenths of which
are speech, with an answer every 240 ms of these. So are multiply-adds, but the streaming networks'
are those of a second of nothing but speech.
A corpus in brackets is the only one that this network was trained on, whatever the published figure
is for. *In INT8* is the own figure of the network quantised after training, on its features as they
are. Minutes of training are wall time beside other work on two cores. Where fewer epochs were run
than the publication's, the table says so: the figure is that of a network still learning.
deepemo-transfer is trained from scratch, with no ImageNet weights at hand, at 322 s an epoch; where
it begins with weights, its row says *pretrained*.
Label sets differ (RAVDESS' calm and EmoDB's boredom are classes of their own in most published
systems; calm is part of neutral in streamser's, and boredom is left out), so compare rows with that
in mind.
"""

EMOBOX = """## EmoBox' folds, beside large encoders

UA, in brackets how many of the folds of a corpus were run. EmoBox (Ma et al., Interspeech 2024)
puts a small classifier on a frozen, pretrained encoder and trains it on each corpus alone; its
figures are quoted, not measured again. Here one network, trained on all corpora at once, is judged
on fold k of all of them; a corpus that has no more begins anew, and the mean of its fold counts. In
CREMA-D, TESS and EmoDB the same speakers train and are tested, as EmoBox drew them. RAVDESS has
eight classes there; here calm is neutral.
"""

SEEDS = """## The same fold, other seeds

UA of networks that differ in their seed alone (and in how long they learnt, where it is said), the
mean of the corpora and each; last, by how much they differ at most.
"""

LEFT_OUT = """## A corpus it never heard

Trained on all other corpora, tested on all of this one: UA among its own emotions, UA of angry,
happy, neutral and sad alone, and the calibration error over all labels.
"""


SENTENCE_OUT = """## A sentence it never heard

RAVDESS has two sentences. Trained on one of them, as 23 of its 24 actors speak it (20 without a
refit; the others are dev), and on the other corpora; tested on the other sentence by all 24 (UA),
and the mean of both ways.
"""


@dataclass(slots=True)
class System:
    """The records of one recipe, or of one of its corpora or genders if those are apart."""

    recipe: str
    variant: str
    own: list[Record] = field(default_factory=list)
    honest: list[Record] = field(default_factory=list)
    emobox: list[Record] = field(default_factory=list)
    left_out: list[Record] = field(default_factory=list)
    sentence_out: list[Record] = field(default_factory=list)
    cost: list[Record] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.recipe} ({self.variant})" if self.variant else self.recipe

    @property
    def slug(self) -> str:
        """The name as a file name."""
        return f"{self.recipe}-{self.variant}" if self.variant else self.recipe

    @property
    def protocols(self) -> dict[str, list[Record]]:
        """The results by protocol, those that there are."""
        found = {"own protocol": self.own, "honest protocol": self.honest}
        return {name: records for name, records in found.items() if records}


def systems(records: Iterable[Record]) -> list[System]:
    """Sort records by system; streamser's come first."""
    found: dict[tuple[str, str], System] = {}
    for record in records:
        key = record["recipe"], _variant(record)
        system = found.setdefault(key, System(*key))
        what = "cost" if record["kind"] == "cost" else record["protocol"].replace("-", "_")
        getattr(system, what).append(record)
    return sorted(found.values(), key=lambda s: (not s.recipe.startswith("streamser"), s.name))


def markdown(found: Sequence[System], *, pictures: str) -> str:
    """The whole page; `pictures` is the folder of train.report_pictures."""
    judged = [system for system in found if system.protocols]
    matrices = ", ".join(f"[{system.name}]({pictures}/{system.slug}.png)" for system in judged)
    parts = (
        _table(found),
        [f"![accuracy by both protocols]({pictures}/protocols.png)"],
        [f"Confusion matrices by both protocols, all folds together: {matrices}."],
        _by_corpus(found),
        _seeds(found),
        _emobox(found),
        _left_out(found),
        _sentence_out(found),
        _runs(found),
    )
    return "\n".join([HEAD, *(line for part in parts if part for line in (*part, ""))])


def as_json(found: Sequence[System]) -> list[dict[str, Any]]:
    """The table's figures."""
    return [_figures(system) for system in found]


def _table(found: Sequence[System]) -> list[str]:
    columns = ("system", "published", "own: WA", "in INT8", "honest: WA", "honest: UA", "epochs",
               "tested on", "parameters", "INT8", "multiply-adds a second",
               "ms a second")  # fmt: skip
    lines = _header(columns)
    for system in found:
        row = _figures(system)
        cells = (
            system.name,
            _number(row["claimed_wa"], "{:.1f}"),
            _number(row["own_wa"], "{:.1f}"),
            _number(row["own_int8_wa"], "{:.1f}"),
            _number(row["honest_wa"], "{:.1f}"),
            _number(row["honest_ua"], "**{:.1f}**"),
            row["epochs"],
            ", ".join(row["tested_on"]),
            _number(row["parameters"], "{:,}"),
            _number(row["int8_bytes"], "{:,.0f} KiB", 1 / 1024),
            _number(row["multiply_adds_per_second"], "{:,.2f} M", 1e-6),
            _number(row["ms_per_second"], "{:.1f}"),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _by_corpus(found: Sequence[System]) -> list[str]:
    lines = [
        "## UA of each corpus by the honest protocol",
        "",
        "Over emotions alone (classes by gender are joined), in brackets how many different groups",
        "of its speakers were tested.",
        "",
        *_header(("system", *CORPORA)),
    ]
    for system in found:
        cells = [_mean_recall(system.honest, corpus) for corpus in CORPORA]
        if any(cells):
            lines.append(f"| {system.name} | {' | '.join(cells)} |")
    return lines


def _seeds(found: Sequence[System]) -> list[str]:
    lines = []
    for system in found:
        for split, same in _by_split(system.honest).items():
            if len(same) == 1:
                continue
            rows = [_recalls(record) for record in same]
            for record, row in zip(same, rows, strict=True):
                named = f"{record['recipe']}/{split}, seed {record['seed']}, {_epochs(record)}"
                lines.append(_recall_row(named, row))
            spans = {key: max(r[key] for r in rows) - min(r[key] for r in rows) for key in rows[0]}
            lines.append(_recall_row(f"*{len(same)} seeds span*", spans))
    return [SEEDS, *_header(("run", "mean", *CORPORA)), *lines] if lines else []


def _recalls(record: Record) -> dict[str, float]:
    return {"mean": record["ua"]} | {name: c["ua"] for name, c in record["by_corpus"].items()}


def _recall_row(named: str, recalls: dict[str, float]) -> str:
    cells = (_number(recalls.get(name), "{:.1f}") for name in ("mean", *CORPORA))
    return f"| {named} | {' | '.join(cells)} |"


def _emobox(found: Sequence[System]) -> list[str]:
    judged = [system for system in found if system.emobox]
    if not judged:
        return []
    lines = [
        EMOBOX,
        *_header(("system", *encoders.CORPORA)),
    ]
    for system in judged:
        cells = [_mean_of_folds(system.emobox, corpus) for corpus in encoders.CORPORA]
        lines.append(f"| **{system.name}** | {' | '.join(cells)} |")
    for name, recalls in encoders.EMOBOX_UA.items():
        lines.append(f"| {name} | {' | '.join(f'{ua:.1f}' for ua in recalls)} |")
    return lines


def _left_out(found: Sequence[System]) -> list[str]:
    judged = [system for system in found if system.left_out]
    if not judged:
        return []
    lines = [
        LEFT_OUT,
        *_header(("system", "left out", "clips", "UA", "UA, four", "ECE")),
    ]
    for system in judged:
        for record in system.left_out:
            for corpus, row in record["by_corpus"].items():
                lines.append(
                    f"| {system.name} | {corpus} | {row['clips']} | {row['ua']:.1f} | "
                    f"{row['ua_four']:.1f} | {record['ece']:.3f} |"
                )
    return lines


def _sentence_out(found: Sequence[System]) -> list[str]:
    judged = [system for system in found if system.sentence_out]
    if not judged:
        return []
    lines = [SENTENCE_OUT, *_header(("system", "first to second", "second to first", "mean"))]
    for system in judged:
        ways = {record["split"].split("-")[2]: record["ua"] for record in system.sentence_out}
        cells = (_number(ways.get(fold), "{:.1f}") for fold in ("1", "2"))
        both = _number(mean(system.sentence_out, "ua"), "{:.1f}") if len(ways) == 2 else ""
        lines.append(f"| {system.name} | {' | '.join((*cells, both))} |")
    return lines


def _mean_recall(records: Sequence[Record], corpus: str) -> str:
    """Mean UA over the groups of a corpus that were tested, and how many those are."""
    recalls = by_group(records, corpus, "ua")
    return f"{statistics.mean(recalls):.1f} ({len(recalls)})" if recalls else ""


def _mean_of_folds(records: Sequence[Record], corpus: str) -> str:
    """Mean UA over EmoBox' folds of a corpus, and how many of them were run."""
    recalls = by_group(records, corpus, "ua")
    count = encoders.EMOBOX_FOLDS[corpus]
    return f"{statistics.mean(recalls):.1f} ({len(recalls)} of {count})" if recalls else ""


def _runs(found: Sequence[System]) -> list[str]:
    columns = ("run", "seed", "protocol", "rows (train, dev, test)", "epochs (planned)", "judged",
               "minutes", "WA", "UA", "split", "commit")  # fmt: skip
    lines = ["## Runs", "", *_header(columns)]
    for system in found:
        others = (*system.emobox, *system.left_out, *system.sentence_out)
        for record in (*system.own, *system.honest, *others):
            rows = record.get("rows", {})
            cells = (
                f"{record['recipe']}/{record['split']}",
                record["seed"],
                record["described"],
                ", ".join(str(rows[side]) for side in ("train", "dev", "test") if side in rows),
                f"{record['epochs']} ({record['epochs_planned']})",
                record.get("epoch_chosen", "last"),
                _number(record["seconds"], "{:.1f}", 1 / 60),
                f"{record['wa']:.1f}",
                f"{record['ua']:.1f}",
                record["split_sha256"][:12],
                record["commit"],
            )
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def _header(columns: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]


def _figures(system: System) -> dict[str, Any]:
    cost = system.cost[-1] if system.cost else {}
    results = (*system.own, *system.honest)
    own_int8 = [cost["int8_wa"] for cost in system.cost if cost.get("protocol") == "own"]
    return {
        "system": system.name,
        "claim": _claim(system.recipe, "claim"),
        "claimed_wa": _claim(system.recipe, "accuracy"),
        "own_wa": mean(system.own, "wa"),
        "own_ua": mean(system.own, "ua"),
        "own_int8_wa": round(statistics.mean(own_int8), 2) if own_int8 else None,
        "honest_wa": mean(system.honest, "wa"),
        "honest_ua": mean(system.honest, "ua"),
        "epochs": ", ".join(sorted({_epochs(record) for record in results})),
        "tested_on": sorted({corpus for record in results for corpus in record["by_corpus"]}),
        "honest_folds": len(_by_split(system.honest)),
        "seeds": sorted({record["seed"] for record in results}),
        "parameters": results[-1]["parameters"] if results else cost.get("parameters"),
        "int8_bytes": cost.get("int8_bytes"),
        "multiply_adds_per_second": cost.get("multiply_adds_per_second"),
        "ms_per_second": cost.get("ms_per_second"),
    }


def _epochs(record: Record) -> str:
    """How many were run, and of how many where training was not over."""
    done, planned = record["epochs"], record["epochs_planned"]
    return f"{done}" if record.get("complete", done == planned) else f"{done} of {planned}"


def _claim(name: str, what: str) -> Any:
    if not (RECIPES / f"{name}.toml").exists():
        return None
    recipe = find_recipe(name)
    return getattr(recipe.published, what) if isinstance(recipe, SystemRecipe) else None


def _variant(record: Record) -> str:
    """What tells the networks of one recipe apart: corpus or gender, or that dev speakers train."""
    if record["split"].endswith("-refit"):
        return "refit"
    if record.get("protocol") in PROTOCOLS:
        return ""
    parts = record["split"].split("-")
    while parts and (parts[-1].isdigit() or parts[-1] in ("own", "strict", "pooled")):
        parts.pop()
    return "-".join(parts)


def _by_split(records: Iterable[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record["split"], []).append(record)
    return found


def _number(value: float | None, form: str, scale: float = 1) -> str:
    return "" if value is None else form.format(value * scale if scale != 1 else value)
