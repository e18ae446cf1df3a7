"""streamser: as it is, and as if its network had to see a whole window at each answer."""

from __future__ import annotations

import librosa
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from benchmarks.peers.peer import ANSWER, WINDOW, Peer, Player, Samples
from streamser.analysis.analyzer import Analyzer
from streamser.analysis.hops import HOP
from streamser.analysis.mfcc import Mfcc
from streamser.model.bundle import Bundle, load
from streamser.model.manifest import ENCODER

Floats = NDArray[np.float32]


def peers(speech: Samples) -> list[Peer]:
    """Return the streaming way first, which all others are compared with."""
    bundle = load()
    analyzer, network, mfcc = Analyzer(model=bundle), Window(bundle), Mfcc(bundle.manifest.features)
    hops, answers, librosas, features = (Player(speech) for _ in range(4))

    def streaming() -> None:
        analyzer.push(hops.next(HOP))

    def whole() -> None:
        window = answers.window(ANSWER, WINDOW)
        mfcc.reset()
        mfcc.push(np.zeros(mfcc.context, np.int16))
        network(mfcc.push(window))

    def whole_by_librosa() -> None:
        network(librosa_mfcc(librosas.window(ANSWER, WINDOW), bundle).T)

    streamed = Mfcc(bundle.manifest.features)
    streamed.push(np.zeros(streamed.context, np.int16))
    return [
        Peer(name="streamser", kind="emotion", samples=HOP, step=streaming),
        Peer(
            name="streamser's network over 3 s, own MFCC",
            kind="emotion",
            samples=ANSWER,
            step=whole,
        ),
        Peer(
            name="streamser's network over 3 s, librosa's MFCC",
            kind="emotion",
            samples=ANSWER,
            step=whole_by_librosa,
        ),
        Peer(
            name="streamser's MFCC alone",
            kind="features",
            samples=HOP,
            step=lambda: streamed.push(features.next(HOP)),
        ),
    ]


class Window:
    """The shipped INT8 network given a whole window in one call."""

    def __init__(self, bundle: Bundle) -> None:
        self._features, self._state = (
            bundle.encoder.inputs[name].index for name in ("features", "state")
        )
        self._fresh = bundle.fresh_state()
        self._network = Interpreter(model_path=str(bundle.path / ENCODER), num_threads=1)
        frames = WINDOW // bundle.manifest.features.hop
        shape = [1, 1, frames, bundle.manifest.features.n_mfcc]
        self._network.resize_tensor_input(self._features, shape)
        self._network.allocate_tensors()

    def __call__(self, frames: Floats) -> None:
        self._network.set_tensor(self._features, frames[None, None])
        self._network.set_tensor(self._state, self._fresh)
        self._network.invoke()


def librosa_mfcc(window: Samples, bundle: Bundle) -> Floats:
    """Return the network's own MFCC as librosa computes them, (n_mfcc, frames)."""
    settings = bundle.manifest.features
    power = librosa.feature.melspectrogram(
        y=np.pad(window.astype(np.float32) / 32768.0, (settings.n_fft - settings.hop, 0)),
        sr=16_000,
        n_fft=settings.n_fft,
        hop_length=settings.hop,
        n_mels=settings.n_mels,
        center=False,
    )
    decibels = librosa.power_to_db(power, amin=settings.log_floor, top_db=None)
    return np.asarray(librosa.feature.mfcc(S=decibels, n_mfcc=settings.n_mfcc))
