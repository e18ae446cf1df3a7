"""When PortAudio has to look for devices again.

Each time it does, libraries below it may keep some kilobytes for ever. Debian's libjack does where
it cannot open its database: up to 170 MB for a day without a microphone.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from streamser.audio.devices import Device

SETTLING = 30.0
"""Seconds after a change in which it looks each time: what appears may not be of use at once."""

UNSEEN = 300.0
"""Seconds after which it looks again where no change is seen: of all that ALSA's plugins lead to,
some shows nowhere."""


class Renewal:
    """Knows from Linux whether the devices may have changed; other systems do not tell."""

    def __init__(
        self, *, root: Path = Path("/"), clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`root` is the folder of /dev, /proc and /sys."""
        self._root = root
        self._clock = clock
        self._signs: tuple[object, ...] | None = None
        self._changed_at = self._looked_at = -math.inf

    def due(self, served: Sequence[Device]) -> bool:
        """Return whether it has to look now; if so, it is taken to do it.

        `served` is what the sound server has: with it, ALSA's devices come and go that lead there.
        """
        now = self._clock()
        signs = (*served, *_signs(self._root))
        if signs != self._signs:
            self._signs, self._changed_at = signs, now
        told = sys.platform == "linux"
        if told and now - self._changed_at > SETTLING and now - self._looked_at < UNSEEN:
            return False
        self._looked_at = now
        return True


def _signs(root: Path) -> Iterator[object]:
    """What the kernel has, what of it may be opened, what of that is free; and servers of JACK's.

    A container may lack any of these.
    """
    for pattern in ("sys/class/sound/*", "dev/snd/*", "dev/shm/jack_*_0"):
        for path in sorted(root.glob(pattern)):
            with contextlib.suppress(OSError):
                yield str(path), path.lstat().st_ino, os.access(path, os.R_OK)
    for path in sorted(root.glob("proc/asound/card*/pcm*c/info")):
        with contextlib.suppress(OSError):
            yield path.read_bytes()
