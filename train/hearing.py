"""The pooled statistics of clips, by the INT8 encoder that runs live, over cached features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from streamser.analysis.encoder import Encoder
from streamser.analysis.evidence import fading
from streamser.analysis.normaliser import Normaliser
from streamser.analysis.pooling import RunningPool
from streamser.analysis.settings import Settings
from streamser.model.bundle import Bundle
from train.corpora.clip import Clip
from train.features import FeatureCache, to_mfcc

Floats = NDArray[np.float32]


def pooled_statistics(
    bundle: Bundle, clips: Sequence[Clip], cache: FeatureCache, *, after: Sequence[int] = ()
) -> Floats:
    """Return (len(after) + 1, clips, pooled_dim): after so many hops of speech, and after all.

    A clip with fewer hops gives what it has.
    """
    keep = fading(Settings().half_life)
    manifest = bundle.manifest
    normaliser = Normaliser(manifest.normaliser, manifest.features, keep=keep)
    encoder = Encoder(bundle)
    pool = RunningPool(manifest.network, keep=keep)
    pooled = np.zeros((len(after) + 1, len(clips), manifest.network.pooled_dim), dtype=np.float32)
    heard = list(enumerate(cache.load(clips)))
    for row, features in track(heard, "hearing", transient=True):
        for stage in (normaliser, encoder, pool):
            stage.reset()
        hops = to_mfcc(manifest.features, features.log_mel[features.voiced])
        for number, frames in enumerate(hops, start=1):
            pool.push(*encoder.push(normaliser.push(frames)))
            for column, needed in enumerate(after):
                if number <= needed:
                    pooled[column, row] = pool.pooled()
        pooled[-1, row] = pool.pooled()
    return pooled
