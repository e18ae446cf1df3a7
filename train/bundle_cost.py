"""What a streaming bundle costs, in the words of a published system's `cost.json`."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from streamser.analysis.analyzer import Analyzer
from streamser.analysis.hops import HOP_SECONDS
from streamser.analysis.settings import Settings
from streamser.audio.recording import read_recording
from streamser.audio.source import SAMPLE_RATE
from streamser.clip import demo_clip
from streamser.model.bundle import Bundle
from train.multiply_adds import multiply_adds
from train.network import Network
from train.recipe import Recipe

REPEATS = 5


def measure_bundle(bundle: Bundle, recipe: Recipe) -> dict[str, Any]:
    """What it takes to hear: every hop of speech through the encoder, the head at each event.

    Multiply-adds are those of a second of speech. The milliseconds are one thread's processor time
    on this machine, gate and features included, per second of the bundled clip, pauses and all.
    """
    parameters = Network(recipe).clip_model().count_params()
    network = Network(recipe)
    hops, answers = 1.0 / HOP_SECONDS, 1.0 / Settings().interval
    encoder, head = multiply_adds(network.step_model()), multiply_adds(network.head_model())
    provenance = bundle.manifest.provenance
    return {
        "recipe": bundle.info.name,
        "split": str(provenance["protocol"]).replace("/", "-"),
        "seed": provenance["seed"],
        "sha256": bundle.info.sha256,
        "parameters": parameters,
        "int8_bytes": sum((bundle.path / name).stat().st_size for name in bundle.manifest.files),
        "multiply_adds_per_second": round(hops * encoder + answers * head),
        "ms_per_second": round(_milliseconds(bundle), 3),
    }


def _milliseconds(bundle: Bundle) -> float:
    samples = np.concatenate(list(read_recording(demo_clip())))
    taken = []
    with threadpool_limits(1):
        for _ in range(REPEATS):
            analyzer = Analyzer(model=bundle)
            began = time.process_time()
            analyzer.push(samples)
            taken.append(1e3 * (time.process_time() - began))
    return float(np.median(taken)) / (samples.size / SAMPLE_RATE)
