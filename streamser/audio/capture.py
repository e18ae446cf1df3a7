"""What an open microphone is, whoever delivers its samples."""

from __future__ import annotations

from typing import Protocol

from streamser.audio.source import Samples

BLOCK_SECONDS = 0.08
"""Of audio that is waited for at once. A hop of the network: with the last sample of a block a hop
is whole, and smaller blocks would only wake the process more often."""

OPEN_TIMEOUT = 3.0
"""Seconds after which a microphone that does not open is given up."""

GONE = "the device or its sound server went away"
FROZEN = "the sound server does not answer"


class Capture(Protocol):
    """One open stream from a microphone, begun when it is made. One reader."""

    name: str
    """Of the microphone, for people."""

    rate: int
    """Hertz, as the device delivers it."""

    waiting: int
    """Samples (at 16 kHz) that had come but were not read yet, as of the last `read`."""

    def read(self, timeout: float, blocks: int) -> Samples:
        """Wait up to `timeout` seconds for so many blocks; return all that came until then.

        Int16 mono samples at 16 kHz. Raises SourceError when the stream is at its end.
        """

    def losses(self) -> tuple[int, int]:
        """Return the samples (at 16 kHz) and how often samples were lost since the last call."""

    def stop(self) -> None:
        """Free the microphone; never hangs."""
