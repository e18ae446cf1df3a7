"""What the live path allocates per hop, and what of it stays: ring, listener, analysis, JSON Lines.

    python -m benchmarks.allocation [--hops 5000] [--json FILE]

Python's own tracer (tracemalloc) sees what Python and numpy allocate. `at once` is how far above
its start memory rises within a hop, `kept` what is held after a fifth of the hops and what at the
end: no difference is growth. Speech comes from the bundled clip with its pauses, so that utterances
begin and end; then silence.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tracemalloc
from pathlib import Path

import numpy as np

from benchmarks.workload import Tape
from streamser.analysis.hops import HOP
from streamser.audio.recording import read_recording
from streamser.audio.source import Samples
from streamser.clip import demo_clip
from streamser.events import to_json
from streamser.listener import Listener
from streamser.outputs.lines import LineWriter


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.allocation")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--hops", type=int, default=5000, help="of speech, and of silence")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    args = parser.parse_args()
    clip = np.concatenate(list(read_recording(demo_clip())))
    clip = clip[: clip.size // HOP * HOP]
    tracemalloc.start()
    found = {
        name: allocated(samples, args.hops)
        for name, samples in (("speech", clip), ("silence", np.zeros_like(clip)))
    }
    for name, figures in found.items():
        print(name, ", ".join(f"{what} {value:g}" for what, value in figures.items()))
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


def allocated(samples: Samples, hops: int) -> dict[str, float]:
    """Return bytes: at once in a hop (median and most), and kept early and late."""
    tape = Tape(samples)
    round_trip = samples.size // HOP
    rounds = max(5, hops // round_trip)
    peaks = np.zeros(rounds * round_trip)
    kept = []
    with Listener(tape, clock=tape.clock) as listener, Path(os.devnull).open("wb") as null:
        lines = LineWriter(null)
        for number in range(rounds):
            for hop in range(round_trip):
                before, _ = tracemalloc.get_traced_memory()
                tracemalloc.reset_peak()
                for event in listener.poll(0.1):
                    lines.write(to_json(event))
                peaks[number * round_trip + hop] = tracemalloc.get_traced_memory()[1] - before
            gc.collect()
            kept.append((tracemalloc.get_traced_memory()[0], sys.getallocatedblocks()))
    early, late = kept[rounds // 5], kept[-1]
    return {
        "hops": peaks.size,
        "bytes at once, median": float(np.median(peaks)),
        "bytes at once, most": float(peaks[round_trip:].max()),
        "bytes kept early": early[0],
        "bytes kept late": late[0],
        "blocks kept early": early[1],
        "blocks kept late": late[1],
    }


if __name__ == "__main__":
    sys.exit(main())
