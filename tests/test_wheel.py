"""The wheel carries the models and the clip, and works outside the checkout."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="needs hatchling: pip install -e .[dev]")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder]
    done = subprocess.run([*command, ROOT], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds nothing but the wheel's content."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(installed: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, cwd=installed.parent, env=env
    )


def test_wheel_holds_the_package_the_models_and_the_clip(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    bundle = "streamser/models/streamser-research"
    for name in ("manifest.json", "encoder.tflite", "head.tflite", "README.md"):
        assert f"{bundle}/{name}" in names
    assert {"streamser/demo.flac", "streamser/py.typed", "streamser/__main__.py"} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    tops = {name.split("/")[0] for name in names}
    assert all(top == "streamser" or top.endswith(".dist-info") for top in tops)
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    assert wheel.stat().st_size < 5 << 20


def test_the_wheel_tells_the_licence_of_all_that_it_carries(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (info,) = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
    told = message_from_bytes(archive.read(f"{info}/METADATA"))
    notice = archive.read(f"{info}/licenses/LICENSE-networks.md").decode()
    licences = {"Apache-2.0"}
    for path in (ROOT / "models").glob("*/manifest.json"):
        licence = json.loads(path.read_text())["license"]
        assert re.search(rf"^\| `{path.parent.name}`.* \| {licence}: .*<https://", notice, re.M)
        licences.add(licence)
    assert told["License-Expression"] == " AND ".join(sorted(licences))
    assert told.get_all("License-File") == ["LICENSE", "LICENSE-networks.md"]


def test_installed_package_loads_its_own_model(installed: Path) -> None:
    code = (
        "import streamser\nfrom streamser.clip import demo_clip\nassert demo_clip().is_file()\n"
        "print(streamser.load_model().path)"
    )
    done = run(installed, "-c", code)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()) == installed / "streamser/models/streamser-research"


def test_the_source_distribution_has_what_its_pages_show(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", tmp_path]
    done = subprocess.run([*command, ROOT], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        files.extractall(tmp_path, filter="data")
    (source,) = (path for path in tmp_path.iterdir() if path.is_dir())
    pages = [source / "README.md", *source.rglob("docs/*.md"), source / "LICENSE-networks.md"]
    for page in pages:
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_installed_command_analyses_a_recording(installed: Path) -> None:
    clip = installed / "streamser" / "demo.flac"
    done = run(installed, "-m", "streamser", "analyze", clip, "--format", "jsonl")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 5
