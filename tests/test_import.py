"""`import streamser` is light, and what it exports is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import streamser

HEAVY = {"librosa", "matplotlib", "numba", "rich", "scipy", "sklearn", "sounddevice", "tensorflow"}


def run(code: str, **environment: str) -> str:
    env = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")} | environment
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
    )
    assert not done.stderr
    return done.stdout


def modules(code: str) -> set[str]:
    """Top-level modules that are loaded after `code`."""
    out = run(f"{code}\nimport sys, json\nprint(json.dumps(sorted(sys.modules)))")
    return {name.split(".")[0] for name in json.loads(out)}


def test_import_is_quick_and_loads_nothing_heavy() -> None:
    code = (
        "import time\nbegun = time.perf_counter()\nimport streamser\n"
        "print(time.perf_counter() - begun)"
    )
    assert min(float(run(code)) for _ in range(3)) < 0.150
    loaded = modules("import streamser")
    assert not loaded & (HEAVY | {"numpy", "ai_edge_litert", "webrtcvad", "soundfile", "soxr"})


def test_analysis_loads_no_openssl_and_no_mail() -> None:
    """hashlib and webrtcvad's own module would bring them: 4 MB each."""
    code = "from streamser import Analyzer, Listener; Analyzer()"
    assert not modules(code) & {"_hashlib", "email", "hashlib", "webrtcvad"}


def test_the_command_line_loads_no_compressor() -> None:
    """argparse's help would bring shutil, and that all of them: half a megabyte."""
    code = "from streamser.cli import parse; parse(['listen'])"
    assert not modules(code) & {"bz2", "lzma", "shutil"}


@pytest.mark.parametrize(
    "code",
    [
        "from streamser import Analyzer; Analyzer()",
        "from streamser import Listener",
        "from streamser import load_model; load_model()",
    ],
)
def test_library_loads_nothing_heavy(code: str) -> None:
    assert not modules(code) & HEAVY


def test_all_exports_are_there() -> None:
    for name in streamser.__all__:
        assert getattr(streamser, name) is not None
        assert name in dir(streamser)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = streamser.nothing


def test_command_runs_blas_on_one_thread_unless_told_otherwise() -> None:
    code = (
        "import sys, os\nsys.argv = ['streamser', '--version']\n"
        "from streamser.__main__ import main\nassert main() == 0\n"
        "print(os.environ.get('OPENBLAS_NUM_THREADS'))"
    )
    told = f"streamser {streamser.__version__}\n"
    assert run(code) == f"{told}1\n"
    assert run(code, OPENBLAS_NUM_THREADS="3") == f"{told}3\n"
    assert run(code, OMP_NUM_THREADS="2") == f"{told}None\n"


def test_library_leaves_blas_alone() -> None:
    code = "import os, streamser.model.bundle\nprint(os.environ.get('OPENBLAS_NUM_THREADS'))"
    assert run(code) == "None\n"
