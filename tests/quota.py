"""A process that gets hardly any of the processor, for a while."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

CPU = Path("/sys/fs/cgroup/cpu")
PERIOD = 500_000
"""Microseconds."""


@contextlib.contextmanager
def starved(process: int, share: float) -> Iterator[str]:
    """Let a process have `share` of one core alone; tells by what means.

    That is a quota of the kernel's (cgroup) where this user may set one; else the process is
    stopped and continued in turns.
    """
    group = CPU / f"streamser-test-{process}"
    try:
        group.mkdir()
    except OSError:
        with _in_turns(process, share):
            yield "SIGSTOP and SIGCONT in turns"
        return
    try:
        (group / "cpu.cfs_period_us").write_text(str(PERIOD))
        (group / "cpu.cfs_quota_us").write_text(str(round(share * PERIOD)))
        (group / "cgroup.procs").write_text(str(process))
        yield "CFS quota"
    finally:
        for task in (group / "cgroup.procs").read_text().split():
            (CPU / "cgroup.procs").write_text(task)
        group.rmdir()


@contextlib.contextmanager
def _in_turns(process: int, share: float) -> Iterator[None]:
    over = threading.Event()

    def turn() -> None:
        while not over.is_set():
            os.kill(process, signal.SIGSTOP)
            over.wait((1 - share) * PERIOD / 1e6)
            os.kill(process, signal.SIGCONT)
            over.wait(share * PERIOD / 1e6)

    turning = threading.Thread(target=turn)
    turning.start()
    try:
        yield
    finally:
        over.set()
        turning.join()
