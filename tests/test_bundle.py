"""A bundle is loaded whole and consistent, or refused in one clear line."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamser.model import bundle as loader
from streamser.model import interpreter
from streamser.model.bundle import available, find, load
from streamser.model.interpreter import Tensor
from streamser.model.manifest import ENCODER, HEAD, MANIFEST, BundleError, Manifest

Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the default bundle, to be damaged."""
    path = tmp_path / "copy"
    shutil.copytree(find(), path)
    return path


def edit(path: Path, change: Edit) -> None:
    """Change the manifest's JSON."""
    value = json.loads((path / MANIFEST).read_text())
    change(value)
    (path / MANIFEST).write_text(json.dumps(value))


def vouch(path: Path) -> None:
    """Have the manifest agree with whatever the files are now."""
    sums = {n: hashlib.sha256((path / n).read_bytes()).hexdigest() for n in (ENCODER, HEAD)}
    edit(path, lambda value: value.update(files=sums))


def refusal(path: Path) -> str:
    with pytest.raises(BundleError) as raised:
        load(path)
    line = str(raised.value)
    assert "\n" not in line and line.strip() == line
    assert "Error" not in line and "Traceback" not in line
    return line


def test_default_bundle_loads_and_tells_what_it_is() -> None:
    bundle = load()
    content = (bundle.path / MANIFEST).read_bytes()
    assert bundle.info.name == "streamser-research"
    assert bundle.info.sha256 == hashlib.sha256(content).hexdigest()
    assert bundle.info.labels == bundle.manifest.labels
    assert "unknown" in bundle.info.labels
    assert bundle.manifest.data_licences and bundle.manifest.provenance
    assert (bundle.path / "README.md").is_file()


def test_networks_compute() -> None:
    bundle = load()
    manifest, encoder = bundle.manifest, bundle.encoder
    features = encoder.inputs["features"]
    assert features.shape == (1, 1, manifest.network.frames_per_hop, manifest.features.n_mfcc)
    state = encoder.inputs["state"]
    outputs = []
    for _ in range(2):  # the same state gives the same outputs, whatever was computed before
        encoder.set(features, np.ones(features.shape, np.float32))
        encoder.set(state, bundle.fresh_state())
        encoder.invoke()
        outputs.append([encoder.get(tensor) for tensor in encoder.outputs.values()])
        encoder.set(state, np.full(state.shape, 99, np.int8))
        encoder.invoke()
    for first, second in zip(*outputs, strict=True):
        np.testing.assert_array_equal(first, second)


def test_manifest_survives_its_own_json(copy: Path) -> None:
    manifest, _ = Manifest.read(copy / MANIFEST)
    assert Manifest.from_json(manifest.to_json()) == manifest


@pytest.mark.parametrize("name", [ENCODER, HEAD])
@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: content + b"\0",
    ],
    ids=["one bit", "half", "empty", "longer"],
)
def test_changed_network_is_refused(copy: Path, name: str, damage: Callable[..., bytes]) -> None:
    path = copy / name
    path.write_bytes(damage(path.read_bytes()))
    assert f"{name}: SHA-256 differs" in refusal(copy)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (np.random.default_rng(0).bytes(5000), "not a TFLite network"),
        (b"PK\3\4" + bytes(2000), "not a TFLite network"),
        (b"", "not a TFLite network"),
        (b"\x1c\0\0\0TFL3" + np.random.default_rng(1).bytes(5000), "refuses it"),
    ],
    ids=["random", "zip", "empty", "random behind the magic"],
)
def test_foreign_file_is_refused_even_with_its_sum(copy: Path, content: bytes, reason: str) -> None:
    (copy / ENCODER).write_bytes(content)
    vouch(copy)
    assert reason in refusal(copy)


