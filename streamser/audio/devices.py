"""Which devices can be heard from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from streamser.audio.portaudio import renew, within
from streamser.audio.source import SourceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """An input that PortAudio offers."""

    number: int
    """Index in PortAudio's list; changes when devices come and go."""

    name: str
    api: str
    """Host interface, such as `ALSA`; one device may appear under several."""

    channels: int
    rate: int
    """Hertz, the device's own."""

    default: bool
    """Whether it is heard when none is asked for."""

    def __str__(self) -> str:
        return f"{self.number} ({self.name})"


def list_devices() -> list[Device]:
    """Return the inputs that are there now; none may be. Raises SourceError without PortAudio."""

    def work(sd: Any) -> list[Device]:
        renew(sd)
        return inputs(sd)

    return within(5.0, work)


def inputs(sd: Any) -> list[Device]:
    """Return the inputs of PortAudio's present list. For use in `portaudio.within`."""
    try:
        default = sd.query_devices(kind="input")["index"]
    except sd.PortAudioError:
        default = None
    apis = sd.query_hostapis()
    return [
        Device(
            number=info["index"],
            name=" ".join(info["name"].split()),
            api=apis[info["hostapi"]]["name"],
            channels=info["max_input_channels"],
            rate=round(info["default_samplerate"]),
            default=info["index"] == default,
        )
        for info in sd.query_devices()
        if info["max_input_channels"] > 0
    ]


def choose(devices: Sequence[Device], wanted: str | None) -> Device:
    """Return the device of that number, of that name, or of a name that alone contains `wanted`.

    None is the default device. Raises SourceError that lists the candidates.
    """
    if not devices:
        raise SourceError("no microphone is there: connect one, or start the sound server")
    if wanted is None:
        found = [device for device in devices if device.default]
        problem = "there is no default microphone"
    elif wanted.isdecimal():
        found = [device for device in devices if device.number == int(wanted)]
        problem = f"no microphone has the number {wanted}"
    else:
        key = wanted.casefold()
        found = [device for device in devices if key in device.name.casefold()]
        exact = [device for device in found if device.name.casefold() == key]
        found = exact or found
        problem = f"no microphone is called {wanted!r}"
    if len(found) == 1:
        return found[0]
    if found:
        problem = f"{wanted!r} fits more than one microphone"
    candidates = ", ".join(str(device) for device in found or devices)
    raise SourceError(f"{problem}: choose one of {candidates}")
