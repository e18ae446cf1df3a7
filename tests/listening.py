"""Processes that listen, and what they should find."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import events_schema
import numpy as np
import pytest

from streamser.analysis.analyzer import Analyzer
from streamser.audio.recording import read_recording
from streamser.events import Utterance

ROOT = Path(__file__).parent.parent
PATIENCE = 60.0
"""Seconds after which something that has to come counts as hung."""

STALLING = """\
import sys, time
from streamser.audio.microphone import Microphone
microphone = Microphone(sys.argv[1] or None, max_lag=0.5)
microphone.open()
began = time.monotonic()
heard = len(microphone.read(5.0))
time.sleep(2.0)
heard += len(microphone.read(5.0))
print(time.monotonic() - began, heard, microphone.dropped, microphone.overruns)
microphone.close()
"""


class Listening:
    """A process that listens; what it prints, as events."""

    def __init__(self, env: dict[str, str], *command: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *command],
            env=env,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.events: list[dict[str, Any]] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._collect, daemon=True).start()

    def _collect(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def until(self, kind: str) -> dict[str, Any]:
        """Return the next event of a kind."""
        deadline = time.monotonic() + PATIENCE
        while True:
            line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            if line is None:
                raise EOFError(f"no {kind}: {self.process.stderr.read()}")  # type: ignore[union-attr]
            event = events_schema.check(json.loads(line))
            self.events.append(event)
            if event["type"] == kind:
                return event

    def end(self) -> None:
        """Ask the process to end, and check that it does, cleanly and without a word."""
        self.process.send_signal(signal.SIGTERM)
        assert self.until("session.ended")["reason"] == "terminated"
        assert self.process.wait(PATIENCE) == 0
        assert self.process.stderr is not None
        assert self.process.stderr.read() == ""
        assert [event["seq"] for event in self.events] == list(range(len(self.events)))
        times = [event["t"] for event in self.events]
        assert times == sorted(times)


def utterances_of(recording: Path) -> list[Utterance]:
    """Return what the analysis finds in a recording that silence surrounds."""
    silence = np.zeros(16_000, dtype=np.int16)
    analyzer = Analyzer()
    events = analyzer.push(silence)
    for block in (*read_recording(recording), silence, silence):
        events += analyzer.push(block)
    events += analyzer.finish()
    return [event for event in events if isinstance(event, Utterance)]


def assert_the_oldest_is_lost(env: dict[str, str], device: str) -> None:
    """Let a reader stall for two seconds where half of one may wait."""
    done = subprocess.run(
        [sys.executable, "-c", STALLING, device],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    elapsed, heard, dropped, overruns = map(float, done.stdout.split())
    assert heard < 16_000
    assert overruns == 1
    assert (heard + dropped) / 16_000 == pytest.approx(elapsed, abs=0.25)
