"""The live path keeps nothing of what it allocates, hop after hop."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

SETTLING = 16_384
"""Bytes: CPython's own caches fill slowly. An object left behind per hop would be 100 kB."""


def test_thousands_of_hops_leave_nothing_behind(tmp_path: Path) -> None:
    out = tmp_path / "found.json"
    command = [sys.executable, "-m", "benchmarks.allocation", "--json", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=200)
    for name, figures in json.loads(out.read_text()).items():
        assert figures["hops"] > 4000
        assert figures["bytes kept late"] - figures["bytes kept early"] < SETTLING, name
