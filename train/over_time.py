"""How much agreement there is after so many seconds of speech."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamser.analysis.head import Head
from streamser.analysis.hops import HOP_SECONDS
from streamser.model.bundle import Bundle
from train.corpora.clip import EMOTIONS, Clip
from train.features import FeatureCache
from train.hearing import pooled_statistics
from train.scores import unweighted_recalls

SECONDS = (0.5, 1.0, 1.5, 2.0, 3.0)


def recalls_over_seconds(
    bundle: Bundle, clips: Sequence[Clip], cache: FeatureCache
) -> dict[str, float]:
    """Mean UA over corpora, in percent, of the answers after each of SECONDS, and of `all`.

    A clip with less speech than that answers with all it has.
    """
    voices = [clip for clip in clips if clip.emotion in EMOTIONS]
    after = [max(1, round(seconds / HOP_SECONDS)) for seconds in SECONDS]
    head, labels = Head(bundle), bundle.manifest.labels
    return {
        name: 100
        * unweighted_recalls(voices, np.array([head.logits(row) for row in column]), labels)["mean"]
        for name, column in zip(
            [*(f"{seconds:g}" for seconds in SECONDS), "all"],
            pooled_statistics(bundle, voices, cache, after=after),
            strict=True,
        )
    }
