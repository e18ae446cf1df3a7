"""The synthesised clip that plays where there is no microphone."""

from __future__ import annotations

from pathlib import Path


def demo_clip() -> Path:
    """Return the path of the bundled clip: 16 kHz mono FLAC, made by `train/demo_clip.py`.

    Nobody's voice is in it, so what it is said to feel means nothing.
    """
    return Path(__file__).with_name("demo.flac")
