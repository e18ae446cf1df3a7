"""The microphone, over PortAudio."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamser.audio.devices import Device, choose, inputs
from streamser.audio.portaudio import count_streams, renew, within
from streamser.audio.resample import Resampler
from streamser.audio.ring import RingBuffer
from streamser.audio.source import NO_SAMPLES, SAMPLE_RATE, Samples, SourceError

OPEN_TIMEOUT = 3.0
CLOSE_TIMEOUT = 1.0
BLOCK_SECONDS = 0.08
"""Of audio that the device gives at once. A hop of the network: with the last sample of a block a
hop is whole, and smaller blocks would only wake three threads more often."""

BUFFER_SECONDS = 3 * BLOCK_SECONDS
"""Asked of the device. With four blocks and more PortAudio waits for two of them at once."""


class Microphone:
    """Live samples from an input device.

    The device is asked for 16 kHz and one channel. If it refuses, it is heard at its own rate and
    resampled; if it refuses one channel, its first is heard: the channels of a microphone array
    are the same voice at different times (or the loudspeaker), and their mean a comb filter.
    When nobody reads for `max_lag` seconds, the oldest samples are dropped.
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
        self._capture: _Capture | None = None

    def open(self) -> None:
        """Begin, or begin again with the devices that are there now. Raises SourceError."""
        self.close()

        def work(sd: Any) -> _Capture:
            renew(sd)
            return _Capture(sd, choose(inputs(sd), self._wanted), self._max_lag)

        self._capture = within(OPEN_TIMEOUT, work, discard=lambda sd, capture: capture.stop())
        self.name = f"mic:{self._capture.device.name}"
        self.native_rate = self._capture.rate

    def read(self, timeout: float) -> Samples | None:
        """Return the samples that came, at least a block of them; see `Source`."""
        capture = self._capture
        if capture is None:
            raise SourceError(f"{self.name} is not open")
        ring = capture.ring
        if not ring.wait(capture.block, timeout):
            if ring.closed:
                raise SourceError("the device or its sound server went away")
            return NO_SAMPLES
        samples = ring.read()
        dropped, overruns = capture.losses()
        self.dropped += dropped
        self.overruns += overruns
        self.waiting = ring.waiting * SAMPLE_RATE // capture.rate
        return capture.resampler.push(samples)

    def close(self) -> None:
        """Stop; a stream that a frozen sound server holds is left to close when it can."""
        capture, self._capture = self._capture, None
        if capture is not None:
            with contextlib.suppress(SourceError):
                within(CLOSE_TIMEOUT, lambda sd: capture.stop(), patient=True)


class _Capture:
    """One open stream, with its own ring: a stream left behind disturbs no later one."""

    def __init__(self, sd: Any, device: Device, max_lag: float) -> None:
        self.device = device
        self._overflows = 0
        self._told = (0, 0)
        self._stream = self._open(sd, max_lag)
        count_streams(1)
        try:
            self._stream.start()
        except sd.PortAudioError:
            self.stop()
            raise

    def _open(self, sd: Any, max_lag: float) -> Any:
        problem = ""
        native, channels = self.device.rate, self.device.channels
        for rate, heard in ((SAMPLE_RATE, 1), (native, 1), (native, channels)):
            self.rate = rate
            self.block = round(rate * BLOCK_SECONDS)
            self.ring = RingBuffer(max(self.block, round(rate * max_lag)))
            self.resampler = Resampler(rate)
            try:
                return sd.InputStream(
                    device=self.device.number,
                    samplerate=rate,
                    channels=heard,
                    dtype="int16",
                    blocksize=self.block,
                    latency=BUFFER_SECONDS,
                    callback=self._hear,
                    finished_callback=self.ring.close,
                )
            except sd.PortAudioError as error:
                problem = str(error)
        if "unavailable" in problem:
            problem += ": another program may be using it"
        raise SourceError(f"microphone {self.device} cannot be opened: {problem}")

    def _hear(self, block: NDArray[np.int16], frames: int, time: Any, status: Any) -> None:
        if status.input_overflow:
            self._overflows += 1
        self.ring.write(block[:, 0])

    def losses(self) -> tuple[int, int]:
        """Return the samples (at 16 kHz) and how often samples were lost since the last call."""
        dropped = self.ring.dropped * SAMPLE_RATE // self.rate
        overruns = self.ring.overruns + self._overflows
        told, self._told = self._told, (dropped, overruns)
        return dropped - told[0], overruns - told[1]

    def stop(self) -> None:
        self._stream.abort()
        self._stream.close()
        count_streams(-1)
