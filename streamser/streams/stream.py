"""One client's audio, and the session of events that it leads to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from streamser.analysis.analyzer import Analyzer
from streamser.analysis.profile import Profile
from streamser.analysis.settings import Settings
from streamser.events import Event, Session
from streamser.listener import Listener
from streamser.model.bundle import Bundle
from streamser.streams.feed import Feed

Deliver = Callable[[Sequence[Event], bool], None]
"""Takes events, and whether they are the last ones; called by the thread that analyses."""


class Stream:
    """Filled by one thread, analysed slice by slice by another."""

    def __init__(
        self,
        feed: Feed,
        deliver: Deliver,
        wake: Callable[[Stream], None],
        *,
        profile: Profile | None = None,
    ) -> None:
        """`wake` is called when there is something to do: then `turn` wants to be called.

        `profile` is of the one who speaks, and of the network that `turn` is given.
        """
        self.feed = feed
        self._profile = profile
        self.over = False
        """Whether no turn is left to be taken."""
        self._deliver = deliver
        self._wake = wake
        self._listener: Listener | None = None
        self._reason: str | None = None
        self._abandoned = False

    @property
    def name(self) -> str:
        """Kind and number, such as `websocket:7`: the session's own name, as its source."""
        return self.feed.name

    @property
    def busy(self) -> bool:
        """Whether a turn is of use."""
        return self.feed.busy or self._reason is not None or self._abandoned

    def put(self, data: bytes) -> None:
        """Take audio; never waits."""
        self.feed.put(data)
        self._wake(self)

    def end(self) -> None:
        """No more audio will come; what waits is still analysed."""
        self.feed.end()
        self._wake(self)

    def stop(self, reason: str) -> None:
        """End the session with the next turn."""
        self._reason = reason
        self._wake(self)

    def abandon(self) -> None:
        """End without any further event: nobody is there to hear of it."""
        self._abandoned = True
        self._wake(self)

    def turn(self, bundle: Bundle, settings: Settings) -> None:
        """Analyse a slice of what waits. For the thread that analyses."""
        if self._abandoned:
            self._finish()
            return
        if self._listener is None:
            session = Session()
            analyzer = Analyzer(
                model=bundle, settings=settings, profile=self._profile, session=session
            )
            self._listener = Listener(self.feed, analyzer=analyzer, session=session)
        if self._reason is not None:
            self._listener.stop(self._reason)
        events = self._listener.poll(0.0)
        deliver = self._deliver
        if self._listener.ended:
            self._finish()
        if events or self.over:
            deliver(events, self.over)

    def fail(self) -> None:
        """End at once: this stream cannot be analysed."""
        deliver = self._deliver
        self._finish()
        deliver((), True)

    def _finish(self) -> None:
        """Take no more turns, and free a third of a megabyte: who waits for events holds this."""
        self.over = True
        self._listener = None
        self._deliver = _to_nobody


def _to_nobody(events: Sequence[Event], last: bool) -> None:
    """Nobody waits for events any more."""
