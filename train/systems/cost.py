"""What a trained system costs: parameters, INT8 size, multiply-adds, milliseconds."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import soundfile
from threadpoolctl import threadpool_limits

from streamser.audio.recording import read_recording
from streamser.audio.source import SAMPLE_RATE
from streamser.clip import demo_clip
from streamser.model.interpreter import Network
from train.convert import in_int8
from train.multiply_adds import multiply_adds
from train.scores import unweighted_recall
from train.systems.judge import data, load_run
from train.systems.run import SystemRun

SECONDS = 3.0
"""Length of the recording that cost is told for."""

CALIBRATION = 100
"""Training rows that the INT8 network is calibrated on."""


def measure(run: SystemRun) -> dict[str, Any]:
    """Convert a trained run to INT8, judge that, time it; writes `network.tflite`, `cost.json`.

    The milliseconds are one thread's processor time on this machine, from a WAV file of three
    seconds to the answer, per second of audio.
    """
    model, _ = load_run(run)
    content = to_int8(run, model)
    (run.folder / "network.tflite").write_bytes(content)
    network = Network(content)
    test = data(run, run.sides.test)
    found = np.array([answer(network, row).argmax() for row in test.features])
    accuracy = 100 * float(np.mean(found == test.classes))
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        path = Path(folder) / "clip.wav"
        samples = np.concatenate(list(read_recording(demo_clip())))
        soundfile.write(path, samples[: round(SECONDS * SAMPLE_RATE)], SAMPLE_RATE)
        features = run.store.features(path)
        front_ms = milliseconds(lambda: run.store.features(path))
        network_ms = milliseconds(lambda: answer(network, features))
    cost = {
        "parameters": model.count_params(),
        "int8_bytes": len(content),
        "int8_wa": round(accuracy, 2),
        "int8_ua": round(100 * unweighted_recall(test.classes, found), 2),
        "multiply_adds_per_clip": multiply_adds(model),
        "multiply_adds_per_second": round(multiply_adds(model) / SECONDS),
        "front_ms_per_second": round(front_ms / SECONDS, 3),
        "network_ms_per_second": round(network_ms / SECONDS, 3),
        "ms_per_second": round((front_ms + network_ms) / SECONDS, 3),
    }
    run.write("cost.json", cost)
    return cost


def to_int8(run: SystemRun, model: keras.Model) -> bytes:
    """Quantise after training, calibrated on training rows alone."""
    rng = np.random.default_rng(run.seed)
    rows = run.sides.train
    chosen = rng.choice(len(rows), min(CALIBRATION, len(rows)), replace=False)
    features = run.store.load([rows[i] for i in chosen]).astype(np.float32)

    def samples() -> Iterator[dict[str, np.ndarray]]:
        yield from ({"features": row[None]} for row in features)

    one = keras.Input(features.shape[1:], batch_size=1, name="features")
    return in_int8(keras.Model([one], {"logits": model(one)}), samples)


def answer(network: Network, features: np.ndarray) -> np.ndarray:
    """The logits (classes,) of the INT8 network."""
    (given,), (told,) = network.inputs.values(), network.outputs.values()
    network.set(given, features[None].astype(np.float32))
    network.invoke()
    return np.asarray(network.get(told)[0])


def milliseconds(work: Callable[[], object], *, times: int = 15) -> float:
    """Median processor time after two runs to warm up; waiting for the processor is not counted."""
    taken = []
    for _ in range(times + 2):
        began = time.process_time()
        work()
        taken.append(1e3 * (time.process_time() - began))
    return statistics.median(taken[2:])
