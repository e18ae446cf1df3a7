"""A teacher that has heard far more speech: a pretrained encoder under a linear layer.

The encoder is Moonshine Tiny's (Jeffries et al., 2024, arXiv:2410.15608), trained to write down
English; its middle layers tell emotions of speakers they never heard far better than a network that
knows acted corpora alone. It stays as it is; only the linear layer learns, from training clips.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

from streamser.analysis.hops import HOP as HOP_SAMPLES
from streamser.audio.source import SAMPLE_RATE
from train.clip_cache import Arrays, ClipCache
from train.corpora.clip import EMOTIONS, Clip
from train.examples import Examples
from train.features import read_samples
from train.recipe import Recipe, RecipeError

Floats = NDArray[np.float32]

PACKAGE = "moonshine_voice"
"""Its wheel of version 0.0.73 holds the encoder (MIT)."""

LAYERS = tuple(f"/layers.{i}/Add_1_output_0" for i in range(4))
"""The residual stream after each of the first four blocks, 288 wide."""

HINTING = (1, 3)
"""Those of LAYERS that are kept hop by hop."""

STEP, REACH = 384, 895
"""Samples from one step of the encoder to the next, and that one step sees before its layers."""

LEVEL = 0.06
"""Root mean square that every clip is brought to."""

SHORTEST, LONGEST = SAMPLE_RATE // 4, 12 * SAMPLE_RATE
FOLDS = 5
INVERSE_DECAY = 5e-4


@dataclass(frozen=True, slots=True)
class Encoding:
    """What the encoder's layers hold of one clip."""

    whole: NDArray[np.float16]
    """(2304,) mean and standard deviation over time of each of LAYERS."""

    hops: NDArray[np.float16]
    """(hops, 576) mean over each hop of HINTING; the last of a clip longer than LONGEST repeat."""


