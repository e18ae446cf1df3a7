"""A live source that is looked for again when it is lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NoReturn

from streamser.audio.source import NO_SAMPLES, Samples, Source, SourceError, UnreadableError

QUIET_SECONDS = 1.0
"""Without a sample from a live source: it is lost, whatever it says."""

FIRST_RETRY = 0.5
LAST_RETRY = 5.0
"""Seconds between two attempts to open a lost source, doubled from the first to the last."""


class LostError(SourceError):
    """The source was open and gives no samples any more; it is being looked for."""


class Reconnecting:
    """Opens a source, notices when it is lost, and opens it again until it gives samples.

    A source that opens but stays silent is as lost as one that does not open: it is heard until
    the next attempt is due, then closed and opened again.
    """

    def __init__(
        self,
        source: Source,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.source = source
        self.lost = False
        """Whether no sample came since the source was lost."""
        self._clock = clock
        self._sleep = sleep
        self._open = False
        self._retry = FIRST_RETRY
        self._retry_at = 0.0
        self._quiet = 0.0  # seconds spent waiting in vain
        self._mark = 0.0  # clock at the end of the last read

    def open(self) -> None:
        """Open the source. Raises LostError when it is live and may yet come, else SourceError."""
        self._mark = self._clock()
        try:
            self.source.open()
        except SourceError as error:
            self._lose(error)
        self._open = True

    def read(self, timeout: float, hops: int = 1) -> Samples | None:
        """Return what `Source.read` does; while the source is lost, empty arrays.

        Raises LostError once for each loss, and SourceError when looking for it is of no use.
        """
        try:
            if self.lost and self._clock() >= self._retry_at:
                self._reopen()
            samples = self._read(timeout, hops)
        except SourceError as error:
            if not self.lost or isinstance(error, UnreadableError):
                self._lose(error)
            self.close()
            return NO_SAMPLES
        finally:
            self._mark = self._clock()
        if samples is None or len(samples):
            self.lost = False
            self._retry = FIRST_RETRY
            self._quiet = 0.0
        return samples

    def close(self) -> None:
        """Close the source."""
        self._open = False
        self.source.close()

    def _read(self, timeout: float, hops: int) -> Samples | None:
        if not self._open:
            self._sleep(min(timeout, max(0.0, self._retry_at - self._clock())))
            return NO_SAMPLES
        samples = self.source.read(timeout, hops)
        if self.source.live and samples is not None and not len(samples):
            # However long this process itself stalled, that was not the source's silence.
            self._quiet += min(self._clock() - self._mark, timeout + 0.1)
            if self._quiet >= QUIET_SECONDS and not self.lost:
                raise SourceError(f"no audio for {QUIET_SECONDS:g} s")
        return samples

    def _reopen(self) -> None:
        self.close()
        self._retry = min(2 * self._retry, LAST_RETRY)
        self._schedule(self._retry)
        self.source.open()
        self._open = True
        self._schedule(max(self._retry, QUIET_SECONDS))

    def _lose(self, error: SourceError) -> NoReturn:
        self.close()
        if not self.source.live or isinstance(error, UnreadableError):
            raise error
        self.lost = True
        self._schedule(self._retry)
        raise LostError(str(error)) from error

    def _schedule(self, seconds: float) -> None:
        self._retry_at = self._clock() + seconds
