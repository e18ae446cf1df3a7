"""A process of its own for each family of peers: their libraries do not bear one another."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np

from benchmarks.peers.peer import Kind, Peer, speech

_OTHERS = np.zeros(64 << 20, np.uint8)
"""Twice a core's caches."""

WARMING_UP = 4
"""Steps that are not counted: another peer had the caches."""


@dataclass(frozen=True, slots=True)
class Named:
    """A peer as the measuring process knows it."""

    name: str
    kind: Kind
    samples: int


class Family:
    """The peers of one module, in their process. Raises RuntimeError when that fails."""

    def __init__(self, module: str) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._line, theirs = spawn.Pipe()
        self._module = module
        spawn.Process(target=serve, args=(module, theirs), daemon=True).start()
        theirs.close()
        self.peers: list[Named] = self._answer()

    def take(self, number: int, *, cold: bool) -> float:
        """Let a peer take a second of speech; return milliseconds per second of it."""
        self._line.send((number, cold))
        milliseconds: float = self._answer()
        return milliseconds

    def close(self) -> None:
        """End the process."""
        self._line.close()

    def _answer(self):  # type: ignore[no-untyped-def]
        try:
            answer = self._line.recv()
        except EOFError:
            answer = RuntimeError("died")
        if isinstance(answer, Exception):
            raise RuntimeError(f"{self._module}: {answer}")
        return answer


def serve(module: str, line: Connection) -> None:
    """Make the peers, tell who they are, and take speech as asked."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)  # TensorFlow and Keras talk a lot
    try:
        made = importlib.import_module(f"benchmarks.peers.{module}").peers(speech())
        line.send([Named(peer.name, peer.kind, peer.samples) for peer in made])
        while True:
            number, cold = line.recv()
            line.send(take(made[number], cold=cold))
    except EOFError:
        pass
    except Exception as error:
        line.send(RuntimeError(f"{type(error).__name__}: {error}"))


def take(peer: Peer, *, cold: bool) -> float:
    """Let a peer take a second of speech, step by step; return milliseconds per second of it."""
    steps = max(1, round(1.0 / peer.seconds))
    spent = 0
    for _ in range(WARMING_UP):
        peer.step()
    for _ in range(steps):
        if cold:
            np.add(_OTHERS, 1, out=_OTHERS)
        begun = time.process_time_ns()
        peer.step()
        spent += time.process_time_ns() - begun
    return spent / 1e6 / (steps * peer.seconds)
