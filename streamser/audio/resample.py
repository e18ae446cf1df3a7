"""Any sample rate to 16 kHz, as a stream."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from streamser.audio.source import SAMPLE_RATE, Samples


class Resampler:
    """Mono samples at `rate` in, int16 mono samples at 16 kHz out; bit-equal for any chunking.

    soxr's high quality (flat to 7.3 kHz, images below -100 dB, no dither: silence stays zero). It
    works block by block, so what comes out trails what went in by up to 40 ms from 22.05 kHz on,
    80 ms from 192 kHz and 115 ms from 8 kHz. At 16 kHz samples pass through at once.
    """

    def __init__(self, rate: int) -> None:
        """`rate` in hertz."""
        self._stream: Any = None
        if rate != SAMPLE_RATE:
            import soxr

            self._stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")

    def push(
        self, samples: NDArray[np.int16] | NDArray[np.float32], *, last: bool = False
    ) -> Samples:
        """Return what is ready after `samples`, shape (n,), on the scale of int16.

        `last` ends the stream: the rest comes out too, so that n samples have become
        round(n * 16000 / rate); nothing may be pushed after it.
        """
        if self._stream is not None:
            samples = self._stream.resample_chunk(samples.astype(np.float32), last=last)
        return to_int16(samples)

    def flush(self) -> Samples:
        """End the stream; return its rest."""
        return self.push(np.empty(0, dtype=np.float32), last=True)


def to_int16(samples: NDArray[np.int16] | NDArray[np.float32]) -> Samples:
    """Round samples on the scale of int16, clipping what is beyond it."""
    if samples.dtype == np.int16:
        return cast(Samples, samples)
    return cast(Samples, np.rint(np.clip(samples, -32768, 32767)).astype(np.int16))
