"""The microphones that there are, and the one that is heard."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

from streamser.audio.capture import Capture
from streamser.audio.devices import Device, choose, fitting
from streamser.audio.serverlink import NoServerError, server_devices
from streamser.audio.soundcards import chosen, sound_cards
from streamser.audio.soundserver import ServerStream
from streamser.audio.source import SAMPLE_RATE, Samples, SourceError


class Microphone:
    """Live samples from an input device.

    What the sound server has is heard through it, where one runs: its default microphone, and those
    of a name. A sound card is heard from the kernel. All others are heard through PortAudio, and
    cards that need ALSA's plugins. When nobody reads for `max_lag` seconds, the
    oldest samples are dropped.
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
        served: list[Device] = []
        if self._wanted is None:
            with contextlib.suppress(NoServerError):
                return ServerStream(max_lag=self._max_lag)
        elif fitting(served := server_devices(), self._wanted):
            return ServerStream(choose(served, self._wanted), max_lag=self._max_lag)
        if (card := chosen(sound_cards(), self._wanted)) is not None:
            from streamser.audio.alsapcm import UnfitError
            from streamser.audio.cardstream import CardStream

            with contextlib.suppress(UnfitError):
                return CardStream(card, max_lag=self._max_lag)
        from streamser.audio.devicestream import DeviceStream

        return DeviceStream.of(self._wanted, besides=served, max_lag=self._max_lag)


def list_devices() -> list[Device]:
    """Return the inputs that are there now; none may be.

    Raises SourceError where there is no sound server and no PortAudio, or they do not answer.
    """
    from streamser.audio.portaudio import inputs, renew, within

    def work(sd: Any) -> list[Device]:
        renew(sd)
        return inputs(sd)

    served = server_devices()
    try:
        others = within(5.0, work)
    except SourceError:
        if not served:
            raise
        others = []
    if any(device.default for device in served):
        others = [dataclasses.replace(device, default=False) for device in others]
    return served + others
