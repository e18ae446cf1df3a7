"""Finds, checks and loads a model bundle: a folder with a manifest and two networks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamser.events import ModelInfo
from streamser.model.digest import sha256
from streamser.model.interpreter import Network, NetworkError, Shapes, Tensor
from streamser.model.manifest import (
    ENCODER,
    HEAD,
    MANIFEST,
    BundleError,
    Manifest,
    read_limited,
)
from streamser.strict import printable

DEFAULT = "streamser-research"

HOPS_AT_ONCE = 3
"""Hops that wait for one another at most, since together they cost less: as many as there are
between two answers."""

_LARGEST = 64 << 20
"""Bytes; no network is larger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A loaded model. Its networks are not thread-safe; a load takes a millisecond."""

    path: Path
    manifest: Manifest
    info: ModelInfo
    """For the first event of a session."""

    encoder: Network
    """`features` of a hop and `state` to `embedding`, `weight` and `state_out`."""

    encoder_at_once: Network
    """The same for `HOPS_AT_ONCE` hops: the same numbers, and the weights are read once."""

    head: Network
    """`pooled` to `logits`."""

    def fresh_state(self) -> NDArray[np.int8]:
        """Return the state of an encoder that has heard nothing, (1, n)."""
        parts = self.manifest.network.states
        zeros = [np.full(part.size, part.zero_point, np.int8) for part in parts]
        return np.concatenate(zeros)[None]


def folders() -> Iterator[Path]:
    """Yield the folders that hold bundles: the wheel's, the checkout's, the user's."""
    package = Path(__file__).resolve().parent.parent
    yield package / "models"
    if (package.parent / "pyproject.toml").is_file():
        yield package.parent / "models"
    data = Path(os.environ.get("XDG_DATA_HOME", ""))
    if not data.is_absolute():
        try:
            data = Path.home() / ".local" / "share"
        except RuntimeError:  # a user without a home
            return
    yield data / "streamser" / "models"


def available() -> list[Path]:
    """Return the folders of the bundles that `load` finds by name, damaged ones among them."""
    found: dict[str, Path] = {}
    for folder in folders():
        for path in sorted(folder.glob(f"*/{MANIFEST}")):
            found.setdefault(path.parent.name, path.parent)
    return list(found.values())


def verify(path: Path) -> Manifest:
    """Return the manifest of a bundle, given its folder, if its networks are those it names.

    Raises BundleError.
    """
    manifest, _ = Manifest.read(path / MANIFEST)
    _contents(path, manifest)
    return manifest


def find(model: str | Path | None = None) -> Path:
    """Return the folder of a bundle, given its name or the folder itself. Raises BundleError."""
    model = DEFAULT if model is None else model
    try:
        for path in _meant(model):
            if (path / MANIFEST).is_file():
                return path
    except OSError as error:
        raise BundleError(f"{error.filename}: {error.strerror}") from None
    except RuntimeError:
        raise BundleError(f"{model}: no such home directory") from None
    if isinstance(model, Path) or os.sep in model:
        raise BundleError(f"{model}: not a model bundle, it has no {MANIFEST}")
    names = ", ".join(printable(path.name) for path in available()) or "none"
    raise BundleError(f"no model is called {model!r}; there are: {names}")


def _meant(model: str | Path) -> Iterator[Path]:
    if isinstance(model, str) and model.strip(".") and os.sep not in model:
        for folder in folders():
            yield folder / model
    if str(model):
        yield Path(model).expanduser()


def load(model: str | Path | None = None) -> Bundle:
    """Load a bundle by its name (None: the default) or its folder.

    Raises BundleError, in one line, for anything that is not a whole and consistent bundle.
    """
    path = find(model)
    manifest, content = Manifest.read(path / MANIFEST)
    files = _contents(path, manifest)
    encoder = _network(path / ENCODER, files[ENCODER])
    head = _network(path / HEAD, files[HEAD])
    try:
        _check_encoder(encoder, manifest)
        _check_head(head, manifest)
        features = {"features": _features_shape(manifest, HOPS_AT_ONCE)}
        at_once = _network(path / ENCODER, files[ENCODER], features)
        _check_encoder(at_once, manifest, hops=HOPS_AT_ONCE)
        for network in (encoder, at_once, head):
            network.invoke()  # the first one is slower than all others
    except (ValueError, RuntimeError) as error:
        raise BundleError(f"{path}: {error}") from None
    info = ModelInfo(
        name=manifest.name,
        version=manifest.version,
        sha256=sha256(content),
        labels=manifest.labels,
    )
    return Bundle(
        path=path,
        manifest=manifest,
        info=info,
        encoder=encoder,
        encoder_at_once=at_once,
        head=head,
    )


def _contents(path: Path, manifest: Manifest) -> dict[str, bytes]:
    return {name: _content(path / name, digest) for name, digest in manifest.files.items()}


def _content(path: Path, digest: str) -> bytes:
    content = read_limited(path, _LARGEST)
    # The interpreter only ever sees bytes that the manifest vouches for.
    if sha256(content) != digest:
        raise BundleError(f"{path}: SHA-256 differs from the manifest's; damaged or replaced")
    if content[4:8] != b"TFL3":
        raise BundleError(f"{path}: not a TFLite network")
    return content


def _network(path: Path, content: bytes, shapes: Shapes | None = None) -> Network:
    try:
        return Network(content, shapes=shapes)
    except NetworkError as error:
        raise BundleError(f"{path}: {error}") from None


def _features_shape(manifest: Manifest, hops: int) -> tuple[int, ...]:
    return (1, 1, hops * manifest.network.frames_per_hop, manifest.features.n_mfcc)


def _check_encoder(encoder: Network, manifest: Manifest, *, hops: int = 1) -> None:
    shape = manifest.network
    steps = (1, 1, hops * shape.steps_per_hop)
    state = (1, sum(part.size for part in shape.states))
    features = _features_shape(manifest, hops)
    _check(encoder.inputs, {"features": features, "state": state}, f"{ENCODER} input")
    embedding, weight = (*steps, shape.embedding_dim), (*steps, 1)
    outputs = {"embedding": embedding, "weight": weight, "state_out": state}
    _check(encoder.outputs, outputs, f"{ENCODER} output")


def _check_head(head: Network, manifest: Manifest) -> None:
    _check(head.inputs, {"pooled": (1, manifest.network.pooled_dim)}, f"{HEAD} input")
    _check(head.outputs, {"logits": (1, len(manifest.labels))}, f"{HEAD} output")


def _check(tensors: dict[str, Tensor], wanted: dict[str, tuple[int, ...]], what: str) -> None:
    for name in [*wanted, *tensors]:
        if name not in tensors:
            raise ValueError(f"{what} {name} is missing")
        if name not in wanted:
            raise ValueError(f"{what} {name} is not known")
        tensor = tensors[name]
        if tensor.shape != wanted[name]:
            shapes = f"{list(tensor.shape)}, the manifest says {list(wanted[name])}"
            raise ValueError(f"{what} {name} has shape {shapes}")
        kind = np.dtype(np.int8 if name.startswith("state") else np.float32)
        if tensor.dtype != kind:
            raise ValueError(f"{what} {name} is of {tensor.dtype}, not {kind}")
