"""A real microphone without a sound card: a private PulseAudio server whose sink is heard."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from ctypes.util import find_library
from pathlib import Path

STARTUP = """\
load-module module-null-sink sink_name=mic rate={rate} channels=1 format=s16le norewinds=1
load-module module-native-protocol-unix auth-anonymous=1 socket={socket}
set-default-sink mic
set-default-source mic.monitor
"""

DEVICES = """\
</usr/share/alsa/alsa.conf>
pcm.!default {{ type pulse server "unix:{socket}" }}
ctl.!default {{ type pulse server "unix:{socket}" }}
pcm.stage_left {{ type pulse server "unix:{socket}" }}
pcm.stage_right {{ type pulse server "unix:{socket}" }}
"""


def missing() -> str | None:
    """Return what the virtual microphone needs and the machine lacks, as a reason to skip."""
    plugins = Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so")
    packages = {
        "pulseaudio": shutil.which("pulseaudio"),
        "pulseaudio-utils": shutil.which("paplay") and shutil.which("pactl"),
        "libportaudio2": find_library("portaudio"),
        "libasound2-plugins": any(plugins),
    }
    names = " ".join(name for name, found in packages.items() if not found)
    return f"needs apt-get install {names}" if names else None


class PulseServer:
    """One server with one virtual microphone, all of it in a folder of its own."""

    def __init__(self, folder: Path, rate: int) -> None:
        self._folder = folder
        self._socket = folder / "run" / "native"
        (folder / "run").mkdir(mode=0o700)
        (folder / "mic.pa").write_text(STARTUP.format(rate=rate, socket=self._socket))
        (folder / "asound.conf").write_text(DEVICES.format(socket=self._socket))
        self._server: subprocess.Popen[bytes] | None = None
        self.env = os.environ | {
            "HOME": str(folder),
            "PULSE_RUNTIME_PATH": str(folder / "run"),
            "PULSE_SERVER": f"unix:{self._socket}",
            "ALSA_CONFIG_PATH": str(folder / "asound.conf"),
        }

    def start(self) -> None:
        """Start the server and wait until it answers."""
        command = ["pulseaudio", "-n", "-F", str(self._folder / "mic.pa"), "--daemonize=no"]
        command += ["--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes"]
        command += [f"--log-target=file:{self._folder / 'pulse.log'}"]
        quiet = subprocess.DEVNULL
        self._server = subprocess.Popen(
            command, env=self.env, stdin=quiet, stdout=quiet, stderr=quiet
        )
        deadline = time.monotonic() + 30
        while subprocess.run(["pactl", "info"], env=self.env, capture_output=True).returncode:
            if time.monotonic() > deadline:
                raise TimeoutError((self._folder / "pulse.log").read_text())
            time.sleep(0.05)

    def kill(self) -> None:
        """End the server at once, if it runs, frozen or not."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None
        self._socket.unlink(missing_ok=True)

    def freeze(self) -> None:
        """Let the server hang: it keeps its sockets and answers nothing."""
        assert self._server is not None
        self._server.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        assert self._server is not None
        self._server.send_signal(signal.SIGCONT)

    def suspend(self, suspended: bool) -> None:
        """Suspend or resume the microphone: its streams stay open and give nothing."""
        command = ["pactl", "suspend-sink", "mic", str(int(suspended))]
        subprocess.run(command, env=self.env, check=True)

    def play(self, recording: Path, device: str = "mic") -> None:
        """Let a microphone hear a recording; returns at its end."""
        command = ["paplay", f"--device={device}", str(recording)]
        subprocess.run(command, env=self.env, check=True, timeout=60)

    def unload(self) -> None:
        """Let the microphone be unplugged; the server stays."""
        subprocess.run(["pactl", "unload-module", "module-null-sink"], env=self.env, check=True)

    def plug_in(self, rate: int, channels: int) -> None:
        """Let there be another microphone where the one was that was unplugged."""
        command = ["pactl", "load-module", "module-null-sink", "sink_name=mic", f"rate={rate}"]
        command += [f"channels={channels}", "format=s16le", "norewinds=1"]
        subprocess.run(command, env=self.env, check=True, capture_output=True)
        for setting in ("set-default-sink mic", "set-default-source mic.monitor"):
            subprocess.run(["pactl", *setting.split()], env=self.env, check=True)

    def plug_in_another(self, name: str) -> str:
        """Let there be one more microphone, that is not the default; return its module's number."""
        command = ["pactl", "load-module", "module-null-sink", f"sink_name={name}", "norewinds=1"]
        command += [f"sink_properties=device.description={name.capitalize()}"]
        done = subprocess.run(command, env=self.env, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def unplug(self, module: str) -> None:
        """Let one that was plugged in be unplugged."""
        subprocess.run(["pactl", "unload-module", module], env=self.env, check=True)