class Encoder:
    """A clip to what the pretrained layers hold of it.

    Raises RecipeError where its package is not installed, or in a version without the encoder.
    """

    def __init__(self) -> None:
        found = importlib.util.find_spec(PACKAGE)
        package = Path(found.origin).parent if found and found.origin else Path(PACKAGE)
        weights = package / "assets" / "tiny-en" / "encoder_model.ort"
        if not weights.is_file():
            raise RecipeError(
                'the teacher is not there: pip install -e ".[train]" (Linux on x86-64)'
            )
        self._session = _with_layers(weights)

    def __call__(self, samples: NDArray[np.int16]) -> Encoding:
        """Take (n,) int16 at 16 kHz."""
        heard = samples[:LONGEST].astype(np.float32) / 32768
        heard *= LEVEL / (np.sqrt(np.mean(heard**2)) + 1e-6)
        heard = np.pad(np.clip(heard, -1, 1), (0, max(0, SHORTEST - heard.size)))
        inputs = {"input_values": heard[None], "attention_mask": np.ones((1, heard.size), np.int64)}
        layers = [layer[0] for layer in self._session.run(list(LAYERS), inputs)]
        whole = np.concatenate([part for h in layers for part in (h.mean(axis=0), h.std(axis=0))])
        steps = np.concatenate([layers[i] for i in HINTING], axis=1)
        hops = _hops(steps, max(1, samples.size // HOP_SAMPLES))
        return Encoding(whole.astype(np.float16), hops.astype(np.float16))


def _hops(steps: Floats, hops: int) -> Floats:
    """Mean of the (steps, n) whose middle lies in each of so many hops, (hops, n)."""
    hop_of = (np.arange(len(steps)) * STEP + REACH // 2) // HOP_SAMPLES
    starts = np.searchsorted(hop_of, np.arange(hops)).clip(max=len(steps) - 1)
    ends = np.searchsorted(hop_of, np.arange(hops), side="right")
    return np.stack(
        [steps[a : max(b, a + 1)].mean(axis=0) for a, b in zip(starts, ends, strict=True)]
    )


def _with_layers(weights: Path):  # type: ignore[no-untyped-def]
    """Open the network with LAYERS among its outputs."""
    import onnx
    import onnxruntime

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


class EncodingCache:
    """What the encoder makes of clips, one file per corpus."""

    def __init__(self, folder: Path) -> None:
        self._cache = ClipCache[Encoding](
            folder / "encodings-moonshine-tiny", pack=_pack, unpack=_unpack
        )

    def load(self, clips: Sequence[Clip]) -> list[Encoding]:
        """Return the encodings of `clips`, in their order; those not cached yet are computed."""

        def prepare() -> Callable[[Clip], Encoding]:
            encoder = Encoder()
            return lambda clip: encoder(read_samples(clip.path))

        return self._cache.load(clips, prepare, title="the teacher hears {}")


def _pack(encodings: list[Encoding]) -> Arrays:
    return {
        "whole": np.array([encoding.whole for encoding in encodings]),
        "hops": np.concatenate([encoding.hops for encoding in encodings]),
        "counts": np.array([len(encoding.hops) for encoding in encodings]),
    }


def _unpack(arrays: Arrays) -> list[Encoding]:
    hops = np.split(arrays["hops"], np.cumsum(arrays["counts"])[:-1])
    return [Encoding(*both) for both in zip(arrays["whole"], hops, strict=True)]


def wholes(encodings: Sequence[Encoding]) -> Floats:
    """Return (clips, 2304)."""
    return np.array([encoding.whole for encoding in encodings], np.float32)


def layers(encodings: Sequence[Encoding]) -> list[NDArray[np.float16]]:
    """Return (hops, 576) of each clip, `standardised`."""
    return standardised([encoding.hops for encoding in encodings])


def standardised(clips: Sequence[NDArray[np.floating]]) -> list[NDArray[np.float16]]:
    """Return (hops, n) of each clip: how far each hop is from the mean, in deviations."""
    hops = np.concatenate(clips)
    mean = hops.mean(axis=0, dtype=np.float32)
    inverse = 1.0 / hops.std(axis=0, dtype=np.float32)
    return [((clip - mean) * inverse).astype(np.float16) for clip in clips]


@dataclass(frozen=True, slots=True)
class Teacher:
    """A linear layer over encodings, taught by some clips."""

    layer: LogisticRegression
    scaler: StandardScaler
    labels: tuple[str, ...]

    @classmethod
    def of(cls, encodings: Floats, clips: Sequence[Clip], shares: Floats, recipe: Recipe) -> Self:
        """Teach (clips, 2304) encodings, each clip weighing its share of the draws, (clips,)."""
        scaler = StandardScaler().fit(encodings)
        layer = LogisticRegression(C=INVERSE_DECAY, max_iter=300)
        emotions = [str(clip.emotion) for clip in clips]
        layer.fit(scaler.transform(encodings), emotions, shares / shares.mean())
        return cls(layer, scaler, recipe.labels)

    def __call__(self, encodings: Floats) -> Floats:
        """Return (clips, labels) probabilities."""
        heard = np.zeros((len(encodings), len(self.labels)), np.float32)
        columns = [self.labels.index(emotion) for emotion in self.layer.classes_]
        heard[:, columns] = self.layer.predict_proba(self.scaler.transform(encodings))
        return heard


def soft_labels(encodings: Floats, examples: Examples, recipe: Recipe, *, seed: int) -> Floats:
    """Return (clips, labels): what the teacher hears in each clip, among its corpus' emotions.

    A clip's own label taught the teacher nothing: each fifth of the clips is judged by a linear
    layer that learnt from the others. What is no voice keeps its label.
    """
    clips, soft = examples.clips, examples.targets.copy()
    voices = np.flatnonzero([clip.emotion in EMOTIONS for clip in clips])
    shares = examples.draw_shares(recipe)
    own = _own_emotions(examples, recipe)
    folds = KFold(FOLDS, shuffle=True, random_state=seed).split(voices)
    for rest, fifth in track(list(folds), "the teacher answers"):
        learnt, judged = voices[rest], voices[fifth]
        teacher = Teacher.of(encodings[learnt], [clips[i] for i in learnt], shares[learnt], recipe)
        answers = teacher(encodings[judged]) * own[judged]
        soft[judged] = answers / answers.sum(axis=1, keepdims=True)
    return soft


def _own_emotions(examples: Examples, recipe: Recipe) -> NDArray[np.bool_]:
    """(clips, labels), whether a clip's corpus has the emotion."""
    corpora = np.array([clip.corpus for clip in examples.clips])
    own = np.zeros((len(corpora), len(recipe.labels)), bool)
    for corpus in np.unique(corpora):
        mine = corpora == corpus
        own[mine] = (examples.targets[mine] > 0).any(axis=0)
    return own
