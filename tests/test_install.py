"""deploy/install-pi.sh says what it would do, and refuses where it cannot."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from serving import ROOT

SCRIPT = ROOT / "deploy" / "install-pi.sh"
pytestmark = pytest.mark.skipif(shutil.which("dpkg") is None, reason="needs a Debian system")


def run(home: Path, *arguments: str, arch: str = "arm64") -> subprocess.CompletedProcess[str]:
    """Run the script on a machine of some architecture."""
    (home / "bin").mkdir(exist_ok=True)
    dpkg = home / "bin" / "dpkg"
    dpkg.write_text(f"#!/bin/sh\necho {arch}\n")
    dpkg.chmod(0o755)
    env = {"HOME": str(home), "PATH": f"{home}/bin:{os.environ['PATH']}", "XDG_RUNTIME_DIR": "/x"}
    return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, env=env, timeout=60)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs apt-get install shellcheck")
def test_shellcheck_has_nothing_to_say() -> None:
    done = subprocess.run(["shellcheck", str(SCRIPT)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("scope", ["user", "system"])
@pytest.mark.parametrize("arch", ["arm64", "amd64"])
def test_a_dry_run_tells_all_and_does_nothing(tmp_path: Path, scope: str, arch: str) -> None:
    done = run(tmp_path, f"--{scope}", "--dry-run", arch=arch)
    assert done.returncode == 0, done.stderr
    assert f"on {arch}" in done.stdout
    commands = [line for line in done.stdout.splitlines() if line.startswith("+ ")]
    assert any(" -m venv --clear " in command for command in commands)
    assert any("serve\\,mqtt" in command for command in commands)
    unit = {"user": f"{tmp_path}/.config/systemd/user", "system": "/etc/systemd/system"}[scope]
    assert any(command.endswith(f" {unit}/streamser.service") for command in commands)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin"]


@pytest.mark.parametrize("scope", ["user", "system"])
def test_what_to_run_next_reads_the_services_configuration(tmp_path: Path, scope: str) -> None:
    home = tmp_path / "my home"
    home.mkdir()
    venv, config = {
        "user": (home / ".local/share/streamser/venv", home / ".config/streamser/config.toml"),
        "system": (Path("/opt/streamser"), Path("/etc/streamser/config.toml")),
    }[scope]
    told = run(home, f"--{scope}", "--dry-run").stdout
    for says, command in (("start it yourself: ", "serve"), ("if anything: ", "doctor")):
        (advice,) = [line.partition(says)[2] for line in told.splitlines() if says in line]
        assert shlex.split(advice) == [f"{venv}/bin/streamser", command, "--config", str(config)]


def test_a_dry_run_of_taking_it_away_does_nothing(tmp_path: Path) -> None:
    link = tmp_path / ".local" / "bin" / "streamser"
    link.parent.mkdir(parents=True)
    link.symlink_to("/nothing")
    done = run(tmp_path, "--user", "--uninstall", "--dry-run")
    assert done.returncode == 0
    assert f"+ rm -f {link}" in done.stdout and link.is_symlink()


@pytest.mark.parametrize(("arch", "why"), [("armhf", "32-bit"), ("riscv64", "neither")])
def test_other_machines_are_refused_in_a_line(tmp_path: Path, arch: str, why: str) -> None:
    done = run(tmp_path, "--user", "--dry-run", arch=arch)
    assert done.returncode == 1 and done.stdout == ""
    assert why in done.stderr and arch in done.stderr and done.stderr.count("\n") == 1


def test_usage(tmp_path: Path) -> None:
    assert "--uninstall" in run(tmp_path, "--help").stdout
    for wrong in (["--sytem"], ["--from"]):
        done = run(tmp_path, *wrong)
        assert done.returncode == 2 and "usage:" in done.stderr
