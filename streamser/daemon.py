"""Keeps a listener alive for months, and everything that hangs on it."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from types import FrameType

from streamser.analysis.profile import ProfileError
from streamser.audio.inputs import open_source
from streamser.audio.nothing import NOTHING, Nothing
from streamser.audio.pcm import PcmPipe
from streamser.audio.source import Source, SourceError
from streamser.config import OUTPUTS, Config
from streamser.events import Event, SessionEnded, SessionStarted, SourceLost, SourceRestored
from streamser.flow import Flow
from streamser.layers import ConfigError, Layers
from streamser.listener import Listener
from streamser.log import Log, configure
from streamser.model.manifest import BundleError
from streamser.outputs.switchboard import Switchboard
from streamser.supervisor import Supervisor
from streamser.systemd import Notifier

DONE, FAILED, MISCONFIGURED = 0, 1, 2
"""Exit codes: ended as asked, cannot go on, the configuration does not do."""

POLL = 0.2
"""Seconds; so long a signal may wait."""

_REASONS = {signal.SIGTERM: "terminated", signal.SIGINT: "interrupted"}

_log = Log("daemon")


class Daemon:
    """Runs sessions on the main thread until it is told to end or cannot go on.

    After every poll it looks whether each output's thread lives and works, and ends the process
    with a reason and exit code 1 when one does not; the supervisor looks after the main thread.
    """

    def __init__(self, layers: Layers, *, notifier: Notifier | None = None) -> None:
        self._layers = layers
        self._notifier = notifier or Notifier()
        self._flow = Flow()
        self._outputs = Switchboard(self._flow)
        self._config = Config()
        self._next: Listener | None = None
        self._source = ""
        self._stop: str | None = None
        self._reload = False
        self._supervisor = Supervisor()
        self._failure: str | None = None

    def run(self) -> int:
        """Serve until the end. Returns the exit code."""
        configure("logfmt", "info")
        try:
            code = self._run()
        except SourceError as error:
            _log.error("ending", reason=str(error))
            code = FAILED
        except Exception as error:
            _log.error("ending", reason="internal error", error=error)
            code = FAILED
        finally:
            self._notifier.stopping()
            self._outputs.close()
            self._notifier.close()
            self._supervisor.stop()
        return code

    def _run(self) -> int:
        self._heed()
        self._supervisor.start()
        listener: Listener | None
        try:
            self._config = self._load()
            configure(self._config.log.format, self._config.log.level)
            self._check_outputs(self._config)
            listener = _listener(self._config)
        except (ConfigError, SourceError, BundleError, ProfileError) as error:
            _log.error("ending", reason=str(error))
            return MISCONFIGURED
        if failures := self._outputs.apply(self._config):
            _log.error("ending", reason="; ".join(failures))
            return FAILED
        self._notifier.status("waiting for audio")
        while listener is not None:
            with listener:
                self._session(listener)
            if self._failure is not None:
                _log.error("ending", reason=self._failure)
                return FAILED
            listener, self._next = self._next, None
        return DONE

    def _load(self) -> Config:
        """Return the configuration. Raises ConfigError."""
        config = self._layers.load()
        check(config)
        return config

    def _check_outputs(self, config: Config) -> None:
        """Raise ConfigError where the configuration does not do for one of its outputs."""
        if faults := self._outputs.faults(config):
            raise ConfigError("; ".join(f"{name}: {fault}" for name, fault in faults.items()))

    def _heed(self) -> None:
        """Take signals as something to do after the next poll."""

        def note(number: int, frame: FrameType | None) -> None:
            if number == signal.SIGHUP:
                self._reload = True
                return
            self._stop = _REASONS[signal.Signals(number)]
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second Ctrl-C does not wait

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, note)

    def _session(self, listener: Listener) -> None:
        """Run one session to its end, or until all has to end."""
        self._flow.begin(ear=listener.source.name != NOTHING)
        while not listener.ended:
            events = listener.poll(POLL)
            self._flow.note(events, listener.analyzer.t)
            self._outputs.push(events)
            self._tell(events)
            self._supervisor.turn()
            self._failure = self._supervisor.failure() or self._outputs.failure()
            if self._failure is not None:
                return
            if self._stop is not None:
                self._notifier.stopping()
                self._next = None
                listener.stop(self._stop)
            elif self._reload:
                self._reload = False
                self._renew(listener)

    def _renew(self, listener: Listener) -> None:
        """Read the configuration again; one that does not do changes nothing."""
        self._notifier.reloading()
        try:
            config = self._load()
            self._check_outputs(config)
            before = (self._config.listen, self._config.analysis)
            if (config.listen, config.analysis) != before:
                self._next = _listener(config, pipe=self._pipe(listener, config))
        except (ConfigError, SourceError, BundleError, ProfileError) as error:
            _log.error("not reloaded", reason=str(error))
        else:
            self._config = config
            configure(config.log.format, config.log.level)
            for failure in self._outputs.apply(config):
                _log.error("an output stays off", reason=failure)
            _log.info("reloaded", listener="new" if self._next else "the same")
            if self._next is not None:
                listener.stop("reloaded")
        self._notifier.reloaded()

    def _pipe(self, listener: Listener, config: Config) -> PcmPipe | None:
        """Return the pipe that `listener` is in the midst of, if `config` means it, too."""
        heard, wanted = self._config.listen, config.listen
        if (heard.input, heard.rate) != (wanted.input, wanted.rate):
            return None
        return listener.source if isinstance(listener.source, PcmPipe) else None

    def _tell(self, events: Sequence[Event]) -> None:
        """Tell systemd and the log how things stand; what was heard is not told."""
        for event in events:
            match event:
                case SessionStarted():
                    self._source = event.source
                    _log.info("session started", source=event.source, model=event.model.name)
                case SourceLost():
                    _log.warning("source lost", source=event.source, reason=event.reason)
                case SourceRestored():
                    self._source = event.source
                    _log.info("source restored", source=event.source, reason=event.reason)
                case SessionEnded():
                    _log.info("session ended", reason=event.reason, seconds=round(event.t, 1))
        if self._flow.ready:
            self._notifier.ready()
            self._notifier.feed()
            ear = "clients" if self._source == NOTHING else self._source
            self._notifier.status(f"listening to {ear}")
        elif self._flow.lost:
            self._notifier.status(f"no audio from {self._source}; looking for it")


def check(config: Config) -> None:
    """Raise ConfigError where a daemon would have nothing to hear, or nobody to tell."""
    if not any(getattr(config, name) for name in OUTPUTS):
        outputs = " ".join(f"[{name}]" for name in OUTPUTS)
        raise ConfigError(f"no output is on: add one of the sections {outputs}, or --set one")
    if config.listen.input == NOTHING and not config.takes_audio:
        raise ConfigError(
            "listen.input is none, and no client may send audio: "
            "set websocket.audio = true, or add the section [wyoming]"
        )


def _listener(config: Config, *, pipe: PcmPipe | None = None) -> Listener:
    """Return a listener, not begun yet; to `pipe`, which nobody can open a second time, if given.

    Raises BundleError, ProfileError, and SourceError for a recording that cannot be read.
    """
    source: Source = Nothing()
    if config.listen.input != NOTHING:
        source = pipe or open_source(config.listen.input, rate=config.listen.rate)
    if not source.live:
        source.open()
    return Listener(
        source,
        model=config.listen.model,
        settings=config.analysis,
        profile=config.listen.profile,
        wait=True,
    )
