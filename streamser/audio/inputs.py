"""From what a user asks for to a source."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from streamser.audio.source import SAMPLE_RATE, Source


def open_source(
    spec: str | os.PathLike[str] | None,
    *,
    rate: int = SAMPLE_RATE,
    paced: bool = True,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Source:
    """Return the source that `spec` names, not begun yet.

    None or `mic` is the default microphone, `mic:NAME` or `mic:NUMBER` the one of that number or
    part of the name, `-` raw s16le mono PCM of `rate` hertz on standard input, any other text and
    every path object the path of a recording, `paced` in real time or as fast as it is read.
    """
    if spec is None or (isinstance(spec, str) and is_microphone(spec)):
        from streamser.audio.microphone import Microphone

        return Microphone((spec or "")[4:] or None)
    if spec == "-":
        from streamser.audio.pcm import PcmPipe

        return PcmPipe(rate)
    from streamser.audio.recording import Recording

    return Recording(os.fspath(spec), paced=paced, clock=clock, sleep=sleep)


def is_microphone(spec: str | None) -> bool:
    """Return whether `spec`, or the name of a source, is of a microphone."""
    return spec is None or spec == "mic" or spec.startswith("mic:")
