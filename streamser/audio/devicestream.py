"""A stream from a device of PortAudio's."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamser.audio.capture import BLOCK_SECONDS, GONE, OPEN_TIMEOUT
from streamser.audio.devices import Device, choose
from streamser.audio.portaudio import count_streams, inputs, renew, within
from streamser.audio.renewal import Renewal
from streamser.audio.resample import Resampler
from streamser.audio.ring import RingBuffer
from streamser.audio.source import SAMPLE_RATE, Samples, SourceError

CLOSE_TIMEOUT = 1.0

BUFFER_SECONDS = 3 * BLOCK_SECONDS
"""Asked of the device. With four blocks and more PortAudio waits for two of them at once."""

_renewal = Renewal()
"""Of the one list of devices that PortAudio has."""


class DeviceStream:
    """One open stream, with its own ring: a stream left behind disturbs no later one.

    The device is asked for 16 kHz and one channel. If it refuses, it is heard at its own rate and
    resampled; if it refuses one channel, its first is heard: the channels of a microphone array
    are the same voice at different times (or the loudspeaker), and their mean a comb filter.
    """

    @staticmethod
    def of(wanted: str | None, *, besides: Sequence[Device], max_lag: float) -> DeviceStream:
        """Open the device of that number or name, or the default one; see `devices.choose`.

        None of those `besides` fits; they are named where none of PortAudio's does either.

        Raises SourceError.
        """

        def work(sd: Any) -> DeviceStream:
            renew(sd, lambda: _renewal.due(besides))
            return DeviceStream(sd, choose([*besides, *inputs(sd)], wanted), max_lag)

        return within(OPEN_TIMEOUT, work, discard=lambda sd, stream: stream._stop())

    def __init__(self, sd: Any, device: Device, max_lag: float) -> None:
        """For use in `portaudio.within`. Raises SourceError."""
        self.name = device.name
        self.waiting = 0
        self._overflows = 0
        self._told = (0, 0)
        self._stream = self._open(sd, device, max_lag)
        count_streams(1)
        try:
            self._stream.start()
        except sd.PortAudioError:
            self._stop()
            raise

    def _open(self, sd: Any, device: Device, max_lag: float) -> Any:
        problem = ""
        for rate, heard in ((SAMPLE_RATE, 1), (device.rate, 1), (device.rate, device.channels)):
            self.rate = rate
            self._block = round(rate * BLOCK_SECONDS)
            self._ring = RingBuffer(max(self._block, round(rate * max_lag)))
            self._resampler = Resampler(rate)
            try:
                return sd.InputStream(
                    device=device.number,
                    samplerate=rate,
                    channels=heard,
                    dtype="int16",
                    blocksize=self._block,
                    latency=BUFFER_SECONDS,
                    callback=self._hear,
                    finished_callback=self._ring.close,
                )
            except sd.PortAudioError as error:
                problem = str(error)
        if "unavailable" in problem:
            problem += ": another program may be using it"
        raise SourceError(f"microphone {device} cannot be opened: {problem}")

    def _hear(self, block: NDArray[np.int16], frames: int, time: Any, status: Any) -> None:
        if status.input_overflow:
            self._overflows += 1
        self._ring.write(block[:, 0])

    def read(self, timeout: float, blocks: int) -> Samples:
        """See `Capture`."""
        ring = self._ring
        if not ring.wait(blocks * self._block, timeout) and ring.closed:
            raise SourceError(GONE)
        samples = ring.read()
        self.waiting = ring.waiting * SAMPLE_RATE // self.rate
        return self._resampler.push(samples)

    def losses(self) -> tuple[int, int]:
        """See `Capture`."""
        dropped = self._ring.dropped * SAMPLE_RATE // self.rate
        overruns = self._ring.overruns + self._overflows
        told, self._told = self._told, (dropped, overruns)
        return dropped - told[0], overruns - told[1]

    def stop(self) -> None:
        """Stop; a stream that a frozen sound server holds is left to close when it can."""
        with contextlib.suppress(SourceError):
            within(CLOSE_TIMEOUT, lambda sd: self._stop(), patient=True)

    def _stop(self) -> None:
        self._stream.abort()
        self._stream.close()
        count_streams(-1)
