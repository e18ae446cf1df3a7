"""Real speech for tests, where it lies; none of it belongs to the project."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streamser.audio.recording import read_recording
from train.corpora import default_root

ROOT = default_root()

needs_corpora = pytest.mark.skipif(
    not ROOT.is_dir(), reason="no corpora: set STREAMSER_CORPORA to their folder"
)


def samples(name: str) -> NDArray[np.int16]:
    """Return a recording below ROOT, (n,) int16 at 16 kHz."""
    return np.concatenate(list(read_recording(ROOT / name)))
