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

RATES = range(1000, 768_001)
"""Hertz that a WAV header may tell."""

ENDLESS = 0x7FFF0000
"""Bytes of samples. A WAV header tells so many or more, or none, where its writer cannot know:
arecord 0x80000000, sox 0x7FFFF000, ffmpeg 0xFFFFFFFF."""

READ_SECONDS = 0.25
"""Of audio taken from the pipe at once."""

FORMAT = struct.Struct("<HHIIHH")
"""Of samples, as a WAV header tells it: coding, channels, rate, two rates of bytes, bits."""

BROKEN = "standard input begins like a WAV file but has no samples"

HINT = "arecord -f S16_LE -r {rate} -c 1 | streamser listen --input - --rate {rate}"


class PcmPipe:
    """Signed 16-bit little-endian mono samples from a file descriptor, to its end.

    A WAV header before them, which arecord writes unless told otherwise, gives the rate. Where it
    tells how many there are, what follows them is not heard.
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
        self._left = sys.maxsize  # bytes of samples that are still to come
        self._header: _Header | None = _Header()  # until the first sample
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
            if self._header is not None:
                self._header.end()
            self._ended = True
            return self._resampler.flush()
        if self._header is not None:
            begin = self._header.push(data)
            if begin is None:
                return NO_SAMPLES
            if self._header.wav:
                self._heed(self._header)
            self._header, data = None, begin
        data = data[: self._left]
        self._left -= len(data)
        data = self._rest + data
        whole = len(data) & ~1
        self._rest = data[whole:]
        samples = np.frombuffer(data[:whole], dtype="<i2").astype(np.int16, copy=False)
        return self._resampler.push(samples)

    def close(self) -> None:
        """Leave the pipe as it is: it can be read on after the next `open`."""

    def _heed(self, header: _Header) -> None:
        """Go by what a WAV header tells. Raises UnreadableError for other samples."""
        coding, channels, rate, _, _, bits = FORMAT.unpack(header.coding)
        if coding not in (1, 0xFFFE) or channels != 1 or bits != 16 or rate not in RATES:
            hint = HINT.format(rate=self.native_rate)
            raise UnreadableError(f"standard input is WAV, but not 16-bit mono PCM ({hint})")
        if rate != self.native_rate:
            self.native_rate = rate
            self._resampler = Resampler(rate)
        self._left = header.size


class _Header:
    """What precedes the first sample: a WAV file's chunks up to that of the samples, or nothing."""

    def __init__(self) -> None:
        self.wav = False
        self.coding = b""
        """What the chunk `fmt ` tells in every WAV file."""

        self.size = sys.maxsize
        """Bytes of samples that come."""

        self._rest = b""  # what came and is understood only with what follows it
        self._skip = 0  # bytes before the next chunk

    def push(self, data: bytes) -> bytes | None:
        """Return what came after the header, None while it is not complete.

        Raises UnreadableError where no samples can follow it.
        """
        data = self._rest + data
        if not self.wav:
            if data[:4] != b"RIFF"[: len(data)]:
                return data
            if data[8:12] == b"WAVE":
                self.wav, self._skip = True, 12
            elif len(data) >= 12:
                raise UnreadableError(BROKEN)
        while self.wav:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
            if len(data) < 8:
                break
            name, size = struct.unpack_from("<4sI", data)
            if name == b"data":
                if len(self.coding) < FORMAT.size:
                    raise UnreadableError(BROKEN)
                if 0 < size < ENDLESS:
                    self.size = size
                return data[8:]
            if name == b"fmt ":
                end = 8 + min(size, FORMAT.size)
                if len(data) < end:
                    break
                self.coding = data[8:end]
            self._skip = 8 + size + size % 2
        self._rest = data
        return None

    def end(self) -> None:
        """Nothing more comes. Raises UnreadableError where a header had begun."""
        if self.wav or self._rest:
            raise UnreadableError(BROKEN)
