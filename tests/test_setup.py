"""`scripts/setup` installs what it may, names what it may not, and is quick the second time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOLS = (
    "bash",
    "cat",
    "cp",
    "cut",
    "dirname",
    "env",
    "grep",
    "head",
    "mkdir",
    "rm",
    "sha256sum",
    "uname",
)

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)), reason="needs bash and the coreutils"
)


class Machine:
    """A folder with the set-up script and a PATH on which stand-ins write down their calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.log = folder / "log"
        self.log.touch()
        self.bin.mkdir()
        (folder / "scripts").mkdir()
        shutil.copy(ROOT / "scripts" / "setup", folder / "scripts")
        shutil.copy(ROOT / "pyproject.toml", folder)
        for tool in TOOLS:
            path = shutil.which(tool)
            assert path
            (self.bin / tool).symlink_to(path)
        self.stand_in("python3", self.python("3, 11"))
        self.stand_in("apt-get")
        self.stand_in("dpkg-query", "echo 'install ok installed'")
        self.stand_in("id", "echo 0")

    def stand_in(self, name: str, body: str = "", at: Path | None = None) -> None:
        path = (at or self.bin) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {self.log}\n{body}\n')
        path.chmod(0o755)

    def python(self, version: str) -> str:
        """A Python of that version whose `-m venv` makes a folder with another stand-in."""
        return f"""case "$*" in
          *"<= sys.version_info"*) [ "{version}" = "3, 11" ];;
          *version_info*) echo python3.11-venv;;
          *ensurepip*) [ ! -e {self.folder}/no-ensurepip ];;
          *"-m venv"*) mkdir -p .venv/bin; cp "$0" .venv/bin/python;;
          *--version*) echo "Python {version.replace(", ", ".")}";;
        esac"""

    def setup(self, goal: str = "run", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.folder / "scripts" / "setup", goal],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={"PATH": str(self.bin), "HOME": os.environ.get("HOME", "/")} | environment,
        )

    def calls(self, what: str) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if what in line]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_first_time_installs_second_time_does_nothing(machine: Machine) -> None:
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert len(machine.calls("pip install")) == 1 and not machine.calls("apt-get")
    again = machine.setup()
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert len(machine.calls("pip install")) == 1


def test_tests_need_more_than_a_run_but_not_the_other_way_round(machine: Machine) -> None:
    machine.setup("run")
    machine.setup("test")
    machine.setup("run")
    wanted = [line.split(" -e ")[1] for line in machine.calls("pip install")]
    assert wanted == [".", ".[dev,train]"]


def test_changed_requirements_are_installed_again(machine: Machine) -> None:
    machine.setup()
    with (machine.folder / "pyproject.toml").open("a") as file:
        file.write("\n# newer\n")
    machine.setup()
    assert len(machine.calls("pip install")) == 2


def test_root_installs_what_is_missing(machine: Machine) -> None:
    machine.stand_in("dpkg-query", "exit 1")
    done = machine.setup()
    assert done.returncode == 0
    assert "setup: apt-get install -y --no-install-recommends libportaudio2" in done.stderr
    assert machine.calls("apt-get install -y --no-install-recommends libportaudio2")


def test_stale_package_lists_are_fetched(machine: Machine) -> None:
    machine.stand_in("dpkg-query", "exit 1")
    updated = machine.folder / "updated"
    machine.stand_in(
        "apt-get",
        f"case $1 in update) : > {updated};; *) [ -e {updated} ];; esac",
    )
    done = machine.setup()
    assert done.returncode == 0 and "could not" not in done.stderr
    assert len(machine.calls("apt-get")) == 3


@pytest.mark.parametrize("sudo", [None, "exit 1"], ids=["no sudo", "sudo asks for a password"])
def test_without_rights_package_and_command_are_named(machine: Machine, sudo: str | None) -> None:
    machine.stand_in("dpkg-query", "exit 1")
    machine.stand_in("id", "echo 1000")
    if sudo:
        machine.stand_in("sudo", sudo)
    done = machine.setup()
    assert done.returncode == 0
    assert "sudo apt-get install -y --no-install-recommends libportaudio2" in done.stderr
    assert not machine.calls("apt-get install") and machine.calls("pip install")


def test_failing_package_is_named_and_the_rest_goes_on(machine: Machine) -> None:
    machine.stand_in("dpkg-query", "exit 1")
    machine.stand_in("apt-get", "exit 100")
    done = machine.setup()
    assert done.returncode == 0 and "could not install libportaudio2" in done.stderr
    assert machine.calls("pip install")


def test_missing_ensurepip_is_installed(machine: Machine) -> None:
    (machine.folder / "no-ensurepip").touch()
    machine.stand_in("dpkg-query", "exit 1")
    machine.stand_in(
        "apt-get",
        f'case "$*" in *python3.11-venv*) rm {machine.folder}/no-ensurepip;; esac',
    )
    done = machine.setup()
    assert done.returncode == 0 and machine.calls("python3.11-venv")


def test_without_ensurepip_and_rights_package_and_command_are_named(machine: Machine) -> None:
    (machine.folder / "no-ensurepip").touch()
    machine.stand_in("dpkg-query", "exit 1")
    machine.stand_in("id", "echo 1000")
    done = machine.setup()
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("run: sudo apt-get install -y python3.11-venv")


@pytest.mark.parametrize("chosen", [True, False])
def test_other_pythons_are_refused_in_one_line(machine: Machine, chosen: bool) -> None:
    machine.stand_in("python3", machine.python("3, 14"))
    done = machine.setup(**({"PYTHON": "python3"} if chosen else {}))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and "3.11, 3.12 or 3.13" in done.stderr


def test_wrong_goal_is_a_usage_error(machine: Machine) -> None:
    assert machine.setup("fly").returncode == 2


def test_without_what_trains_the_other_tests_remain() -> None:
    """Set-up goes on without [train] where a machine cannot have it."""
    code = """
import sys
for name in "tensorflow keras matplotlib sklearn pyroomacoustics onnx onnxruntime".split():
    sys.modules[name] = None
import pytest
sys.exit(pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", "tests"]))
"""
    collected = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert collected.returncode == 0, collected.stdout