def test_truncated_network_is_refused_even_with_its_sum(copy: Path) -> None:
    content = (copy / ENCODER).read_bytes()
    (copy / ENCODER).write_bytes(content[: len(content) // 2])
    vouch(copy)
    assert "refuses it" in refusal(copy)


def test_other_network_is_refused_even_with_its_sum(copy: Path) -> None:
    shutil.copy(copy / HEAD, copy / ENCODER)
    vouch(copy)
    assert "encoder.tflite input features is missing" in refusal(copy)


def _shorten(value: dict[str, Any]) -> None:
    value["labels"].pop()


def _wider(value: dict[str, Any]) -> None:
    value["network"]["embedding_dim"] *= 2
    value["network"]["pooled_dim"] *= 2
    value["baseline"]["neutral"] *= 2


def _fewer_coefficients(value: dict[str, Any]) -> None:
    for numbers in (value["normaliser"]["mean"], value["normaliser"]["scale"]):
        numbers.pop()
    value["features"]["n_mfcc"] -= 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_shorten, "head.tflite output logits has shape"),
        (_wider, "encoder.tflite output embedding has shape"),
        (_fewer_coefficients, "encoder.tflite input features has shape"),
        (lambda v: v["baseline"]["neutral"].pop(), "baseline.neutral has"),
        (lambda v: v["network"]["states"].pop(), "encoder.tflite input state has shape"),
        (lambda v: v["network"]["states"][0].update(shape=[1, 999, 3]), "has shape"),
    ],
    ids=["labels", "embedding", "features", "baseline", "state less", "state shape"],
)
def test_manifest_that_does_not_fit_is_refused(copy: Path, change: Edit, reason: str) -> None:
    edit(copy, change)
    assert reason in refusal(copy)


def other_tensors(bundle: loader.Bundle) -> Iterator[tuple[dict[str, Tensor], str]]:
    inputs = bundle.encoder.inputs
    yield {}, "input features is missing"
    yield inputs | {"more": inputs["state"]}, "input more is not known"
    real = dataclasses.replace(inputs["state"], dtype=np.dtype(np.float32))
    yield inputs | {"state": real}, "input state is of float32, not int8"


