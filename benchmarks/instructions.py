"""How many instructions a second and a hop of audio take: a figure that repeats.

    python -m benchmarks.instructions [--json FILE]                  on this x86-64, under callgrind
    python -m benchmarks.instructions --aarch64 [--json FILE]        as a Pi 4 and a Pi 5 would
    python -m benchmarks.instructions --budget                       set what the test allows

Counted is `benchmarks.workload`, part by part, on one thread, with a fixed hash seed. Callgrind
offers the program the instruction sets up to AVX2, so what is counted is what a processor without
AVX-512 executes; a run takes ten seconds. `--aarch64` runs the same program on an emulated
Cortex-A72 and Cortex-A76 (`scripts/aarch64`, which see, builds the emulator in some minutes at
first). Device drivers, PortAudio and its callback are not in it.

Debian: apt-get install valgrind
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
BUDGET = Path(__file__).parent / "budget.json"

WORKLOAD = ("-m", "benchmarks.workload")

CORES = {"cortex-a72": ("Pi 4", 1.8e9), "cortex-a76": ("Pi 5", 2.4e9)}
"""As the emulator calls them: the board that has it, and its hertz."""

INSTRUCTIONS_PER_CYCLE = (1.0, 2.0)
"""Assumed, not measured: interpreted code on such cores stays within this range."""


def main() -> int:
    """Count and print; 1 where that cannot be done."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.instructions")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--aarch64", action="store_true", help="count on emulated cores")
    which.add_argument("--budget", action="store_true", help="write what is counted as the budget")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what is counted there")
    args = parser.parse_args()
    if not args.aarch64 and (reason := missing()):
        print(f"benchmarks.instructions: {reason}", file=sys.stderr)
        return 1
    try:
        if args.aarch64:
            counts = {core: on_aarch64(core) for core in CORES}
        else:
            counts = {"x86-64": on_x86()}
    except subprocess.CalledProcessError:  # it has said why
        return 1
    told = {"versions": versions(), "instructions": counts}
    if args.budget:
        BUDGET.write_text(json.dumps(told, indent=1) + "\n")
    if args.json:
        args.json.write_text(json.dumps(told, indent=1) + "\n")
    show(counts)
    return 0


def missing() -> str | None:
    """Return why nothing can be counted on this machine, as a reason to skip."""
    if platform.machine() != "x86_64":
        return "callgrind's counts are of x86-64"
    if shutil.which("valgrind") is None:
        return "needs apt-get install valgrind"
    return None


def versions() -> dict[str, str]:
    """Return what else the counts depend on."""
    packages = ("numpy", "ai-edge-litert", "webrtcvad-wheels")
    python = f"{platform.python_version()}, {platform.python_compiler()}"
    return {"python": python, **{name: version(name) for name in packages}}


def on_x86() -> dict[str, float]:
    """Return the instructions of each part, per unit, as callgrind counts them."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind"
        command = ["valgrind", "--tool=callgrind", "--dump-before=getpgid"]
        command += [f"--callgrind-out-file={out}", sys.executable, *WORKLOAD]
        done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr)
        dumps = sorted(Path(folder).glob("callgrind.*"), key=lambda path: int(path.suffix[1:]))
        totals = [re.search(r"^totals: (\d+)", d.read_text(), re.MULTILINE) for d in dumps]
    return per_unit(done.stdout, [int(total[1]) for total in totals if total])


def on_aarch64(core: str) -> dict[str, float]:
    """Return the same as an emulated core executes it."""
    command = ["scripts/aarch64", "count", core, *WORKLOAD]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True, check=True
    )
    *counts, told = done.stdout.splitlines()
    return per_unit(told, np.diff([0, *map(int, counts)]).tolist())


def environment() -> dict[str, str]:
    """Return what makes every run the same."""
    return {**os.environ, "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}


def per_unit(told: str, totals: list[int]) -> dict[str, float]:
    """Return instructions per unit, given the parts as JSON and the counts before each cut."""
    parts: dict[str, float] = json.loads(told)
    _, *counted = totals  # the first cut ends the start-up
    pairs = zip(parts.items(), counted, strict=True)
    return {name: count / units for (name, units), count in pairs if units}


def show(counts: dict[str, dict[str, float]]) -> None:
    """Print a table in millions, and for boards what that might take."""
    print(f"{'million instructions per':<38}" + "".join(f"{where:>12}" for where in counts))
    for part in next(iter(counts.values())):
        row = (f"{parts[part] / 1e6:12.3f}" for parts in counts.values())
        print(f"{part:<38}" + "".join(row))
    slow, fast = INSTRUCTIONS_PER_CYCLE
    for core, (board, hertz) in CORES.items():
        if core in counts:
            work = counts[core]["second of the whole path, speech"] / hertz
            print(
                f"estimate for a {board} ({core} at {hertz / 1e9:g} GHz, {slow:g} to {fast:g}"
                f" instructions a cycle): {100 * work / fast:.2f} to {100 * work / slow:.2f} %"
                " of a core while one speaks"
            )


if __name__ == "__main__":
    sys.exit(main())
