"""The sound cards that the kernel knows, and which of them is heard without further ado."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROC, NODES = Path("/proc/asound"), Path("/dev/snd")
"""Where the kernel tells of them, and where they are opened: a container may lack these."""

_FILES = ("/etc/asound.conf", "~/.asoundrc", "~/.config/alsa/asoundrc")
_VARIABLES = ("ALSA_CONFIG_PATH", "ALSA_CARD", "ALSA_PCM_CARD")
"""Where a user may have told ALSA which microphone is the default one."""


@dataclass(frozen=True, slots=True)
class SoundCard:
    """A device of a card that records."""

    card: int
    device: int
    name: str
    """As PortAudio calls it: `USB PnP Sound Device: Audio (hw:1,0)`."""

    path: str
    """Of the device node."""


def sound_cards(proc: Path = PROC, nodes: Path = NODES) -> list[SoundCard]:
    """Return what can record and is there, in the order of the kernel."""
    try:
        cards = (proc / "cards").read_text(errors="replace")
        devices = (proc / "pcm").read_text(errors="replace")
    except OSError:
        return []
    names: dict[int, str] = {}
    for line in cards.splitlines():
        number, _, rest = line.strip().partition(" [")
        if number.isdecimal():
            name = " ".join(rest.partition("]: ")[2].partition(" - ")[2].split())
            names.setdefault(int(number), name)
    found = []
    for line in devices.splitlines():
        numbers, _, rest = line.partition(": ")
        _, *fields = rest.split(" : ")
        first, _, second = numbers.partition("-")
        if not (first.isdecimal() and second.isdecimal() and len(fields) > 1):
            continue
        card, device = int(first), int(second)
        node = nodes / f"pcmC{card}D{device}c"
        records = any(ability.startswith("capture") for ability in fields[1:])
        if records and os.access(node, os.F_OK):
            of = names.get(card, "")
            name = f"{of}: {_besides(of, fields[0])} (hw:{card},{device})"
            found.append(SoundCard(card, device, name, str(node)))
    return found


def chosen(cards: Sequence[SoundCard], wanted: str | None) -> SoundCard | None:
    """Return the one card whose name contains `wanted`; None where it takes more to tell.

    The default one is the first, unless ALSA has a default of its own: a configuration, or
    a first card that records and may be shared.
    """
    if wanted is None:
        return cards[0] if cards and cards[0].card and not configured() else None
    fitting = [card for card in cards if wanted.casefold() in card.name.casefold()]
    return fitting[0] if len(fitting) == 1 and not wanted.isdecimal() else None


def configured() -> bool:
    """Whether a user may have told ALSA which devices there are, and which is the default one."""
    own = any(map(os.path.exists, map(os.path.expanduser, _FILES)))
    return own or any(name in os.environ for name in _VARIABLES)


def _besides(card: str, name: str) -> str:
    """Return what a device's name says besides its card's."""
    words, told = name.split(), card.split()
    while words and told and words[0] == told[0]:
        words, told = words[1:], told[1:]
    return " ".join(words) or "-"
