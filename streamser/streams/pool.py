"""All streams of the process: so many at once, and the worker that they share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from streamser import config
from streamser.analysis.settings import Settings
from streamser.events import ModelInfo
from streamser.model.bundle import load
from streamser.streams.feed import Feed
from streamser.streams.format import AudioFormat
from streamser.streams.stream import Deliver, Stream
from streamser.streams.worker import Worker


class StreamsFullError(Exception):
    """As many streams are open as may be; the message says what to do, in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTally:
    """What is counted about streams."""

    open: int
    refused: int
    dropped_s: float
    """Seconds of audio, of all streams so far."""


class Streams:
    """Opens streams; one thread and one network analyse them all.

    (Several threads were slower: they share one interpreter of Python.)
    """

    def __init__(self) -> None:
        self.limits = config.Streams()
        self.model: ModelInfo | None = None
        """What streams to come are analysed with."""

        self._wanted: tuple[config.Streams, str | Path | None, Settings] | None = None
        self._worker: Worker | None = None
        self._retired: list[Worker] = []
        self._opened = 0
        self._refused = 0
        self._past_drops = 0.0

    def configure(
        self, limits: config.Streams, model: str | Path | None, settings: Settings
    ) -> None:
        """Have a worker for streams to come; the streams that are open go on as they began.

        Raises BundleError.
        """
        if self._wanted == (limits, model, settings):
            return
        bundle = load(model)
        self.close()
        self._worker = Worker(bundle, settings)
        self._wanted = limits, model, settings
        self.limits, self.model = limits, bundle.info

    def open(
        self, kind: str, audio: AudioFormat, deliver: Deliver, *, profile: str | None = None
    ) -> Stream:
        """Begin a stream; `profile` names who speaks. Raises StreamsFullError and ProfileError."""
        worker = self._worker
        if worker is None or sum(map(len, self._workers())) >= self.limits.limit:
            self._refused += 1
            taken = f"all {self.limits.limit} streams are taken"
            raise StreamsFullError(f"{taken}: try again later, or raise streams.limit")
        voice = None if profile is None else worker.profile(profile)
        self._opened += 1
        feed = Feed(f"{kind}:{self._opened}", audio, backlog=self.limits.backlog)
        stream = Stream(feed, deliver, worker.wake, profile=voice)
        worker.add(stream)
        worker.wake(stream)
        return stream

    def tally(self) -> StreamTally:
        """Return what is counted."""
        workers = self._workers()
        return StreamTally(
            open=sum(map(len, workers)),
            refused=self._refused,
            dropped_s=self._past_drops + sum(worker.dropped for worker in workers),
        )

    def failure(self) -> str | None:
        """Return why streams cannot go on, if so."""
        return next(filter(None, (worker.failure() for worker in self._workers())), None)

    def close(self) -> None:
        """Take no more streams on; those that are open end by themselves."""
        workers = self._workers()
        if self._worker is not None:
            self._worker.retire()
        self._retired = [worker for worker in workers if len(worker)]
        self._past_drops += sum(w.dropped for w in workers if w not in self._retired)
        self._worker, self._wanted = None, None

    def _workers(self) -> list[Worker]:
        return [*([] if self._worker is None else [self._worker]), *self._retired]
