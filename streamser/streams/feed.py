"""A source that another thread fills: a client's audio."""

from __future__ import annotations

from streamser.audio.resample import Resampler
from streamser.audio.ring import RingBuffer
from streamser.audio.source import NO_SAMPLES, SAMPLE_RATE, Samples
from streamser.streams.format import AudioFormat

SLICE = 0.16
"""Seconds of audio that one read gives at most, so that streams take turns."""


class Feed:
    """What one thread puts is read by another.

    When nobody reads for `backlog` seconds of audio, the oldest samples are dropped and counted.
    Silence is no loss: whatever a client sends comes, however late.
    """

    live = False

    def __init__(self, name: str, audio: AudioFormat, *, backlog: float) -> None:
        self.name = name
        self.native_rate = audio.rate
        self.waiting = 0
        self.dropped = 0
        self.overruns = 0
        self._format = audio
        self._ring = RingBuffer(round(audio.rate * backlog))
        self._slice = round(audio.rate * SLICE)
        self._resampler = Resampler(audio.rate)
        self._rest = b""  # the beginning of a frame whose end has not come
        self._flushed = False

    def put(self, data: bytes) -> None:
        """Append bytes, any number of them; never waits. For the thread that fills."""
        if self._rest:
            data = self._rest + data
        whole = len(data) - len(data) % self._format.frame
        self._rest = data[whole:]
        if whole:
            self._ring.write(self._format.first_channel(data[:whole]))

    def end(self) -> None:
        """Nothing more will be put."""
        self._ring.close()

    @property
    def full(self) -> bool:
        """Whether 160 ms more may push out what waits."""
        return self._ring.waiting > self._ring.capacity - self._slice

    @property
    def busy(self) -> bool:
        """Whether a read would not be in vain."""
        return self._ring.waiting > 0 or self._ring.closed

    def open(self) -> None:
        """Nothing is to be done."""

    def read(self, timeout: float, hops: int = 1) -> Samples | None:
        """Return what waits, 160 ms of it at most; None at the end. Never waits."""
        closed = self._ring.closed  # before the look, so that nothing comes between the two
        samples = self._ring.read(self._slice)
        self.dropped = self._ring.dropped * SAMPLE_RATE // self.native_rate
        self.overruns = self._ring.overruns
        self.waiting = self._ring.waiting * SAMPLE_RATE // self.native_rate
        if len(samples):
            return self._resampler.push(samples)
        if not closed:
            return NO_SAMPLES
        if self._flushed:
            return None
        self._flushed = True
        return self._resampler.flush()

    def close(self) -> None:
        """Nothing is held."""