def test_an_encoder_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = load()
    for inputs, reason in other_tensors(bundle):
        monkeypatch.setattr(bundle.encoder, "inputs", inputs)
        with pytest.raises(ValueError, match=reason):
            loader._check_encoder(bundle.encoder, bundle.manifest)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda v: v.update(format=1), "format is not 2; the model is for another version"),
        (lambda v: v.pop("labels"), "labels is missing"),
        (lambda v: v.update(colour="red"), "colour is not a known field"),
        (lambda v: v.update(name="../x"), "name has to be of"),
        (lambda v: v.update(created="soon"), "created is not an ISO 8601 date"),
        (lambda v: v.update(labels=["happy", "happy"]), "labels have to be 2 or more"),
        (lambda v: v.update(labels="happy"), "labels has to be a list"),
        (lambda v: v.update(labels=["happy", 1]), "labels[1] has to be text"),
        (lambda v: v["features"].update(hop=161), "features.hop has to be 160"),
        (
            lambda v: v["features"].update(hop=480 - v["features"]["hop"]),
            "network.frames_per_hop times features.hop has to be 1280",
        ),
        (lambda v: v["features"].update(n_fft=512.0), "features.n_fft has to be 512"),
        (lambda v: v["features"].update(htk=True), "features.htk has to be false"),
        (lambda v: v["features"].update(htk=0), "features.htk has to be false"),
        (lambda v: v["features"].update(fmax=9000), "fmin and fmax have to rise"),
        (lambda v: v["features"].update(log_floor=0), "log_floor has to be positive"),
        (lambda v: v["normaliser"]["mean"].pop(), "normaliser.mean has"),
        (lambda v: v["normaliser"]["scale"].__setitem__(0, 0.0), "scale has to be positive"),
        (lambda v: v["normaliser"]["mean"].__setitem__(0, None), "mean[0] has to be a number"),
        (lambda v: v["normaliser"]["mean"].__setitem__(0, 10**399), "mean[0] is too large"),
        (lambda v: v["normaliser"]["mean"].__setitem__(0, True), "mean[0] has to be a number"),
        (lambda v: v["network"].update(pooled_dim=7), "pooled_dim is not 2 embedding_dim"),
        (lambda v: v["network"].update(pooling="max"), "network.pooling has to be"),
        (lambda v: v["network"].update(states=None), "network.states has to be a list"),
        (lambda v: v["network"]["states"][0].update(zero_point=128), "zero_point of state_0 has"),
        (lambda v: v["network"]["states"][1].update(name="state_0"), "states have equal names"),
        (lambda v: v["verdict"].update(temperature=0), "temperature has to be in"),
        (lambda v: v["verdict"].update(threshold=1.5), "threshold has to be in"),
        (lambda v: v["files"].pop(HEAD), "files has to name"),
        (lambda v: v["files"].update({HEAD: "abc"}), "is not a SHA-256"),
        (lambda v: v.update(provenance=[]), "provenance has to be an object"),
    ],
)
def test_wrong_field_is_named(copy: Path, change: Edit, reason: str) -> None:
    edit(copy, change)
    line = refusal(copy)
    assert reason in line and MANIFEST in line


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{", "not JSON"),
        (b'{"format": NaN}', "NaN is not a finite number"),
        (b'{"format": 1e999}', "not a finite number"),
        (b'{"format": 1, "format": 1}', "format stands twice"),
        (b"[" * 200_000, "not JSON"),
        (b'{"format": ' + b"9" * 10_000 + b"}", "400 digits"),
        (b" " * (2 << 20), "larger than 1 MiB"),
    ],
    ids=["empty", "not text", "list", "cut", "nan", "inf", "twice", "deep", "digits", "large"],
)
def test_manifest_that_is_no_manifest_is_refused(copy: Path, content: bytes, reason: str) -> None:
    (copy / MANIFEST).write_bytes(content)
    assert reason in refusal(copy)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_manifest_crashes_the_reader(data: st.DataObject) -> None:
    value = json.loads((find() / MANIFEST).read_text())
    place, path = value, []
    while True:
        key = data.draw(
            st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place)))
        )
        path.append(key)
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            break
        place = inner
    scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
    place[key] = data.draw(scalars | st.lists(scalars) | st.dictionaries(st.text(), scalars))
    try:
        Manifest.from_json(json.dumps(value))
    except ValueError as error:
        assert str(error).isprintable()


@pytest.mark.parametrize("name", [MANIFEST, ENCODER, HEAD])
def test_missing_file_is_told(copy: Path, name: str) -> None:
    (copy / name).unlink()
    assert name in refusal(copy)


def test_directory_in_place_of_a_network_is_told(copy: Path) -> None:
    (copy / HEAD).unlink()
    (copy / HEAD).mkdir()
    assert "not a file" in refusal(copy)


def test_fifo_in_place_of_a_network_does_not_hang(copy: Path) -> None:
    (copy / HEAD).unlink()
    os.mkfifo(copy / HEAD)
    assert "not a file" in refusal(copy)


@pytest.mark.parametrize("name", ["no-such-model", "", ".", "..", "~", "a\0b"])
def test_unknown_name_lists_what_there_is(name: str) -> None:
    with pytest.raises(BundleError) as raised:
        load(name)
    assert "streamser-research" in str(raised.value)


@pytest.mark.parametrize(
    ("model", "reason"), [("~nosuch/x", "no such home"), ("a" * 300, "name too long")]
)
def test_a_name_that_no_folder_can_have_is_told(model: str, reason: str) -> None:
    with pytest.raises(BundleError, match=reason):
        load(model)


@pytest.mark.parametrize("model", ["./no-such-folder", "/nowhere/at/all", Path("nowhere")])
def test_unknown_folder_is_told(model: str | Path) -> None:
    with pytest.raises(BundleError, match="not a model bundle"):
        load(model)


