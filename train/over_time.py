"""How much agreement there is after so many seconds of speech."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamser.analysis.encoder import Encoder
from streamser.analysis.evidence import fading
from streamser.analysis.head import Head
from streamser.analysis.hops import HOP_SECONDS
from streamser.analysis.normaliser import Normaliser
from streamser.analysis.pooling import RunningPool
from streamser.analysis.settings import Settings
from streamser.model.bundle import Bundle
from train.corpora.clip import EMOTIONS, Clip
from train.features import FeatureCache, to_mfcc
from train.scores import unweighted_recalls

SECONDS = (0.5, 1.0, 1.5, 2.0, 3.0)


def recalls_over_seconds(
    bundle: Bundle, clips: Sequence[Clip], cache: FeatureCache
) -> dict[str, float]:
    """Mean UA over corpora, in percent, of the answers after each of SECONDS, and of `all`.

    A clip with less speech than that answers with all it has.
    """
    voices = [clip for clip in clips if clip.emotion in EMOTIONS]
    at = [max(1, round(seconds / HOP_SECONDS)) for seconds in SECONDS]
    keep = fading(Settings().half_life)
    manifest = bundle.manifest
    normaliser = Normaliser(manifest.normaliser, keep=keep)
    encoder, head = Encoder(bundle), Head(bundle)
    pool = RunningPool(dim=manifest.network.embedding_dim, keep=keep)
    pooled = np.zeros((len(at) + 1, len(voices), manifest.network.pooled_dim), dtype=np.float32)
    for row, features in enumerate(cache.load(voices)):
        for stage in (normaliser, encoder, pool):
            stage.reset()
        hops = to_mfcc(manifest.features, features.log_mel[features.voiced])
        for heard, frames in enumerate(hops, start=1):
            pool.push(*encoder.push(normaliser.push(frames)))
            for column, needed in enumerate(at):
                if heard <= needed:
                    pooled[column, row] = pool.pooled()
        pooled[-1, row] = pool.pooled()
    names = [f"{seconds:g}" for seconds in SECONDS] + ["all"]
    return {
        name: 100
        * unweighted_recalls(
            voices, np.array([head.logits(row) for row in column]), manifest.labels
        )["mean"]
        for name, column in zip(names, pooled, strict=True)
    }
