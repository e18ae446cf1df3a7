"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamser.model.interpreter import runtime_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """None stands for what the system does not tell."""

    cpu: str
    cores: int
    """That this process may use."""

    mhz: int | None
    governor: str | None
    celsius: float | None
    celsius_before: float | None = None
    """Before the work; `celsius` is after it."""

    throttled: str | None
    """A Raspberry Pi's own flags, such as `under-voltage`; empty where there are none."""

    system: str
    python: str
    numpy: str
    interpreter: str


def machine(root: Path = Path("/")) -> Machine:
    """Look at this machine, below `root`. Raises NetworkError without a TFLite interpreter."""
    cpufreq = root / "sys/devices/system/cpu/cpu0/cpufreq"
    khz = _read(cpufreq / "scaling_cur_freq")
    millidegrees = _read(root / "sys/class/thermal/thermal_zone0/temp")
    return Machine(
        cpu=_cpu(root),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1,
        mhz=int(khz) // 1000 if khz else None,
        governor=_read(cpufreq / "scaling_governor"),
        celsius=int(millidegrees) / 1000 if millidegrees else None,
        throttled=_throttled(root),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        numpy=np.__version__,
        interpreter=runtime_name(),
    )


def _cpu(root: Path) -> str:
    model = _read(root / "proc/device-tree/model")  # a Raspberry Pi names its board here
    if model:
        return model.rstrip("\0")
    for line in (_read(root / "proc/cpuinfo") or "").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


_FLAGS = {
    0: "under-voltage",
    1: "frequency capped",
    2: "throttled",
    3: "soft temperature limit",
    16: "under-voltage since boot",
    17: "frequency capped since boot",
    18: "throttled since boot",
    19: "soft temperature limit since boot",
}
"""Bits of the firmware's `get_throttled` (Raspberry Pi documentation, vcgencmd)."""


def _throttled(root: Path) -> str | None:
    text = _read(root / "sys/devices/platform/soc/soc:firmware/get_throttled")
    if text is None:
        return None
    bits = int(text, 16)
    return ", ".join(name for bit, name in _FLAGS.items() if bits >> bit & 1)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None
