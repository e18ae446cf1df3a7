"""A trained system over recordings that no corpus has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from train.systems.fit import Judge
from train.systems.judge import load_model
from train.systems.run import SystemRun


def predict(run: SystemRun, paths: Sequence[Path]) -> Iterator[dict[str, float]]:
    """The probability of each label, recording by recording. Raises SourceError."""
    judge = Judge(load_model(run))
    for path in paths:
        (logits,) = judge.logits(run.store.features(path)[None])
        shares = np.exp(logits - logits.max())
        yield dict(zip(run.labels, (shares / shares.sum()).tolist(), strict=True))