def test_users_own_bundles_are_found(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(copy, lambda value: value.update(name="other"))
    folder = tmp_path / "streamser" / "models"
    folder.mkdir(parents=True)
    copy.rename(folder / "mine")
    (folder / "broken").mkdir()
    (folder / "broken" / MANIFEST).write_text("{}")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    found = {path.name: path for path in available()}
    assert {"mine", "broken", "streamser-research"} <= set(found) and "other" not in found
    assert all(find(name) == path for name, path in found.items())
    assert load("mine").info.name == "other"
    with pytest.raises(BundleError, match=r"no model is called 'other'; there are: .*\bmine\b"):
        load("other")
    assert load(str(folder / "mine")).path == folder / "mine"


def test_loading_is_silent_and_keeps_other_warnings() -> None:
    code = (
        "import os\nfrom streamser import load_model\nfrom streamser.model import interpreter\n"
        "load_model()\n"
        "with interpreter._quiet(): os.write(2, b'INFO: chatter\\nERROR: trouble\\n')\n"
        "os.write(2, b'after\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stderr == b"ERROR: trouble\nafter\n" and done.stdout == b""


def test_interpreter_comes_without_the_rest_of_its_package_and_leaves_it_whole() -> None:
    code = """
import sys
from streamser import load_model
model = load_model()
libraries = open("/proc/self/maps").read()
assert "litert_common" in libraries and "libLiteRt.so" not in libraries
assert not [name for name in sys.modules if name.startswith("ai_edge_litert")]
import ai_edge_litert.interpreter
from ai_edge_litert.compiled_model import CompiledModel
assert ai_edge_litert.__version__ and CompiledModel
path = str(model.path / "encoder.tflite")
theirs = ai_edge_litert.interpreter.Interpreter(model_path=path)
theirs.allocate_tensors()
theirs.invoke()
model.encoder.invoke()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_without_any_interpreter_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "find_spec", lambda name: None)
    interpreter._runtime.cache_clear()
    try:
        with pytest.raises(BundleError, match="pip install ai-edge-litert"):
            load()
    finally:
        interpreter._runtime.cache_clear()


def test_next_interpreter_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    from ai_edge_litert import interpreter as litert

    tried = []

    def import_module(name: str) -> object:
        tried.append(name)
        if name.startswith("ai_edge_litert"):
            raise ImportError("no such processor")
        return litert

    monkeypatch.setattr(interpreter.importlib, "import_module", import_module)
    monkeypatch.setattr(interpreter, "find_spec", lambda name: name != "tflite_runtime")
    interpreter._runtime.cache_clear()
    try:
        assert interpreter.runtime_name() == "tensorflow"
        assert load().encoder.runtime == "tensorflow"
    finally:
        interpreter._runtime.cache_clear()
    assert tried == ["ai_edge_litert.interpreter", "tensorflow.lite.python.interpreter"]


@pytest.mark.skipif(
    find_spec("tensorflow") is None, reason="needs tensorflow: pip install -e .[train]"
)
def test_tensorflow_computes_the_same() -> None:
    code = """if True:
        import sys
        import numpy as np
        from streamser.model import interpreter
        from streamser.model.bundle import load
        found = interpreter.find_spec
        interpreter.find_spec = lambda name: found(name) if sys.argv[1] in name else None
        bundle, random = load(), np.random.default_rng(0)
        for network in (bundle.encoder, bundle.head):
            for tensor in network.inputs.values():
                size = 40 if tensor.dtype == np.int8 else 1
                network.set(tensor, random.normal(0, size, tensor.shape).astype(tensor.dtype))
            network.invoke()
            print([network.get(tensor).tolist() for tensor in network.outputs.values()])
        print(bundle.encoder.runtime, file=sys.stderr)
    """
    runs = [
        subprocess.run([sys.executable, "-c", code, name], capture_output=True, check=True)
        for name in ("ai_edge_litert", "tensorflow")
    ]
    assert runs[0].stdout == runs[1].stdout and len(runs[0].stdout) > 1000
    assert [run.stderr.split()[-1] for run in runs] == [b"ai-edge-litert", b"tensorflow"]
