"""A microphone as the sound server gives it: PulseAudio, or PipeWire in its place.

PortAudio reaches a server through ALSA's plugin for it, and wakes up three threads for every block.
The server's own protocol needs none: what comes waits in a socket until it is read.
"""

from __future__ import annotations

import math
import time

import numpy as np

from streamser.audio.capture import BLOCK_SECONDS, GONE
from streamser.audio.devices import Device
from streamser.audio.serverlink import ServerLink
from streamser.audio.source import SAMPLE_RATE, Samples, SourceError

LATE, CREEP = 0.001, 5e-4
"""Seconds after audio is due at which it is looked for, so that one look is enough. When it came
nobody sees then; so the time until more is due is taken to be shorter by the share CREEP, more than
clocks differ by, until a look comes too early, the audio is waited for and its time is seen."""

BACKLOG, PATIENCE = 0.5, 0.01
"""Seconds of audio. Where more came at once, the server may have kept as much again, since its
socket takes two seconds; and seconds that it is given to send it."""

LATE_AT_MOST, SETTLED = 0.1, 2.0
"""Seconds of audio that may be late, as pieces are when the server changes their size; and seconds
after which audio that is later than that does not come: a server that was busy has sent it all."""

QUARTZ = 0.001
"""Of the time: further apart the clocks of the microphone and the computer do not run."""


class Pace:
    """Knows how much audio never came, by the time that passed.

    A server says nothing of what it lost, of a microphone that was suspended for a moment, and of
    what it discarded since nobody took it.
    """

    def __init__(self) -> None:
        self._due = math.inf  # clock at which the newest sample was due: some came as early
        self._at = 0.0  # clock when samples came
        self._least = math.inf  # seconds that samples were late by at least, since they are
        self._settled_at = math.inf

    def came(self, samples: int, now: float) -> None:
        """Note that so many samples came, `now` at the latest."""
        due = self._due + samples / SAMPLE_RATE + QUARTZ * (now - self._at)
        self._due = min(due, now)
        self._at = now
        if not self.behind(now):
            self._least = self._settled_at = math.inf

    def behind(self, now: float) -> bool:
        """Return whether samples are later than they may be."""
        return now - self._due > LATE_AT_MOST

    def missing(self, now: float) -> int:
        """Return how many samples are missing just found, where those that came are `behind`."""
        self._least = min(self._least, now - self._due)
        self._settled_at = min(self._settled_at, now + SETTLED)
        if now < self._settled_at:
            return 0
        lost, self._least, self._settled_at = self._least, math.inf, math.inf
        self._due += lost
        return round(lost * SAMPLE_RATE)


class ServerStream:
    """One stream of a microphone, at 16 kHz and mono by the server's own conversion.

    That of the default one follows the server's default where the server moves it; any other ends
    with its microphone. The overrun rule is the ring buffer's: the newest samples stay.
    """

    rate = SAMPLE_RATE
    waiting = 0

    def __init__(self, device: Device | None = None, *, max_lag: float) -> None:
        """Begin to hear one of the server's devices, or its default.

        `max_lag` in seconds, of audio that may wait unread. Raises NoServerError, and SourceError
        when the server does not answer.
        """
        self._block = round(BLOCK_SECONDS * SAMPLE_RATE)
        self._most = max(self._block, round(max_lag * SAMPLE_RATE))
        self._begun = 0  # samples of a block that was returned in part
        self._dropped = self._overruns = 0
        self._heard_at = 0.0  # clock when the newest sample came
        self._piece = 1  # samples that the server gives at once
        self._pace = Pace()
        self._link = ServerLink()
        try:
            key = self._link.record(device.key if device else None, piece=self._block)
            self.name = device.name if device else self._link.name_of(key)
        except SourceError:
            self.stop()
            raise

    def read(self, timeout: float, blocks: int) -> Samples:
        """See `Capture`."""
        deadline = time.monotonic() + timeout
        wanted = blocks * self._block - self._begun
        self._sleep(wanted, deadline)
        self._link.turn_all()
        if (come := self._come()) >= wanted:
            due = self._heard_at + come / SAMPLE_RATE * (1.0 - CREEP)
            self._heard_at = min(due, time.monotonic())
        else:
            come = self._wait(wanted, deadline)
        while come > BACKLOG * SAMPLE_RATE and self._link.turn(PATIENCE):
            come = self._come()
        return self._newest(self._take())

    def losses(self) -> tuple[int, int]:
        """See `Capture`."""
        losses = self._dropped, self._overruns
        self._dropped = self._overruns = 0
        return losses

    def stop(self) -> None:
        """See `Capture`."""
        self._link.close()

    def _sleep(self, wanted: int, deadline: float) -> None:
        """Sleep until so many samples should have come, in whole pieces."""
        pieces = -(-wanted // self._piece)
        due = self._heard_at + pieces * self._piece / SAMPLE_RATE + LATE
        if (rest := min(due, deadline) - time.monotonic()) > 0:
            time.sleep(rest)

    def _wait(self, wanted: int, deadline: float) -> int:
        """Wait until so many samples have come; return how many did."""
        while (come := self._come()) < wanted:
            if self._link.ended:
                raise SourceError(GONE)
            left = deadline - time.monotonic()
            if self._link.turn(max(left, 0.0)):
                self._heard_at = time.monotonic()
            elif left <= 0:
                break
        return come

    def _come(self) -> int:
        """Return how many samples wait to be taken."""
        return sum(map(len, self._link.audio)) // 2

    def _take(self) -> Samples:
        """Return all that came; what is missing is counted, as the server or the time tells."""
        link = self._link
        pieces, link.audio = link.audio, []
        missing, link.missing = link.missing, 0
        samples = np.frombuffer(b"".join(pieces), np.int16)
        if pieces:
            self._piece = len(pieces[-1]) // 2
            now = time.monotonic()
            self._pace.came(missing + len(samples), now)
            # Only if nothing has come that is not noted; a network may be late for long.
            if link.local and self._pace.behind(now) and not link.turn_all():
                missing += self._pace.missing(now)
        if missing:
            self._lose(missing)
        return samples

    def _newest(self, samples: Samples) -> Samples:
        if (surplus := len(samples) - self._most) > 0:
            self._lose(surplus)
            samples = samples[surplus:]
        self._begun = (self._begun + len(samples)) % self._block
        return samples

    def _lose(self, samples: int) -> None:
        self._dropped += samples
        self._overruns += 1
        self._begun = 0
