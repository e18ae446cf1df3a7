"""What the doctor looks at: each check yields findings."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Literal

from streamser.cli.failure import explain

if TYPE_CHECKING:
    from streamser.config import Config
    from streamser.model.bundle import Bundle

State = Literal["ok", "warning", "broken"]

_LIBRARIES = (
    ("numpy", "numpy"),
    ("webrtcvad", "webrtcvad-wheels"),
    ("soundfile", "soundfile"),
    ("soxr", "soxr"),
    ("rich", "rich"),
)
"""Modules and the distributions they come from."""

_UNFIT = "`streamser serve` does not start with it; if that runs as another user, check as that one"

_LISTEN = 0.5
_PATIENCE = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found."""

    check: str
    state: State
    """`warning` hinders only part of what streamser does; `broken` is needed."""

    detail: str
    mend: str | None = None
    """What to do about it."""


def examine(
    config: Config | Exception, *, model: str | None, source: str | None
) -> Iterator[Finding]:
    """Check everything, the daemon's configuration too; an exception tells why there is none.

    `model` and `source`, the microphone, are the configuration's if None.
    """
    profile = None
    if not isinstance(config, Exception):
        from streamser.audio.nothing import NOTHING

        listen = config.listen
        model, profile = listen.model if model is None else model, listen.profile
        if source is None and listen.input != "mic":
            source = NOTHING if listen.input == "-" else listen.input
    checks: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
        ("python", _python),
        ("library", _libraries),
        ("interpreter", _interpreter),
        ("model", lambda: _model(model, profile)),
        ("portaudio", _portaudio),
        ("microphones", _microphones),
        ("listening", _listening),
        ("audio", lambda: _audio(source)),
        ("serve", lambda: _serve(config)),
    )
    for name, check in checks:
        try:
            yield from check()
        except Exception as error:
            yield Finding(check=name, state="broken", detail=explain(error))


def _python() -> Iterator[Finding]:
    version, bits = platform.python_version(), 64 if sys.maxsize > 2**32 else 32
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding(
        check="python",
        state="ok" if fits and bits == 64 else "broken",
        detail=f"{version}, {bits}-bit, {platform.system()} {platform.machine()}",
        mend=None if fits and bits == 64 else "use a 64-bit Python from 3.11 to 3.13",
    )


def _libraries() -> Iterator[Finding]:
    for module, distribution in _LIBRARIES:
        try:
            import_module(module)
            version = metadata.version(distribution)
        except (ImportError, OSError) as error:
            yield Finding(
                check=module,
                state="broken",
                detail=" ".join(str(error).split()),
                mend=f"pip install --force-reinstall {distribution}",
            )
        else:
            yield Finding(check=module, state="ok", detail=version)


def _interpreter() -> Iterator[Finding]:
    from streamser.model.interpreter import NetworkError, runtime_name

    try:
        name = runtime_name()
    except NetworkError as error:
        yield Finding(check="interpreter", state="broken", detail=str(error))
        return
    slow = name != "ai-edge-litert"
    yield Finding(
        check="interpreter",
        state="warning" if slow else "ok",
        detail=f"{name} {metadata.version(name)}",
        mend="pip install ai-edge-litert, which is faster" if slow else None,
    )


def _model(model: str | None, profile: str | None) -> Iterator[Finding]:
    """Load the model, which checks its sums and shapes, and let it hear the bundled clip.

    A profile has to suit it.
    """
    from streamser.analysis.analyzer import Analyzer
    from streamser.audio.recording import read_recording
    from streamser.audio.source import SAMPLE_RATE
    from streamser.clip import demo_clip
    from streamser.events import Utterance
    from streamser.model.bundle import load
    from streamser.model.manifest import BundleError

    try:
        bundle = load(model)
    except BundleError as error:
        mend = "install streamser again, or choose another with --model or listen.model"
        yield Finding(check="model", state="broken", detail=str(error), mend=mend)
        return
    yield Finding(check="model", state="ok", detail=f"{bundle.info.name} {bundle.info.version}")
    if profile is not None:
        yield _profile(profile, bundle)
    analyzer = Analyzer(model=bundle)
    blocks = list(read_recording(demo_clip()))
    began = time.perf_counter()
    events = [event for block in blocks for event in analyzer.push(block)] + analyzer.finish()
    took = time.perf_counter() - began
    heard = sum(isinstance(event, Utterance) for event in events)
    seconds = sum(map(len, blocks)) / SAMPLE_RATE
    yield Finding(
        check="self-test",
        state="ok" if heard else "broken",
        detail=f"{seconds:.1f} s of the bundled clip in {took:.2f} s, {heard} utterances",
        mend=None if heard else "no utterance was found in clear speech: install streamser again",
    )


