"""The microphone."""

from __future__ import annotations

import contextlib

from streamser.audio.capture import Capture
from streamser.audio.soundserver import NoServerError, ServerStream
from streamser.audio.source import SAMPLE_RATE, Samples, SourceError


class Microphone:
    """Live samples from an input device.

    The default one is heard through the sound server where one runs, all others, and it where none
    runs, through PortAudio. When nobody reads for `max_lag` seconds, the oldest samples are
    dropped.
    """

    live = True

    def __init__(self, device: str | None = None, *, max_lag: float = 2.0) -> None:
        """`device`: number or part of the name; None is the default. `max_lag` in seconds."""
        self.name = "mic" if device is None else f"mic:{device}"
        self.native_rate = SAMPLE_RATE
        self.dropped = 0
        self.overruns = 0
        self.waiting = 0
        self._wanted = device
        self._max_lag = max_lag
        self._capture: Capture | None = None

    def open(self) -> None:
        """Begin, or begin again with the devices that are there now. Raises SourceError."""
        self.close()
        self._capture = self._begin()
        self.name = f"mic:{self._capture.name}"
        self.native_rate = self._capture.rate

    def read(self, timeout: float, hops: int = 1) -> Samples | None:
        """Return the samples that came; see `Source`."""
        capture = self._capture
        if capture is None:
            raise SourceError(f"{self.name} is not open")
        samples = capture.read(timeout, hops)
        dropped, overruns = capture.losses()
        self.dropped += dropped
        self.overruns += overruns
        self.waiting = capture.waiting
        return samples

    def close(self) -> None:
        """Stop."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.stop()

    def _begin(self) -> Capture:
        if self._wanted is None:
            with contextlib.suppress(NoServerError):
                return ServerStream(max_lag=self._max_lag)
        from streamser.audio.devicestream import DeviceStream

        return DeviceStream.of(self._wanted, max_lag=self._max_lag)
