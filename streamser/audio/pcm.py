"""PCM from a pipe, such as `arecord -f S16_LE -r 16000 -c 1 | streamser listen --input -`."""

from __future__ import annotations

import os
import select
import struct
import sys

import numpy as np

from streamser.audio.resample import Resampler
from streamser.audio.source import (
    NO_SAMPLES,
    SAMPLE_RATE,
    Samples,
    SourceError,
    UnreadableError,
)

HEADER_BYTES = 4096
"""In which a WAV header must end."""

RATES = range(1000, 768_001)
"""Hertz that a WAV header may tell."""

READ_SECONDS = 0.25
"""Of audio taken from the pipe at once."""

HINT = "arecord -f S16_LE -r {rate} -c 1 | streamser listen --input - --rate {rate}"


class PcmPipe:
    """Signed 16-bit little-endian mono samples from a file descriptor, to its end.

    A WAV header before them, which arecord writes unless told otherwise, gives the rate.
    Nothing is dropped: a slow reader makes the writer wait. A pipe that falls silent counts as a
    lost microphone; it stays open meanwhile, and `open` goes on with what comes next.
    """

    live = True

    def __init__(self, rate: int = SAMPLE_RATE, *, fd: int | None = None) -> None:
        """`rate` in hertz; `fd` is standard input if None."""
        self.name = "-"
        self.native_rate = rate
        self.dropped = 0
        self.overruns = 0
        self.waiting = 0
        self._fd = fd
        self._resampler = Resampler(rate)
        self._rest = b""  # the first byte of a sample whose second has not come
        self._begun = False
        self._ended = False

    def open(self) -> None:
        """Begin. Raises SourceError when standard input is closed or a terminal."""
        if self._fd is None:
            try:
                self._fd = sys.stdin.fileno()
            except (AttributeError, OSError, ValueError) as error:
                raise UnreadableError("standard input is closed") from error
        if os.isatty(self._fd):
            hint = HINT.format(rate=self.native_rate)
            raise UnreadableError(f"standard input is a terminal: pipe audio into it ({hint})")

    def read(self, timeout: float, hops: int = 1) -> Samples | None:
        """Return the samples that came, None at the end; see `Source`."""
        if self._fd is None:
            raise SourceError("standard input is not open")
        if self._ended:
            return None
        try:
            if not select.select([self._fd], [], [], timeout)[0]:
                return NO_SAMPLES
            data = os.read(self._fd, 2 * max(1, round(self.native_rate * READ_SECONDS)))
        except OSError as error:
            raise UnreadableError(f"standard input cannot be read: {error.strerror}") from error
        if not data:
            self._ended = True
            return self._resampler.flush()
        data = self._rest + data
        if not self._begun:
            start = self._first_sample(data)
            if start is None:
                self._rest = data
                return NO_SAMPLES
            self._begun = True
            data = data[start:]
        whole = len(data) & ~1
        self._rest = data[whole:]
        samples = np.frombuffer(data[:whole], dtype="<i2").astype(np.int16, copy=False)
        return self._resampler.push(samples)

    def close(self) -> None:
        """Leave the pipe as it is: it can be read on after the next `open`."""

    def _first_sample(self, data: bytes) -> int | None:
        """Return the offset of the first sample; None while a WAV header is not complete."""
        if not data.startswith(b"RIFF"):
            return None if b"RIFF".startswith(data) else 0
        body = data.find(b"data", 12) + 8
        if body < 8 or len(data) < body:
            if len(data) < HEADER_BYTES:
                return None
            raise UnreadableError("standard input begins like a WAV file but has no samples")
        coding, channels, rate, _, _, bits = struct.unpack_from(
            "<HHIIHH", data, data.find(b"fmt ", 12, body) + 8
        )
        if coding not in (1, 0xFFFE) or channels != 1 or bits != 16 or rate not in RATES:
            hint = HINT.format(rate=self.native_rate)
            raise UnreadableError(f"standard input is WAV, but not 16-bit mono PCM ({hint})")
        if rate != self.native_rate:
            self.native_rate = rate
            self._resampler = Resampler(rate)
        return body
