"""How a client's samples are laid out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamser.audio.source import Samples

LOWEST, HIGHEST = 8_000, 192_000
"""Hertz that a client may send."""

CHANNELS = 16
"""At most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFormat:
    """Signed 16-bit little-endian samples, channels interleaved. Raises ValueError."""

    rate: int
    """Hertz."""

    channels: int = 1

    def __post_init__(self) -> None:
        if not LOWEST <= self.rate <= HIGHEST:
            raise ValueError(f"rate has to be from {LOWEST} to {HIGHEST} Hz")
        if not 1 <= self.channels <= CHANNELS:
            raise ValueError(f"channels has to be from 1 to {CHANNELS}")

    @property
    def frame(self) -> int:
        """Bytes of one sample of all channels."""
        return 2 * self.channels

    def seconds(self, size: int) -> float:
        """Return how long `size` bytes last."""
        return size / (self.frame * self.rate)

    def first_channel(self, data: bytes) -> Samples:
        """Return the samples of the first channel, as of a microphone with several.

        `data` has to be whole frames.
        """
        return np.frombuffer(data, dtype="<i2")[:: self.channels].astype(np.int16, copy=False)
