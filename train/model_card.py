"""The card of a bundle, in Hugging Face's form: what it is, its figures, its limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from streamser.model.bundle import Bundle
from train.confusion import draw_confusion
from train.corpora import CORPORA
from train.corpora.clip import EMOTIONS
from train.experiment import Experiment
from train.figures import emotions
from train.group_means import mean
from train.recipe import FitSettings
from train.results import kept

TERMS = {
    True: "Some of these licences forbid commercial use, so the weights may not be used for it.",
    False: "All of these licences allow commercial use; name the corpora with the weights.",
}
"""Whether the licence of the weights is non-commercial."""

TEACHER = """
Taught: {share} of a voice's target is what a linear layer hears in it that reads the encoder of
Moonshine Tiny (Jeffries et al., 2024; MIT licence), pretrained on speech recognition in English.
At each hop the network learnt, besides, to guess what of that encoder tells emotions. All of this
was learnt from the training clips alone; neither teacher nor guesses are part of this bundle.
"""

FOLDS = """
Which speakers test decides more than anything else: on this fold the recipe makes {ua}, on others
{told}. **Over all {count}, each group of a corpus' speakers once, it makes {mean}.**
"""

TEMPLATE = Path(__file__).with_suffix(".md")


def write_card(bundle: Bundle, experiment: Experiment, figures: dict[str, Any]) -> Path:
    """Write `README.md` and `confusion.svg` into the bundle's folder; return the card's path."""
    manifest = bundle.manifest
    rows = figures["corpora"]
    present = {clip.corpus for side in experiment.split.sides.values() for clip in side}
    used = [name for name in CORPORA if name in present]
    spoken = {clip.language for clip in experiment.split.train if clip.language}
    text = TEMPLATE.read_text().format(
        name=manifest.name,
        version=manifest.version,
        license=manifest.license.lower(),
        description=manifest.description,
        languages=", ".join(sorted(spoken)),
        labels=", ".join(manifest.labels),
        size=sum((bundle.path / name).stat().st_size for name in manifest.files) // 1024,
        ua=f"{rows['mean']['ua']:.1f}",
        temperature=f"{manifest.verdict.temperature:g}",
        threshold=f"{manifest.verdict.threshold:g}",
        unknown_above=f"{manifest.verdict.unknown_above:g}",
        protocol=experiment.split.name,
        refit=" --refit" if experiment.split.name.endswith("/refit") else "",
        split_hash=experiment.split.hash[:12],
        seed=experiment.seed,
        clips=", ".join(f"{len(c)} {side}" for side, c in experiment.split.sides.items()),
        training=_training(experiment.recipe.fit),
        teacher=_teacher(experiment.recipe.fit),
        corpora="\n".join(_row(name, row) for name, row in rows.items() if name != "mean"),
        mean=_mean_row(rows["mean"]),
        small=", ".join(_of_few_speakers(experiment)),
        folds=_folds(experiment, rows),
        seconds=" | ".join(figures["ua_over_seconds"]),
        ua_seconds=" | ".join(f"{ua:.1f}" for ua in figures["ua_over_seconds"].values()),
        seconds_rule=" | ".join("---" for _ in figures["ua_over_seconds"]),
        calibrated="\n".join(_gains(figures["calibrated"])),
        share=f"{manifest.baseline.share:g}" if manifest.baseline else "0",
        through="\n".join(
            f"| {name} | {row['mean']:.1f} | {row['mean'] - rows['mean']['ua']:+.1f} |"
            for name, row in figures["ua_through"].items()
        ),
        ece=f"{figures['calibration']['ece']:.3f}",
        accuracy=f"{figures['calibration']['accuracy']:.1f}",
        surest=f"{figures['calibration']['accuracy_surest_half']:.1f}",
        float_ua=f"{figures['float_ua']['mean']:.1f}",
        female=f"{figures['ua_by_gender']['female']:.1f}",
        male=f"{figures['ua_by_gender']['male']:.1f}",
        sounds="\n".join(
            f"| {name} | {share['seconds']:.1f} | {share['clips']:.1f} |"
            for name, share in figures["sounds"].items()
        ),
        terms=TERMS["nc" in manifest.license.lower()],
        boredom=figures["boredom_rejected"],
        licences="\n".join(f"- {name}: {CORPORA[name].licence}" for name in used),
    )
    path = bundle.path / "README.md"
    path.write_text(text)
    _draw_confusion(
        np.array(figures["confusion"]), emotions(manifest.labels), bundle.path / "confusion.svg"
    )
    draw_trust(figures, bundle.path / "trust.svg")
    return path


def draw_trust(figures: dict[str, Any], path: Path) -> None:
    """Draw how far confidence, coverage and seconds of speech tell what an answer is worth."""
    plt = _pyplot()
    figure, (sure, cover, time) = plt.subplots(1, 3, figsize=(9.6, 3.2), layout="constrained")
    confidence, accuracy, share = np.array(figures["calibration"]["reliability"]).T
    sure.plot([0, 1], [0, 1], color="grey", linestyle=":", label="perfect")
    sure.scatter(confidence, accuracy, s=10 + 400 * share, label="clips of like confidence")
    sure.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1), title="reliability")
    sure.legend(fontsize="small", loc="upper left")
    cover.plot(np.arange(10, 101, 10), figures["calibration"]["accuracy_over_coverage"], marker="o")
    cover.set(xlabel="surest clips answered, %", ylabel="accuracy, %", ylim=(0, 100))
    cover.set_title("accuracy over coverage")
    heard = {name: ua for name, ua in figures["ua_over_seconds"].items() if name != "all"}
    time.plot([float(name) for name in heard], list(heard.values()), marker="o")
    time.axhline(figures["ua_over_seconds"]["all"], color="grey", linestyle=":", label="all")
    time.set(xlabel="seconds of speech", ylabel="UA, %", ylim=(0, 100), title="UA over time heard")
    time.legend(fontsize="small", loc="lower right")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _draw_confusion(counts: np.ndarray, names: list[str], path: Path) -> None:
    plt = _pyplot()
    figure, axes = plt.subplots(figsize=(5.2, 4.6), layout="constrained")
    draw_confusion(axes, counts, names)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _training(settings: FitSettings) -> str:
    return f"{settings.passes} passes, weights of the last one"


def _teacher(settings: FitSettings) -> str:
    if not settings.taught:
        return ""
    return TEACHER.format(share=f"{settings.taught:.0%}")


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "streamser"
    from matplotlib import pyplot

    return pyplot


def _gains(calibrated: dict[str, dict[str, float]] | None) -> Iterator[str]:
    if calibrated is None:
        yield "| *too few neutral clips to tell* | | | |"
        return
    without, with_profile = calibrated["without"], calibrated["with"]
    for name in without:
        title = {"mean": "**mean of speech corpora**", "neutral": "*recall of neutral, all clips*"}
        gain = with_profile[name] - without[name]
        row = (title.get(name, name), f"{without[name]:.1f}", f"{with_profile[name]:.1f}")
        yield f"| {' | '.join(row)} | {gain:+.1f} |"


def _of_few_speakers(experiment: Experiment) -> list[str]:
    speakers: dict[str, set[str]] = {}
    for clip in experiment.split.test:
        if clip.emotion in EMOTIONS:
            speakers.setdefault(clip.corpus, set()).add(clip.speaker)
    return sorted(corpus for corpus, found in speakers.items() if len(found) < 3)


def _folds(experiment: Experiment, rows: dict[str, dict[str, float]]) -> str:
    """What the recipe makes of other folds with this seed, as far as results are kept."""
    here, kind = experiment.split.name.replace("/", "-"), experiment.split.name.split("/")
    others = [
        record
        for record in kept()
        if record["recipe"] == experiment.recipe.name
        and "ua" in record
        and record["seed"] == experiment.seed
        and re.fullmatch("-".join([kind[0], r"\d+", *kind[2:]]), record["split"])
        and record["split"] != here
    ]
    if not others:
        return ""
    told = ", ".join(f"{record['ua']:.1f} ({record['epochs']} passes)" for record in others)
    own = {"split": here, "by_corpus": {k: row for k, row in rows.items() if k != "mean"}}
    over_all = mean([others[0] | own, *others], "ua")
    return FOLDS.format(
        ua=f"{rows['mean']['ua']:.1f}", told=told, count=1 + len(others), mean=f"{over_all:.1f}"
    )


def _row(name: str, row: dict[str, float]) -> str:
    cells = (f"{row[key]:.1f}" for key in ("ua", "ua_open", "ua_four", "wa", "rejected"))
    return f"| {name} | {row['clips']} | {' | '.join(cells)} |"


def _mean_row(row: dict[str, float]) -> str:
    ua, *others = (f"{row[key]:.1f}" for key in ("ua", "ua_open", "ua_four", "wa"))
    return f"| **mean of speech corpora** | | **{ua}** | {' | '.join(others)} | |"
