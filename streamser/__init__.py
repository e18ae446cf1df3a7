"""Live speech emotion on the machine itself: samples or a microphone in, events out.

What is exported here is imported when first used, so that `import streamser` stays light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from streamser.version import __version__

if TYPE_CHECKING:
    from streamser.analysis.analyzer import Analyzer
    from streamser.analysis.settings import Settings
    from streamser.audio.source import SourceError
    from streamser.events import (
        Emotion,
        Event,
        Health,
        Latency,
        ModelInfo,
        SessionEnded,
        SessionStarted,
        SourceLost,
        SourceRestored,
        SpeechStarted,
        Utterance,
    )
    from streamser.listener import Listener
    from streamser.model.bundle import Bundle
    from streamser.model.bundle import load as load_model
    from streamser.model.manifest import BundleError

__all__ = [
    "Analyzer",
    "Bundle",
    "BundleError",
    "Emotion",
    "Event",
    "Health",
    "Latency",
    "Listener",
    "ModelInfo",
    "SessionEnded",
    "SessionStarted",
    "Settings",
    "SourceError",
    "SourceLost",
    "SourceRestored",
    "SpeechStarted",
    "Utterance",
    "__version__",
    "load_model",
]

_ELSEWHERE = {
    "Analyzer": "streamser.analysis.analyzer",
    "Bundle": "streamser.model.bundle",
    "BundleError": "streamser.model.manifest",
    "Listener": "streamser.listener",
    "Settings": "streamser.analysis.settings",
    "SourceError": "streamser.audio.source",
    "load_model": "streamser.model.bundle",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(_ELSEWHERE.get(name, "streamser.events"))
    value = getattr(module, "load" if name == "load_model" else name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
