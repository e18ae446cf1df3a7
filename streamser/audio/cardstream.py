"""A microphone on a sound card, where no sound server is: the card is heard from the kernel itself.

PortAudio has a thread for it, which wakes up for every block. The card's memory holds seconds; so
nobody has to be awake before there is something to analyse.
"""

from __future__ import annotations

import errno
import time

import numpy as np

from streamser.audio.alsapcm import AlsaPcm
from streamser.audio.capture import BLOCK_SECONDS, GONE
from streamser.audio.resample import Resampler
from streamser.audio.soundcards import SoundCard
from streamser.audio.source import NO_SAMPLES, SAMPLE_RATE, Samples, SourceError

LATE = 0.001
"""Seconds after audio is due at which it is looked for, so that one look is enough."""

MARGIN = 0.25
"""Seconds of memory besides what may wait: what is being overwritten is not read."""


class CardStream:
    """One open card, at its own rate, resampled; of its channels the first is heard.

    The overrun rule is the ring buffer's: the newest samples stay.
    """

    waiting = 0

    def __init__(self, card: SoundCard, *, max_lag: float) -> None:
        """Begin to hear a card; `max_lag` in seconds, of audio that may wait unread.

        Raises UnfitError where only PortAudio and ALSA's plugins can, and SourceError.
        """
        try:
            self._pcm = AlsaPcm(card.path, rate=SAMPLE_RATE, seconds=max_lag + MARGIN)
        except OSError as error:
            raise SourceError(_refusal(card, error)) from error
        self.name = card.name
        self.rate = self._pcm.rate
        self._block = round(BLOCK_SECONDS * self.rate)
        self._most = max(self._block, round(max_lag * self.rate))
        self._resampler = Resampler(self.rate)
        self._begun = 0  # frames of a block that was returned in part
        self._dropped = self._overruns = 0
        self._emptied_at = time.monotonic()

    def read(self, timeout: float, blocks: int) -> Samples:
        """See `Capture`."""
        deadline = time.monotonic() + timeout
        wanted = blocks * self._block - self._begun
        pieces: list[Samples] = []
        while wanted > 0:
            due = self._emptied_at + wanted / self.rate + LATE
            if (rest := min(due, deadline) - time.monotonic()) > 0:
                time.sleep(rest)
            pieces.append(self._empty())
            wanted -= len(pieces[-1])
            self._begun = (self._begun + len(pieces[-1])) % self._block
            if time.monotonic() >= deadline:
                break
        return self._resampler.push(pieces[0] if len(pieces) == 1 else np.concatenate(pieces))

    def losses(self) -> tuple[int, int]:
        """See `Capture`."""
        losses = self._dropped * SAMPLE_RATE // self.rate, self._overruns
        self._dropped = self._overruns = 0
        return losses

    def stop(self) -> None:
        """See `Capture`."""
        self._pcm.close()

    def _empty(self) -> Samples:
        """Return all that waits; what came too long ago is lost."""
        now = time.monotonic()
        waiting = round((now - self._emptied_at) * self.rate)
        self._emptied_at = now
        try:
            if waiting > self._most:
                self._lose(self._pcm.forward(waiting - self._most))
            return self._pcm.read()
        except OSError as error:
            if error.errno != errno.EPIPE:
                raise SourceError(GONE) from error
        try:
            self._pcm.restart()
        except OSError as error:
            raise SourceError(GONE) from error
        self._lose(waiting)
        return NO_SAMPLES

    def _lose(self, frames: int) -> None:
        self._dropped += frames
        self._overruns += 1
        self._begun = 0


def _refusal(card: SoundCard, error: OSError) -> str:
    told = f"microphone {card.name} cannot be opened: {(error.strerror or str(error)).lower()}"
    if error.errno == errno.EBUSY:
        return f"{told}: another program may be using it"
    if error.errno == errno.EACCES:
        return f"{told}: join the group `audio`"
    return told
