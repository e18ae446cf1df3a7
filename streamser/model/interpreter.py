"""One network in an interpreter: ai-edge-litert, else tflite-runtime, else tensorflow."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec, module_from_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

_RUNTIMES = (
    ("ai-edge-litert", "ai_edge_litert", "ai_edge_litert.interpreter"),
    ("tflite-runtime", "tflite_runtime", "tflite_runtime.interpreter"),
    ("tensorflow", "tensorflow", "tensorflow.lite.python.interpreter"),
)


Shapes = Mapping[str, tuple[int, ...]]
"""Of inputs, by name."""


class NetworkError(Exception):
    """No interpreter is installed, or it refuses the network; one line says why."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output."""

    name: str
    index: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class Network:
    """A network with its tensors resolved by name once; not thread-safe.

    `set`, `invoke` and `get` cost about half a microsecond each besides the network itself, and
    what `get` returns is the caller's own copy: a state that goes from `get` to `set` makes the
    network free of memory, so that several streams may take turns on it.
    (Tried against `Interpreter.tensor()` views and the signature runner, which are slower.)
    """

    def __init__(self, content: bytes, *, shapes: Shapes | None = None) -> None:
        """`content` is a .tflite file with one signature.

        `shapes` are of inputs, by name, that shall have another than there. Raises NetworkError.
        """
        name, interpreter_class = _runtime()
        self.runtime = name
        """Which of the interpreters was found."""

        try:
            with _quiet():
                self._interpreter = interpreter_class(model_content=content, num_threads=1)
                if shapes:
                    inputs, _ = _tensors(self._interpreter)
                    for name, shape in shapes.items():
                        self._interpreter.resize_tensor_input(inputs[name].index, shape)
                self._interpreter.allocate_tensors()
            self.inputs, self.outputs = _tensors(self._interpreter)
        except (ValueError, RuntimeError, KeyError, TypeError) as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise NetworkError(f"{name} refuses it: {reason[0].strip()}") from None

    def set(self, tensor: Tensor, value: NDArray[Any]) -> None:
        """Copy `value` (the tensor's shape and dtype) into an input."""
        self._interpreter.set_tensor(tensor.index, value)

    def get(self, tensor: Tensor) -> NDArray[Any]:
        """Return a copy of an output."""
        value: NDArray[Any] = self._interpreter.get_tensor(tensor.index)
        return value

    def invoke(self) -> None:
        """Compute all outputs from the inputs; the GIL is free meanwhile."""
        self._interpreter.invoke()

    def __repr__(self) -> str:
        def told(tensors: Mapping[str, Tensor]) -> str:
            return ", ".join(f"{t.name} {t.dtype}{list(t.shape)}" for t in tensors.values())

        return f"<Network {told(self.inputs)} -> {told(self.outputs)} on {self.runtime}>"


def runtime_name() -> str:
    """Return which interpreter is used. Raises NetworkError when there is none."""
    return _runtime()[0]


@functools.cache
def _runtime() -> tuple[str, Any]:
    failures = []
    for name, package, module in _RUNTIMES:
        if find_spec(package) is None:
            continue
        if package == "tflite_runtime" and int(np.__version__.split(".")[0]) >= 2:
            failures.append("tflite-runtime does not work with numpy 2")
            continue
        try:
            with _quiet():
                return name, _imported(package, module).Interpreter
        except (ImportError, AttributeError, OSError) as error:
            failures.append(f"{name} fails: {str(error).splitlines()[0]}")
    why = f" ({'; '.join(failures)})" if failures else ""
    raise NetworkError(f"no TFLite interpreter{why}; pip install ai-edge-litert")


def _imported(package: str, module: str) -> Any:
    if package == "ai_edge_litert" and package not in sys.modules:
        with contextlib.suppress(ImportError, OSError), _bare(package):
            return importlib.import_module(module)
    return importlib.import_module(module)


@contextlib.contextmanager
def _bare(package: str) -> Iterator[None]:
    """Let modules of a package be imported without its `__init__`.

    That of ai-edge-litert loads a second library, 1.6 MB, of which an interpreter needs nothing.
    `sys.modules` forgets all of it, so who imports the package elsewhere gets the whole.
    """
    spec = find_spec(package)
    if spec is None:
        raise ImportError(package)
    sys.modules[package] = module_from_spec(spec)
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            del sys.modules[name]


def _tensors(interpreter: Any) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return inputs and outputs by the names of the signature, in its order."""
    signatures = interpreter.get_signature_list()
    if len(signatures) != 1:
        raise ValueError(f"it has {len(signatures)} signatures, not one")
    # A runner that lives on would count as a reference to the interpreter's memory.
    runner = interpreter.get_signature_runner(next(iter(signatures)))
    inputs = {name: _tensor(name, d) for name, d in runner.get_input_details().items()}
    outputs = {name: _tensor(name, d) for name, d in runner.get_output_details().items()}
    return inputs, outputs


def _tensor(name: str, details: Mapping[str, Any]) -> Tensor:
    return Tensor(
        name=name,
        index=int(details["index"]),
        shape=tuple(int(n) for n in details["shape"]),
        dtype=np.dtype(details["dtype"]),
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the interpreter's own INFO lines and deprecation warnings off stderr.

    The lines are written in C++ and no setting silences them, so file descriptor 2 points into
    memory meanwhile; every line that is not INFO is passed on.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            stderr = os.dup(2)
            kept = os.memfd_create("stderr")
        except (OSError, AttributeError):  # no stderr, or a system without memory files
            yield
            return
        try:
            os.dup2(kept, 2)
            yield
        finally:
            os.dup2(stderr, 2)
            written = os.pread(kept, 1 << 20, 0)
            os.close(kept)
            for line in written.splitlines(keepends=True):
                if not line.startswith(b"INFO: "):
                    os.write(stderr, line)
            os.close(stderr)
