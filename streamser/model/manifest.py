"""What a network needs to be used rightly: its labels, features, states, verdict and origin."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

from streamser import strict

ENCODER = "encoder.tflite"
HEAD = "head.tflite"
MANIFEST = "manifest.json"

_LARGEST = 1 << 20
"""Bytes; no manifest is longer."""


class BundleError(Exception):
    """A model bundle cannot be used; the message says which and why, in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """The MFCC that the network was trained on; up to `log_floor` the settings of `Mfcc`."""

    sample_rate: Literal[16000] = 16000
    """Hertz."""

    n_fft: Literal[512] = 512
    hop: Literal[160, 320] = 160
    """Samples from one frame to the next."""

    n_mels: int
    n_mfcc: int
    fmin: float
    """Hertz."""

    fmax: float
    """Hertz."""

    log_floor: float
    """Power below which a band counts as silent."""

    window: Literal["hann"] = "hann"
    mel_norm: Literal["slaney"] = "slaney"
    htk: Literal[False] = False

    def __post_init__(self) -> None:
        _require(1 <= self.n_mfcc <= self.n_mels <= 256, "n_mfcc has to be in 1..n_mels..256")
        _require(
            0 <= self.fmin < self.fmax <= self.sample_rate / 2,
            f"fmin and fmax have to rise within 0..{self.sample_rate // 2}",
        )
        _require(self.log_floor > 0, "log_floor has to be positive")

    @property
    def frames_per_second(self) -> float:
        """How often a frame comes."""
        return self.sample_rate / self.hop


