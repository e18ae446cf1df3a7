"""What the stages of a hop cost with hot caches, at the pace of a microphone, and with cold ones.

    python -m benchmarks.caches [--seconds 16] [--json FILE]

`hot`: hop upon hop, as micro-benchmarks do. `paced`: a hop every 80 ms, with whatever the machine
does meanwhile. `cold`: every cache of the core is emptied before each hop, the worst case. Means of
the processor time: of three hops that are heard at once the first finds the caches as they are.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamser.audio.recording import read_recording
from streamser.bench.machine import machine
from streamser.bench.stages import ONCE_IN_THREE, hops_of, measure_stages
from streamser.clip import demo_clip
from streamser.model.bundle import load

Hops = Iterator[NDArray[np.int16]]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.caches")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seconds", type=float, default=16.0, help="of speech")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    args = parser.parse_args()
    bundle = load()
    clip = np.concatenate(list(read_recording(demo_clip())))
    speech = np.tile(clip[16_000 : 16_000 + 32_000], round(args.seconds / 2))
    ways: dict[str, Callable[[Hops], Hops]] = {"hot": iter, "paced": paced, "cold": emptied}
    found = {}
    for way, given in ways.items():
        measure_stages(bundle, hops_of(speech[:64_000]))
        stages = measure_stages(bundle, given(hops_of(speech)))
        found[way] = {stage.name: stage.mean for stage in stages}
        found[way]["a hop, in all"] = sum(
            stage.mean / (3 if stage.name in ONCE_IN_THREE else 1)
            for stage in stages
            if stage.name != "resample 48 kHz"
        )
    print(f"{'microseconds':<18}" + "".join(f"{way:>10}" for way in found))
    for name in found["hot"]:
        print(f"{name:<18}" + "".join(f"{stages[name]:10.1f}" for stages in found.values()))
    print(f"{', '.join(ONCE_IN_THREE)}: per answer, one in three hops")
    if args.json:
        told = {"machine": asdict(machine()), "mean_us": found}
        args.json.write_text(json.dumps(told, indent=1) + "\n")
    return 0


def paced(hops: Hops) -> Hops:
    """Yield a hop every 80 ms."""
    due = time.monotonic()
    for hop in hops:
        due += 0.08
        time.sleep(max(0.0, due - time.monotonic()))
        yield hop


def emptied(hops: Hops) -> Hops:
    """Yield each hop after having read and written more than the caches hold."""
    others = np.zeros(64 << 20, np.uint8)
    for hop in hops:
        np.add(others, 1, out=others)
        yield hop


if __name__ == "__main__":
    sys.exit(main())
