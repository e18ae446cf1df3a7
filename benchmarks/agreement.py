"""Do two machines hear the same? Compares what `listen` or `analyze --json` said on each.

    python -m benchmarks.agreement HERE THERE

Events have to be of the same types, places in time, states and labels; scores and what follows from
them may differ a little, since kernels round each in its own way. Exit code 1 names what differs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TOLERANCE = 0.02
"""Of a score, which is 0 to 1."""

OWN = frozenset({"time", "cpu", "rss_mb", "latency_ms", "lag_s", "python"})
"""What each machine says of itself."""


def main() -> int:
    """Compare and print."""
    here, there = (read(Path(path)) for path in sys.argv[1:3])
    complaints = differences(here, there)
    for complaint in complaints[:20]:
        print(complaint)
    if not complaints:
        worst = max((furthest(a, b) for a, b in zip(here, there, strict=True)), default=0.0)
        print(f"{len(here)} lines agree; scores differ by {worst:.6f} at most")
    return 1 if complaints or not here else 0


def read(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a JSON Lines file, but for `health`, which comes by wall time."""
    found = [json.loads(line) for line in path.read_text().splitlines()]
    return [event for event in found if event.get("type") != "health"]


def differences(here: list[dict[str, Any]], there: list[dict[str, Any]]) -> list[str]:
    """Return a line for each difference that is none of rounding."""
    if len(here) != len(there):
        return [f"{len(here)} lines here, {len(there)} there"]
    found = []
    for number, (ours, theirs) in enumerate(zip(here, there, strict=True)):
        for name in sorted((ours.keys() | theirs.keys()) - OWN - {"seq"}):
            if not alike(ours.get(name), theirs.get(name)):
                found.append(f"line {number}, {name}: {ours.get(name)!r}, {theirs.get(name)!r}")
    return found


def alike(here: Any, there: Any) -> bool:
    """Return whether two values are the same but for rounding."""
    if isinstance(here, dict) and isinstance(there, dict):
        return here.keys() == there.keys() and all(alike(here[k], there[k]) for k in here)
    if isinstance(here, float) and isinstance(there, float):
        return abs(here - there) <= TOLERANCE
    return bool(here == there)


def furthest(here: dict[str, Any], there: dict[str, Any]) -> float:
    """Return how far apart the scores of two records are."""
    scores, others = here.get("scores") or {}, there.get("scores") or {}
    return max((abs(scores[label] - others[label]) for label in scores), default=0.0)


if __name__ == "__main__":
    sys.exit(main())