@dataclass(frozen=True, slots=True, kw_only=True)
class NormaliserStatistics:
    """Of each coefficient over the training voices."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    prior_seconds: float
    """How much speech the mean is worth when an utterance begins."""

    def __post_init__(self) -> None:
        _require(_all_finite(*self.mean, *self.scale), "mean and scale have to be finite")
        _require(min(self.scale, default=1.0) > 0, "scale has to be positive")
        _require(0 < self.prior_seconds < 3600, "prior_seconds has to be in 0..3600")


@dataclass(frozen=True, slots=True, kw_only=True)
class StateShape:
    """What one layer of the encoder keeps: a part of the tensor `state`."""

    name: str
    shape: tuple[int, ...]
    """With the batch of 1 in front."""

    zero_point: int
    """The int8 that stands for 0.0."""

    def __post_init__(self) -> None:
        _require(bool(self.name), "name is empty")
        _require(
            len(self.shape) > 1 and self.shape[0] == 1 and min(self.shape) > 0,
            f"shape of {self.name} has to be 1 and positive numbers",
        )
        _require(
            -128 <= self.zero_point <= 127, f"zero_point of {self.name} has to be in -128..127"
        )

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkShape:
    """What goes through encoder, pooling and head."""

    frames_per_hop: Literal[4, 8] = 8
    steps_per_hop: int
    """Embeddings that a hop yields."""

    embedding_dim: int
    states: tuple[StateShape, ...] = ()
    """In their order in `state`, which goes into the encoder and comes out as `state_out`."""

    pooling: Literal["weighted_mean_std"] = "weighted_mean_std"
    """Besides the embeddings the encoder gives `weight` (1, steps_per_hop, 1, 1)."""

    pooled_dim: int

    def __post_init__(self) -> None:
        _require(
            1 <= self.steps_per_hop <= self.frames_per_hop,
            f"steps_per_hop has to be in 1..{self.frames_per_hop}",
        )
        _require(self.embedding_dim >= 1, "embedding_dim has to be positive")
        _require(self.pooled_dim == 2 * self.embedding_dim, "pooled_dim is not 2 embedding_dim")
        names = [state.name for state in self.states]
        _require(len(set(names)) == len(names), "states have equal names")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictSettings:
    """Fitted on dev speakers."""

    temperature: float
    """Divides the logits."""

    threshold: float
    """Calibrated probability of the likeliest label below which the verdict is `unknown`."""

    unknown_above: float
    """Calibrated probability of `unknown` above which the verdict is `unknown`, whatever else is
    likelier: what is no voice rarely makes it the likeliest, but hardly ever leaves it near 0."""

    def __post_init__(self) -> None:
        _require(0 < self.temperature < 1e3, "temperature has to be in 0..1000")
        _require(0 <= self.threshold <= 1, "threshold has to be in 0..1")
        _require(0 < self.unknown_above <= 1, "unknown_above has to be in 0..1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What ordinary voices sound like to the network, so that one's own can be told from them."""

    neutral: tuple[float, ...]
    """Mean pooled statistics of neutral speech by voices that did not train, each once."""

    share: float
    """How much of a user's own difference from `neutral` is taken away, 0 to 1; fitted on dev
    speakers."""

    def __post_init__(self) -> None:
        _require(_all_finite(*self.neutral), "neutral has to be finite")
        _require(0 <= self.share <= 1, "share has to be in 0..1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The whole of `manifest.json`. Raises ValueError when its parts do not agree."""

    format: Literal[2] = 2
    name: str
    version: str
    created: str
    """ISO 8601 date or time."""

    license: str
    """Of the trained weights."""

    description: str
    labels: tuple[str, ...]
    """In the order of the logits; may include `unknown`."""

    features: Features
    normaliser: NormaliserStatistics
    network: NetworkShape
    verdict: VerdictSettings
    baseline: Baseline | None = None
    """Without it the network takes no profiles."""

    files: Mapping[str, str]
    """SHA-256 of each network, in hexadecimal."""

    data_licences: Mapping[str, str] = field(default_factory=dict)
    """Of each corpus."""

    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Corpora, protocol, seed, commit, figures: whatever tells how the weights came about."""

    def __post_init__(self) -> None:
        fits = re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", self.name)
        _require(bool(fits), "name has to be of a-z, 0-9, '.', '_' and '-'")
        _require(bool(self.version), "version is empty")
        try:
            date.fromisoformat(self.created[:10])
        except ValueError:
            raise ValueError("created is not an ISO 8601 date") from None
        _require(len(set(self.labels)) == len(self.labels) >= 2, "labels have to be 2 or more")
        _require(all(self.labels), "labels have to be non-empty")
        samples = self.network.frames_per_hop * self.features.hop
        _require(samples == 1280, "network.frames_per_hop times features.hop has to be 1280")
        n_mfcc = self.features.n_mfcc
        for which in ("mean", "scale"):
            length = len(getattr(self.normaliser, which))
            _require(
                length == n_mfcc, f"normaliser.{which} has {length} numbers, n_mfcc is {n_mfcc}"
            )
        if self.baseline is not None:
            length = len(self.baseline.neutral)
            wanted = self.network.pooled_dim
            _require(length == wanted, f"baseline.neutral has {length} numbers, not {wanted}")
        _require(set(self.files) == {ENCODER, HEAD}, f"files has to name {ENCODER} and {HEAD}")
        for name, digest in self.files.items():
            known = re.fullmatch(r"[0-9a-f]{64}", digest)
            _require(bool(known), f"files.{name} is not a SHA-256 in hexadecimal")

    def to_json(self) -> str:
        """Return the text of `manifest.json`; lists of numbers stay on one line."""
        text = json.dumps(strict.plain(self), ensure_ascii=False, allow_nan=False, indent=2)
        return re.sub(r"\[\s+([-\d.,e+\s]+?)\s+\]", _one_line, text) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Manifest:
        """Read what `to_json` gave. Raises ValueError that names the field."""
        value = strict.parse_object(text)
        if value.get("format") != 2:
            raise ValueError("format is not 2; the model is for another version of streamser")
        return strict.read(cls, value)

    @classmethod
    def read(cls, path: Path) -> tuple[Manifest, bytes]:
        """Return the manifest in the file `path`, and its bytes. Raises BundleError."""
        content = read_limited(path, _LARGEST)
        try:
            return cls.from_json(content), content
        except ValueError as error:
            raise BundleError(f"{path}: {error}") from None


def read_limited(path: Path, largest: int) -> bytes:
    """Return the bytes of a regular file of at most `largest` bytes. Raises BundleError."""
    try:
        if not path.is_file():
            raise BundleError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}") from None
    if len(content) > largest:
        raise BundleError(f"{path}: larger than {largest >> 20} MiB")
    return content


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


def _all_finite(*numbers: float) -> bool:
    return all(math.isfinite(number) for number in numbers)


def _one_line(match: re.Match[str]) -> str:
    return "[" + re.sub(r"\s+", " ", match.group(1)) + "]"
