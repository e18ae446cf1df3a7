"""Recordings: any file that libsndfile reads, block by block."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamser.audio.resample import Resampler
from streamser.audio.source import NO_SAMPLES, SAMPLE_RATE, Samples, SourceError

BLOCK_SECONDS = 0.5
"""Of audio that is decoded at once; bounds the memory."""

PACED_SAMPLES = 1280
"""80 ms, a hop of the network: a paced recording gives so many whole ones, as a microphone does."""


def read_recording(path: str | Path) -> Iterator[Samples]:
    """Yield the recording as int16 mono blocks at 16 kHz of about half a second.

    WAV, FLAC, Ogg (Vorbis, Opus), MP3 and what else libsndfile knows, at any rate; channels are
    mixed to their mean, samples beyond full scale clipped. Raises SourceError for what cannot be
    read, an empty recording, and samples that are not numbers.
    """
    with _open(path) as sound:
        yield from _blocks(sound, path)


class Recording:
    """A recording as a source: in real time, or as fast as it is read."""

    live = False

    def __init__(
        self,
        path: str | Path,
        *,
        paced: bool = True,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`paced`: give each sample only when a microphone would have."""
        self.name = str(path)
        self.native_rate = SAMPLE_RATE
        self.dropped = 0
        self.overruns = 0
        self.waiting = 0
        self._path = path
        self._paced = paced
        self._clock = clock
        self._sleep = sleep
        self._sound: Any = None

    def open(self) -> None:
        """Begin with the first sample. Raises SourceError."""
        self.close()
        self._sound = _open(self._path)
        self.native_rate = self._sound.samplerate
        self._blocks = _blocks(self._sound, self._path)
        self._block = NO_SAMPLES
        self._given = 0
        self._began = self._clock()

    def read(self, timeout: float, hops: int = 1) -> Samples | None:
        """Return the next samples, None at the end; see `Source`."""
        if self._sound is None:
            raise SourceError(f"{self.name} is not open")
        while not len(self._block):
            block = next(self._blocks, None)
            if block is None:
                return None
            self._block = block
        if not self._paced:
            block, self._block = self._block, NO_SAMPLES
            return block
        size = min(hops * PACED_SAMPLES - self._given % PACED_SAMPLES, len(self._block))
        due = self._began + (self._given + size) / SAMPLE_RATE
        ahead = due - self._clock()
        if ahead > 0:
            self._sleep(min(ahead, timeout))
            if ahead > timeout:
                return NO_SAMPLES
        block, self._block = self._block[:size], self._block[size:]
        self._given += size
        elapsed = int((self._clock() - self._began) * SAMPLE_RATE)
        self.waiting = max(0, elapsed - self._given)
        return block

    def close(self) -> None:
        """Close the file."""
        sound, self._sound = self._sound, None
        if sound is not None:
            sound.close()


def _open(path: str | Path) -> Any:
    import soundfile

    try:
        found = Path(path).stat()
        if stat.S_ISDIR(found.st_mode):
            raise SourceError(f"{path} is a directory, not a recording")
        if not stat.S_ISREG(found.st_mode):
            raise SourceError(f"{path} is no regular file: pipe raw PCM with --input -")
        if found.st_size == 0:
            raise SourceError(f"{path} is empty")
        os.close(os.open(path, os.O_RDONLY))
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    try:
        return soundfile.SoundFile(os.fsencode(path))  # a name need not be UTF-8
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: named .raw
        raise SourceError(f"{path} is no recording that can be read: {_reason(error)}") from error


def _blocks(sound: Any, path: str | Path) -> Iterator[Samples]:
    import soundfile

    resampler = Resampler(sound.samplerate)
    frames = max(1, round(sound.samplerate * BLOCK_SECONDS))
    position = 0
    while True:
        try:
            block = sound.read(frames, dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            raise SourceError(
                f"{path} is damaged after {position / sound.samplerate:.2f} s: {_reason(error)}"
            ) from error
        if not len(block):
            break
        yield resampler.push(_mono(block, position, path))
        position += len(block)
    if position == 0:
        raise SourceError(f"{path} holds no audio")
    yield resampler.flush()


def _mono(block: NDArray[np.float32], position: int, path: str | Path) -> NDArray[np.float32]:
    """Return the mean of the channels on the scale of int16."""
    finite = np.isfinite(block)
    if not finite.all():
        sample = position + int(np.argmin(finite.all(axis=1)))
        raise SourceError(f"{path} is damaged: sample {sample} is no number (NaN or Inf)")
    block = np.clip(block, -1, 1)
    mono = block.mean(axis=1) if block.shape[1] > 1 else block[:, 0]
    return mono * np.float32(32768)


def _reason(error: Exception) -> str:
    text = getattr(error, "error_string", None) or str(error)
    return " ".join(text.split()).rstrip(".")
