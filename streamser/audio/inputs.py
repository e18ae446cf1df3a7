"""From what a user asks for to a source."""

from __future__ import annotations

import time
from collections.abc import Callable

from streamser.audio.source import SAMPLE_RATE, Source


def open_source(
    spec: str | None,
    *,
    rate: int = SAMPLE_RATE,
    paced: bool = True,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Source:
    """Return the source that `spec` names, not begun yet.

    None or `mic` is the default microphone, `mic:NAME` or `mic:NUMBER` the one of that number or
    part of the name, `-` raw s16le mono PCM of `rate` hertz on standard input, anything else the
    path of a recording, `paced` in real time or as fast as it is read.
    """
    name = "mic" if spec is None else spec
    if is_microphone(name):
        from streamser.audio.microphone import Microphone

        return Microphone(name[4:] or None)
    if name == "-":
        from streamser.audio.pcm import PcmPipe

        return PcmPipe(rate)
    from streamser.audio.recording import Recording

    return Recording(name, paced=paced, clock=clock, sleep=sleep)


def is_microphone(spec: str | None) -> bool:
    """Return whether `spec`, or the name of a source, is of a microphone."""
    return spec is None or spec == "mic" or spec.startswith("mic:")
