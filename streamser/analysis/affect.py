"""Emotion labels as points of valence and arousal."""

from __future__ import annotations

from collections.abc import Mapping

COORDINATES: Mapping[str, tuple[float, float]] = {
    "neutral": (0.0, 0.0),
    "happy": (0.81, 0.51),
    "sad": (-0.63, -0.27),
    "angry": (-0.51, 0.59),
    "fearful": (-0.64, 0.60),
    "disgust": (-0.60, 0.35),
    "surprised": (0.40, 0.67),
}
"""Valence and arousal, -1 to 1: mean ratings of pleasure and arousal for the terms happy, sad,
angry, fearful, disgusted and surprised in Russell and Mehrabian, "Evidence for a three-factor
theory of emotions", Journal of Research in Personality 11 (1977). Neutral is the origin."""


def project(scores: Mapping[str, float]) -> tuple[float, float]:
    """Return the expected valence and arousal; labels without coordinates count as the origin.

    A projection of the label probabilities, not a measurement of its own.
    """
    valence = arousal = 0.0
    for label, probability in scores.items():
        at = COORDINATES.get(label, (0.0, 0.0))
        valence += probability * at[0]
        arousal += probability * at[1]
    return valence, arousal
