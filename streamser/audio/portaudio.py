"""PortAudio at arm's length: a call that a frozen sound server holds is given up."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from streamser.audio.capture import FROZEN
from streamser.audio.devices import Device
from streamser.audio.soundcards import configured
from streamser.audio.source import SourceError

T = TypeVar("T")

MISSING = (
    "PortAudio is not installed: install the Debian package libportaudio2"
    " (sudo apt-get install libportaudio2)"
)

ENCODER = "a52"
"""A device of ALSA's that only plays. PortAudio opens every device once to look at it, and with the
plugin of this one come libavcodec and a hundred libraries more, which stay: 14 MB, and half of the
time it takes to find the microphone."""

JACK = "jack"
"""A device of ALSA's that leads to JACK, where PortAudio goes by itself. Each look at it may lose
six kilobytes, see `renewal`."""

_turn = threading.Lock()
"""Held by the one call that PortAudio works on: it is not thread-safe."""

_streams = 0
"""Open streams; PortAudio's list of devices can be renewed only while there are none."""

_current = False
"""Whether PortAudio has looked for devices just now, when it was loaded."""


def within(
    seconds: float,
    work: Callable[[Any], T],
    *,
    discard: Callable[[Any, T], None] | None = None,
    patient: bool = False,
) -> T:
    """Return `work(sounddevice)`, done on a thread of its own.

    Raises SourceError when it fails, when it takes longer than `seconds`, and, until an earlier
    call that took longer has returned, at once, unless `patient`: then it is done after that one.
    A result that comes too late goes to `discard`.
    """
    call = _Call(work, discard, patient)
    threading.Thread(target=call.run, name="portaudio", daemon=True).start()
    return call.result(seconds)


def inputs(sd: Any) -> list[Device]:
    """Return the inputs of PortAudio's present list. For use in `within`."""
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


def renew(sd: Any, due: Callable[[], bool] = lambda: True) -> None:
    """Let PortAudio look for devices again where that is `due`, unless a stream is open.

    For use in `within`.
    """
    global _current
    if _current:
        _current = False
    elif _streams == 0 and due():
        _keep_plugins()
        while sd._initialized:
            sd._terminate()
        _leave_out()
        sd._initialize()


def count_streams(change: int) -> None:
    """Note that a stream was opened (1) or closed (-1). For use in `within`."""
    global _streams
    _streams += change


@functools.cache
def _keep_plugins() -> None:
    """Keep ALSA's plugins loaded.

    PortAudio's look at each device loads and unloads them; some lose kilobytes each time, which
    would be many megabytes for a day without a microphone.
    """
    for pattern in ("lib*/alsa-lib", "lib/*/alsa-lib"):
        for plugin in Path("/usr").glob(f"{pattern}/libasound_module_pcm_*.so"):
            if not plugin.name.endswith(tuple(f"_{name}.so" for name in _left_out())):
                with contextlib.suppress(OSError):
                    ctypes.CDLL(str(plugin))


def _left_out() -> tuple[str, ...]:
    """The devices of ALSA's that are not looked at; a user's own may lead to JACK's."""
    return (ENCODER,) if configured() else (ENCODER, JACK)


def _leave_out() -> None:
    """Take devices out of ALSA's configuration, as this process sees it."""
    try:
        alsa = ctypes.CDLL("libasound.so.2")
    except OSError:
        return
    if alsa.snd_config_update() < 0:
        return
    top, found = ctypes.c_void_p.in_dll(alsa, "snd_config"), ctypes.c_void_p()
    for name in _left_out():
        if alsa.snd_config_search(top, f"pcm.{name}".encode(), ctypes.byref(found)) == 0:
            alsa.snd_config_delete(found)


class _Call(Generic[T]):
    def __init__(
        self,
        work: Callable[[Any], T],
        discard: Callable[[Any, T], None] | None,
        patient: bool,
    ) -> None:
        self._work = work
        self._discard = discard
        self._patience = -1 if patient else 0.5
        self._settled = threading.Lock()  # taken once, by delivery or by giving up
        self._done = threading.Event()
        self._value: T
        self._error: Exception | None = None

    def run(self) -> None:
        """Do the work in PortAudio's turn."""
        if not _turn.acquire(timeout=self._patience):
            self._error = SourceError(FROZEN)
            self._deliver()
            return
        try:
            sd = _load()
            self._value = self._work(sd)
            if not self._deliver() and self._discard is not None:
                with contextlib.suppress(Exception):
                    self._discard(sd, self._value)
        except Exception as error:
            self._error = error
            self._deliver()
        finally:
            _turn.release()

    def result(self, seconds: float) -> T:
        """Wait for the work; raise SourceError when it failed or takes longer than `seconds`."""
        if not self._done.wait(seconds) and self._settled.acquire(blocking=False):
            _forget_at_exit()
            raise SourceError(FROZEN)
        if isinstance(self._error, SourceError):
            raise self._error
        if self._error is not None:
            raise SourceError(" ".join(str(self._error).split())) from self._error
        return self._value

    def _deliver(self) -> bool:
        delivered = self._settled.acquire(blocking=False)
        self._done.set()
        return delivered


def _load() -> Any:
    global _current
    if "sounddevice" not in sys.modules:
        _current = True
        _leave_out()
    try:
        import sounddevice
    except OSError as error:
        raise SourceError(MISSING) from error
    return sounddevice


def _forget_at_exit() -> None:
    """Leave PortAudio as it is when the process ends: terminating it would wait, too."""
    handler = getattr(sys.modules.get("sounddevice"), "_exit_handler", None)
    if handler is not None:
        atexit.unregister(handler)
