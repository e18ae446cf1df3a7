"""Streaming against analysing a window again at every answer, as ratios in one run.

    python -m benchmarks.windows [--json]

The published systems compute their features anew over the last seconds of audio at each answer and
run a whole network on them. Here that way is given streamser's own network and rate of answers, so
that nothing but the way differs; a peer's larger network only adds to it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import librosa
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from streamser.analysis.analyzer import Analyzer
from streamser.analysis.hops import HOP
from streamser.analysis.mfcc import Mfcc
from streamser.audio.recording import read_recording
from streamser.clip import demo_clip
from streamser.model.bundle import Bundle, load
from streamser.model.manifest import ENCODER

WINDOW_HOPS = 37
"""2.96 s, the window of most published systems."""

ANSWER_HOPS = 3
"""An answer every 240 ms."""

ANSWERS_PER_SECOND = 16_000 / (ANSWER_HOPS * HOP)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.windows")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    bundle = load()
    speech = np.concatenate(list(read_recording(demo_clip())))[: 14 * 16_000]
    window = speech[16_000 : 16_000 + WINDOW_HOPS * HOP]
    network = Window(bundle)
    ours = Mfcc(bundle.manifest.features)

    def numpy_features() -> NDArray[np.float32]:
        ours.reset()
        ours.push(np.zeros(ours.context, np.int16))
        return ours.push(window)

    frames = numpy_features()
    rows = {
        "streamser, streaming": streaming(bundle, speech),
        "own MFCC over 3 s + the same network over 3 s": ANSWERS_PER_SECOND
        * (median(numpy_features) + median(lambda: network(frames))),
        "librosa MFCC over 3 s + the same network over 3 s": ANSWERS_PER_SECOND
        * (median(lambda: librosa_features(window, bundle)) + median(lambda: network(frames))),
        "librosa's features of the published systems over 3 s, no network": ANSWERS_PER_SECOND
        * median(lambda: published_features(window), times=15),
    }
    first = rows["streamser, streaming"]
    if arguments.json:
        print(json.dumps({name: {"ms": ms, "ratio": ms / first} for name, ms in rows.items()}))
        return
    print(f"{'milliseconds per second of speech, an answer every 240 ms':<66}{'ms':>8}{'ratio':>8}")
    for name, ms in rows.items():
        print(f"{name:<66}{ms:8.2f}{ms / first:8.1f}")


def streaming(bundle: Bundle, speech: NDArray[np.int16]) -> float:
    """Return milliseconds of the whole path, gate and events included, per second of speech."""
    analyzer = Analyzer(model=bundle)
    begun = time.perf_counter()
    for _ in range(5):
        for start in range(0, speech.size, 640):
            analyzer.push(speech[start : start + 640])
    return 1000 * (time.perf_counter() - begun) / (5 * speech.size / 16_000)


class Window:
    """The shipped INT8 network given a whole window in one call."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._features = bundle.encoder.inputs["features"]
        self._network = Interpreter(model_path=str(bundle.path / ENCODER), num_threads=1)
        frames = 8 * WINDOW_HOPS
        shape = [1, 1, frames, bundle.manifest.features.n_mfcc]
        self._network.resize_tensor_input(self._features.index, shape)
        self._network.allocate_tensors()

    def __call__(self, frames: NDArray[np.float32]) -> None:
        features = self._features
        steps = np.rint(frames / features.scale) + features.zero_point
        quantised = np.clip(steps, -128, 127).astype(np.int8)[None, None]
        self._network.set_tensor(features.index, quantised)
        states = zip(self._bundle.states, self._bundle.fresh_states(), strict=True)
        for (before, _), state in states:
            self._network.set_tensor(before.index, state)
        self._network.invoke()


def librosa_features(window: NDArray[np.int16], bundle: Bundle) -> NDArray[np.float32]:
    """Return the network's own MFCC as librosa computes them."""
    settings = bundle.manifest.features
    power = librosa.feature.melspectrogram(
        y=window.astype(np.float32) / 32768.0,
        sr=16_000,
        n_fft=settings.n_fft,
        hop_length=settings.hop,
        n_mels=settings.n_mels,
        center=False,
    )
    decibels = librosa.power_to_db(power, amin=settings.log_floor, top_db=None)
    return np.asarray(librosa.feature.mfcc(S=decibels, n_mfcc=settings.n_mfcc))


def published_features(window: NDArray[np.int16]) -> list[NDArray[np.float32]]:
    """Return MFCC, chroma, mel, contrast and tonnetz as ser-2d-cnn stacks them."""
    y = librosa.resample(window.astype(np.float32) / 32768.0, orig_sr=16_000, target_sr=22_050)
    spectrum = np.abs(librosa.stft(y))
    mfcc = librosa.feature.mfcc(y=y, sr=22_050, n_mfcc=50)
    return [
        librosa.feature.melspectrogram(y=y, sr=22_050),
        librosa.feature.chroma_stft(S=spectrum, sr=22_050),
        librosa.feature.delta(mfcc, order=2),
        librosa.feature.spectral_contrast(S=spectrum, sr=22_050),
        librosa.feature.tonnetz(y=librosa.effects.harmonic(y), sr=22_050),
    ]


def median(work: Callable[[], object], *, times: int = 60) -> float:
    """Return the median milliseconds of a call, after two that do not count."""
    taken = []
    for _ in range(times + 2):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return 1000 * float(np.median(taken[2:]))


if __name__ == "__main__":
    main()
