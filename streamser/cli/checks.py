"""What the doctor looks at: each check yields findings."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Literal

from streamser.cli.failure import explain

State = Literal["ok", "warning", "broken"]

_LIBRARIES = (
    ("numpy", "numpy"),
    ("webrtcvad", "webrtcvad-wheels"),
    ("soundfile", "soundfile"),
    ("soxr", "soxr"),
    ("rich", "rich"),
)
"""Modules and the distributions they come from."""

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


def examine(*, model: str | None, source: str | None, config: str | None) -> Iterator[Finding]:
    """Check everything; `source` is the microphone, `config` the file, the usual ones if None."""
    checks: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
        ("python", _python),
        ("library", _libraries),
        ("interpreter", _interpreter),
        ("model", lambda: _model(model)),
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


def _model(model: str | None) -> Iterator[Finding]:
    """Load the model, which checks its sums and shapes, and let it hear the bundled clip."""
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
        mend = "install streamser again, or choose another with --model"
        yield Finding(check="model", state="broken", detail=str(error), mend=mend)
        return
    yield Finding(check="model", state="ok", detail=f"{bundle.info.name} {bundle.info.version}")
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


def _serve(config: str | None) -> Iterator[Finding]:
    """Tell what the daemon would listen to, and whom it would let hear of it."""
    from streamser.cli.exposure import configured
    from streamser.layers import ConfigError, Layers

    try:
        for check, detail, mend in configured(
            Layers(path=None if config is None else Path(config))
        ):
            state: State = "ok" if mend is None else "warning"
            yield Finding(check=check, state=state, detail=detail, mend=mend)
    except ConfigError as error:
        mend = "`streamser config` says more; `streamser serve` does not start with it"
        yield Finding(check="serve", state="warning", detail=str(error), mend=mend)


def _audio(source: str | None) -> Iterator[Finding]:
    """Listen for half a second."""
    from streamser.audio.inputs import open_source
    from streamser.audio.microphone import list_devices
    from streamser.audio.source import SAMPLE_RATE, SourceError

    try:
        if source is None and not list_devices():
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
