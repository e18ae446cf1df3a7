"""Moonshine Tiny's encoder (Jeffries et al., 2024, arXiv:2410.15608; MIT), which heard English."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from streamser.analysis.hops import HOP
from streamser.audio.source import SAMPLE_RATE
from train.wheels import WheelFile

Floats = NDArray[np.float32]

WEIGHTS = WheelFile(
    package="moonshine-voice",
    version="0.0.73",
    member="moonshine_voice/assets/tiny-en/encoder_model.ort",
    sha256="94e90a4654fc45cdfedb77c4c08e1739f48862998e58fada384b25118134f221",
    platform="manylinux_2_34_x86_64",
)
"""Quantised, 13 MB. Some later wheels are without it."""

LAYERS = tuple(f"/layers.{i}/Add_1_output_0" for i in range(4))
"""The residual stream after each of the first four blocks, 288 wide."""

HINTING = (1, 3)
"""Those of LAYERS that are kept hop by hop."""

STEP, REACH = 384, 895
"""Samples from one step of the encoder to the next, and that one step sees before its layers."""

LEVEL = 0.06
"""Root mean square that every clip is brought to."""

SHORTEST, LONGEST = SAMPLE_RATE // 4, 12 * SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Encoding:
    """What the encoder's layers hold of one clip."""

    whole: NDArray[np.float16]
    """(2304,) mean and standard deviation over time of each of LAYERS."""

    hops: NDArray[np.float16]
    """(hops, 576) mean over each hop of HINTING; the last of a clip longer than LONGEST repeat."""


class Moonshine:
    """A clip to what the pretrained layers hold of it.

    Raises RecipeError where the weights cannot be had.
    """

    def __init__(self, folder: Path) -> None:
        """`folder` keeps the weights."""
        self._session = _with_layers(WEIGHTS.path(folder))

    def __call__(self, samples: NDArray[np.int16]) -> Encoding:
        """Take (n,) int16 at 16 kHz."""
        heard = samples[:LONGEST].astype(np.float32) / 32768
        heard *= LEVEL / (np.sqrt(np.mean(heard**2)) + 1e-6)
        heard = np.pad(np.clip(heard, -1, 1), (0, max(0, SHORTEST - heard.size)))
        inputs = {"input_values": heard[None], "attention_mask": np.ones((1, heard.size), np.int64)}
        layers = [layer[0] for layer in self._session.run(list(LAYERS), inputs)]
        whole = np.concatenate([part for h in layers for part in (h.mean(axis=0), h.std(axis=0))])
        steps = np.concatenate([layers[i] for i in HINTING], axis=1)
        hops = _hops(steps, max(1, samples.size // HOP))
        return Encoding(whole.astype(np.float16), hops.astype(np.float16))


def _hops(steps: Floats, hops: int) -> Floats:
    """Mean of the (steps, n) whose middle lies in each of so many hops, (hops, n)."""
    hop_of = (np.arange(len(steps)) * STEP + REACH // 2) // HOP
    starts = np.searchsorted(hop_of, np.arange(hops)).clip(max=len(steps) - 1)
    ends = np.searchsorted(hop_of, np.arange(hops), side="right")
    return np.stack(
        [steps[a : max(b, a + 1)].mean(axis=0) for a, b in zip(starts, ends, strict=True)]
    )


def _with_layers(weights: Path) -> onnxruntime.InferenceSession:
    """Open the network, which is in ONNX Runtime's own format, with LAYERS among its outputs."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "encoder.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.optimized_model_filepath = str(plain)
        options.add_session_config_entry("session.load_model_format", "ORT")
        options.add_session_config_entry("session.save_model_format", "ONNX")
        onnxruntime.InferenceSession(weights, options)
        network = onnx.load(plain)
    for name in LAYERS:
        value = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        network.graph.output.append(value)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(network.SerializeToString(), options)
