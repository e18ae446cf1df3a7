"""Ctrl-C, SIGTERM, Ctrl-Z and a closed terminal, as polite requests."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

_REASONS = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "terminal closed"}


class Stopping:
    """Calls `stop(reason)` at the first signal; a second one ends the process as usual."""

    def __init__(self, stop: Callable[[str], None]) -> None:
        self._stop = stop
        self._before: dict[signal.Signals, Any] = {}
        self.asked = False
        """Whether a signal came."""

    def __enter__(self) -> Stopping:
        for name in _REASONS:
            number = getattr(signal, name, None)
            # What the parent ignores stays ignored: nohup, or a job in the background.
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *raised: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        for handled, handler in self._before.items():
            signal.signal(handled, handler)
        self._stop(_REASONS[signal.Signals(number).name])


class Suspending:
    """Notes Ctrl-Z, so that the terminal can be put in order before the process is suspended."""

    def __init__(self) -> None:
        self._asked = False

    def due(self) -> bool:
        """Return whether Ctrl-Z was pressed since the last call."""
        asked, self._asked = self._asked, False
        return asked

    def suspend(self) -> None:
        """Stand still until the shell's `fg`."""
        os.kill(os.getpid(), signal.SIGSTOP)

    def __enter__(self) -> Suspending:
        if hasattr(signal, "SIGTSTP"):
            signal.signal(signal.SIGTSTP, self._handle)
        return self

    def __exit__(self, *raised: object) -> None:
        if hasattr(signal, "SIGTSTP"):
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._asked = True


def terminate_like_interrupt() -> None:
    """Let SIGTERM unwind the program as Ctrl-C does."""

    def handle(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, handle)
