"""The units in deploy/: systemd takes them as they are, and finds little to fear."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from streamser.audio.reconnect import LAST_RETRY
from streamser.layers import Layers

DEPLOY = Path(__file__).parent.parent / "deploy"
SYSTEM, USER = DEPLOY / "streamser.service", DEPLOY / "streamser-user.service"
CONFIG = DEPLOY / "config.toml"
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs apt-get install systemd"
)


def drop_in() -> str:
    """Return what deploy/config.toml says is to be put into `systemctl edit`."""
    (advice,) = re.findall(r"(?m)^#   \[Service\]\n(?:#   .+\n)+", CONFIG.read_text())
    return advice.replace("#   ", "")


@needs_systemd
@pytest.mark.parametrize("unit", [SYSTEM, USER], ids=["system", "user"])
def test_systemd_takes_it_as_it_is_and_with_the_drop_in_that_is_advised(
    unit: Path, tmp_path: Path
) -> None:
    program = tmp_path / "streamser"
    program.symlink_to(sys.executable)
    copy = tmp_path / "streamser.service"
    copy.write_text(re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={program}", unit.read_text()))
    (tmp_path / "streamser.service.d").mkdir()
    (tmp_path / "streamser.service.d" / "override.conf").write_text(drop_in())
    (tmp_path / "run").mkdir(mode=0o700)
    command = ["systemd-analyze", "verify", "--recursive-errors=yes", "--man=no", str(copy)]
    command += ["--user"] if unit is USER else []
    env = {"XDG_RUNTIME_DIR": str(tmp_path / "run"), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert (done.returncode, done.stderr.strip()) == (0, "")


@pytest.mark.parametrize("unit", [SYSTEM, USER], ids=["system", "user"])
def test_there_is_nothing_in_it_to_be_uncommented(unit: Path) -> None:
    """An update would comment it again."""
    assert not re.search(r"(?m)^#\s*\w+=", unit.read_text())


def test_the_drop_in_that_is_advised_gives_the_daemon_a_password(tmp_path: Path) -> None:
    settings = dict(re.findall(r"(?m)^(\w+)=(.*)$", drop_in()))
    name, _, value = settings["Environment"].partition("=")
    credential, _, _ = settings["LoadCredential"].partition(":")
    assert value == f"%d/{credential}"
    path = tmp_path / "config.toml"
    path.write_text(re.sub(r"(?m)^#(?=\[mqtt\]|host =|user =)", "", CONFIG.read_text()))
    config = Layers(path=path, environment={name: "/x"}).load()
    assert config.mqtt is not None and config.mqtt.password_file == "/x"


@needs_systemd
def test_the_system_unit_is_hardened() -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=25", str(SYSTEM)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-200:] + done.stderr


@pytest.mark.parametrize("unit", [SYSTEM, USER], ids=["system", "user"])
def test_it_waits_for_a_microphone_and_not_for_ever_when_deaf(unit: Path) -> None:
    text = unit.read_text()
    assert "\nType=notify\n" in text and "\nTimeoutStartSec=infinity\n" in text
    watchdog = int(re.findall(r"(?m)^WatchdogSec=(\d+)$", text)[0])
    assert watchdog > 4 * LAST_RETRY  # a microphone that comes back soon is no reason to restart
    assert "\nRestartPreventExitStatus=2\n" in text


@pytest.mark.parametrize("unit", [SYSTEM, USER], ids=["system", "user"])
def test_the_microphone_can_be_heard_under_it(unit: Path) -> None:
    """cffi's callbacks fail with MemoryError where memory may not be written and executed."""
    settings = dict(re.findall(r"(?m)^(\w+)=(.*)$", unit.read_text()))
    assert "MemoryDenyWriteExecute" not in settings and "PrivateDevices" not in settings
    assert unit is USER or settings["SupplementaryGroups"] == "audio"
    assert unit is USER or settings["DeviceAllow"] == "char-alsa rw"
