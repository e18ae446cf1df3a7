"""The pictures beside the table of all systems."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import numpy as np
from matplotlib import pyplot as plt

from train.confusion import draw_confusion
from train.group_means import mean
from train.report import System

PLAIN = {"dpi": 90, "metadata": {"Software": None}}
"""The same picture from the same figures."""


def protocols(found: Sequence[System], path: Path) -> None:
    """Accuracy under both protocols, one above the other."""
    rows = list(enumerate(reversed(found)))
    figure, axes = plt.subplots(figsize=(8, 1 + 0.42 * len(rows)), layout="constrained")
    for offset, name in ((0.2, "own protocol"), (-0.2, "honest protocol")):
        bars = [(i + offset, s.protocols[name]) for i, s in rows if name in s.protocols]
        axes.barh([at for at, _ in bars], [mean(r, "wa") or 0 for _, r in bars], 0.38, label=name)
    axes.set_yticks([i for i, _ in rows], [system.name for _, system in rows])
    axes.set_xlabel("accuracy against the acted label, percent")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncol=2, frameon=False)
    figure.savefig(path, **PLAIN)
    plt.close(figure)


def confusions(system: System, path: Path) -> None:
    """The confusion matrices of a system by each protocol, all folds together."""
    sides = system.protocols
    size = 2.4 + 0.45 * max(len(records[0]["labels"]) for records in sides.values())
    figure, axes = plt.subplots(
        1, len(sides), figsize=(size * len(sides), size), layout="constrained", squeeze=False
    )
    for axis, (name, records) in zip(axes[0], sides.items(), strict=True):
        labels = sorted({label for record in records for label in record["labels"]})
        counts = np.zeros((len(labels), len(labels)), dtype=int)
        for record in records:
            at = [labels.index(label) for label in record["labels"]]
            counts[np.ix_(at, at)] += np.array(record["confusion"])
        draw_confusion(axis, counts, labels)
        axis.set_title(f"{system.name}\n{name}")
    figure.savefig(path, **PLAIN)
    plt.close(figure)
