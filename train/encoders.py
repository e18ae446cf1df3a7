"""What frozen, pretrained encoders reach on EmoBox' folds, to compare with.

UA in percent as EmoBox publishes it (Ma et al., Interspeech 2024); nothing here was measured again.
"""

from __future__ import annotations

CORPORA = ("crema_d", "ravdess", "tess", "savee", "emodb", "emovo")

EMOBOX_FOLDS = {"crema_d": 1, "ravdess": 6, "tess": 1, "savee": 4, "emodb": 5, "emovo": 6}

EMOBOX_UA: dict[str, tuple[float, ...]] = {
    "wav2vec2-base": (61.95, 54.33, 97.92, 44.89, 82.06, 31.07),
    "HuBERT-base": (71.13, 65.43, 99.62, 58.90, 87.73, 46.10),
    "WavLM-base": (69.64, 61.56, 99.10, 63.57, 87.03, 42.39),
    "HuBERT-large": (73.83, 70.00, 99.86, 71.91, 89.81, 45.74),
    "WavLM-large": (74.50, 72.00, 99.78, 66.74, 92.58, 48.82),
    "Whisper-large-v3": (76.75, 75.32, 99.96, 74.07, 91.26, 57.82),
}
"""Encoder to its UA on each of CORPORA."""
