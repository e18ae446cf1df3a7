"""Learning curves and confusion matrices as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import numpy as np
from matplotlib import pyplot as plt

from train.confusion import draw_confusion


def curves(history: Sequence[dict[str, float]], path: Path) -> None:
    """Loss and accuracy over epochs, of the training and the watched side."""
    epochs = [line["epoch"] for line in history]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for axes, keys in ((left, ("loss",)), (right, ("accuracy", "ua"))):
        for name in (f"{side}{key}" for key in keys for side in ("", "watch_")):
            if name in history[0]:
                axes.plot(epochs, [line[name] for line in history], label=name.replace("_", " "))
        axes.set_xlabel("epoch")
        axes.legend()
    right.set_ylabel("percent")
    left.set_ylabel("cross-entropy")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def confusion(counts: np.ndarray, names: Sequence[str], path: Path) -> None:
    """Draw one confusion matrix."""
    size = 2.4 + 0.45 * len(names)
    figure, axes = plt.subplots(figsize=(size, size), layout="constrained")
    draw_confusion(axes, counts, names)
    figure.savefig(path, dpi=110)
    plt.close(figure)