def _profile(name: str, bundle: Bundle) -> Finding:
    from streamser.analysis.profile import ProfileError, load_profile, shift

    try:
        shift(bundle, load_profile(name))
    except ProfileError as error:
        return Finding(check="profile", state="broken", detail=str(error), mend=_UNFIT)
    return Finding(check="profile", state="ok", detail=name)


def _portaudio() -> Iterator[Finding]:
    from streamser.audio.portaudio import within
    from streamser.audio.source import SourceError

    try:
        version = within(5.0, lambda sd: str(sd.get_portaudio_version()[1]).split(",")[0])
    except SourceError as error:
        yield Finding(check="sounddevice", state="broken", detail=str(error))
    else:
        yield Finding(
            check="sounddevice", state="ok", detail=f"{metadata.version('sounddevice')}, {version}"
        )


def _microphones() -> Iterator[Finding]:
    from streamser.audio.microphone import list_devices
    from streamser.audio.source import SourceError

    try:
        devices = list_devices()
    except SourceError as error:
        yield Finding(check="microphones", state="warning", detail=str(error))
        return
    if devices:
        default = next((str(device) for device in devices if device.default), "none")
        detail = f"{len(devices)}, the default is {default}"
        yield Finding(check="microphones", state="ok", detail=detail)
        return
    yield Finding(
        check="microphones",
        state="warning",
        detail="none; recordings and raw PCM on standard input can be analysed all the same",
        mend="connect one, start PipeWire or PulseAudio, or join the group `audio`",
    )


def _listening() -> Iterator[Finding]:
    from streamser.cli.exposure import listening

    for check, detail in listening():
        yield Finding(check=check, state="ok", detail=detail)


def _serve(config: Config | Exception) -> Iterator[Finding]:
    """Tell what the daemon would listen to, whom it would let hear of it, and why it would not."""
    if isinstance(config, Exception):
        raise config
    from streamser.cli.exposure import configured
    from streamser.config import Config
    from streamser.daemon import check
    from streamser.flow import Flow
    from streamser.outputs.switchboard import Switchboard

    if config == Config():
        detail = "no configuration: it would let nothing out"
        yield Finding(check="serve", state="ok", detail=detail)
        return
    faults = Switchboard(Flow()).faults(config)
    for name, detail, mend in configured(config):
        state: State = "ok" if mend is None else "warning"
        if name in faults:
            # A socket lacks a folder of the environment; the daemon's own may have it.
            state, detail, mend = "warning" if name == "socket" else "broken", faults[name], _UNFIT
        yield Finding(check=f"[{name}]", state=state, detail=detail, mend=mend)
    check(config)


def _audio(source: str | None) -> Iterator[Finding]:
    """Listen for half a second."""
    from streamser.audio.inputs import open_source
    from streamser.audio.microphone import list_devices
    from streamser.audio.nothing import NOTHING
    from streamser.audio.source import SAMPLE_RATE, SourceError

    try:
        if source == NOTHING or (source is None and not list_devices()):
            return
        microphone = open_source(source)
        microphone.open()
    except SourceError as error:
        yield Finding(check="audio", state="broken", detail=str(error))
        return
    heard, loudest, deadline = 0, 0, time.monotonic() + _PATIENCE
    try:
        while heard < _LISTEN * SAMPLE_RATE and time.monotonic() < deadline:
            samples = microphone.read(0.1)
            if samples is None:
                break
            heard += len(samples)
            loudest = max(loudest, int(abs(samples.astype("int32")).max(initial=0)))
    except SourceError as error:
        yield Finding(check="audio", state="broken", detail=str(error))
        return
    finally:
        microphone.close()
    told = f"{heard / SAMPLE_RATE:.2f} s from {microphone.name} at {microphone.native_rate} Hz"
    if heard < _LISTEN * SAMPLE_RATE:
        mend = "the device is open but gives no sound: choose another, or restart the sound server"
        yield Finding(check="audio", state="broken", detail=told, mend=mend)
    elif not loudest:
        mend = "unmute the microphone and turn up its level"
        yield Finding(check="audio", state="warning", detail=f"{told}, all zero", mend=mend)
    else:
        yield Finding(check="audio", state="ok", detail=told)
