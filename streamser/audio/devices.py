"""Devices that can be heard from, and which of them is meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streamser.audio.source import SourceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """An input that the sound server or PortAudio offers."""

    number: int | None
    """Index in PortAudio's list; changes when devices come and go. The server's have none."""

    name: str
    api: str
    """`sound server`, or PortAudio's interface, such as `ALSA`; one may appear under several."""

    channels: int
    rate: int
    """Hertz, the device's own."""

    default: bool
    """Whether it is heard when none is asked for."""

    key: str | None = None
    """What the sound server calls it."""

    @property
    def monitor(self) -> bool:
        """Whether the sound server gives here what it plays, not what a microphone hears."""
        return self.key is not None and self.key.endswith(".monitor")

    def __str__(self) -> str:
        return self.name if self.number is None else f"{self.number} ({self.name})"


def fitting(devices: Sequence[Device], wanted: str) -> list[Device]:
    """Return the devices of that number, else of that name, else of names that contain `wanted`.

    A monitor only where nothing else fits.
    """
    if wanted.isdecimal():
        return [device for device in devices if device.number == int(wanted)]
    key = wanted.casefold()
    exact = [d for d in devices if key == d.name.casefold() or wanted == d.key]
    found = exact or [device for device in devices if key in device.name.casefold()]
    return [device for device in found if not device.monitor] or found


def choose(devices: Sequence[Device], wanted: str | None) -> Device:
    """Return the one device that fits `wanted`; None is the default device.

    Raises SourceError that lists the candidates.
    """
    if not devices:
        raise SourceError("no microphone is there: connect one, or start the sound server")
    if wanted is None:
        found = [device for device in devices if device.default]
        problem = "there is no default microphone"
    else:
        found = fitting(devices, wanted)
        told = f"has the number {wanted}" if wanted.isdecimal() else f"is called {wanted!r}"
        problem = f"no microphone {told}"
    if len(found) == 1:
        return found[0]
    if found:
        problem = f"{wanted!r} fits more than one microphone"
    candidates = ", ".join(str(device) for device in found or devices)
    raise SourceError(f"{problem}: choose one of {candidates}")
