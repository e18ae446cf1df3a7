"""The outputs that are on, as the configuration has it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from streamser.config import OUTPUTS, Config
from streamser.events import Event, to_json
from streamser.flow import Flow
from streamser.log import Log
from streamser.model.manifest import BundleError
from streamser.outputs.network import Hosted, Network
from streamser.outputs.output import Output, OutputError, Tally
from streamser.outputs.snapshot import Snapshot
from streamser.streams.pool import Streams

_log = Log("outputs")


class Switchboard:
    """Switches outputs on and off, and lets each of them have every event."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._network = Network()
        self._outputs: dict[str, tuple[Any, Output]] = {}
        self._snapshot = Snapshot()
        self.streams = Streams()
        """Audio that clients send."""

    def faults(self, config: Config) -> dict[str, str]:
        """Return which outputs the configuration does not do for, and why; nothing is opened."""
        faults = {}
        for name in OUTPUTS:
            if (section := getattr(config, name)) is not None:
                try:
                    self._build(name, section)
                except OutputError as error:
                    faults[name] = str(error)
        return faults

    def apply(self, config: Config) -> list[str]:
        """Switch off what is not wanted so, then on what is. Returns what could not be opened.

        An output whose section, and whatever files it names, stay the same goes on undisturbed.
        """
        for name, (wanted, output) in list(self._outputs.items()):
            if _wanted(getattr(config, name)) != wanted:
                del self._outputs[name]
                output.close()
        failures = []
        if config.takes_audio:
            try:
                self.streams.configure(config.streams, config.listen.model, config.analysis)
            except BundleError as error:
                failures.append(f"streams: {error}")
        for name in OUTPUTS:
            section = getattr(config, name)
            if section is None or name in self._outputs:
                continue
            try:
                self._open(name, section)
            except OutputError as error:
                failures.append(f"{name}: {error}")
        return failures

    def push(self, events: Sequence[Event]) -> None:
        """Let all outputs have these events."""
        for event in events:
            # A path that is no UTF-8 stays an escape, so that the line can be sent.
            line = to_json(event).encode("utf-8", "backslashreplace").decode()
            self._snapshot.push(event, line)
            for _, output in self._outputs.values():
                output.push(event, line)

    def failure(self) -> str | None:
        """Return why one of them cannot go on, if so."""
        for name, (_, output) in self._outputs.items():
            if reason := output.failure():
                return f"{name}: {reason}"
        return self.streams.failure()

    def tallies(self) -> Mapping[str, Tally]:
        """Return what each output counts."""
        return {name: output.tally for name, (_, output) in list(self._outputs.items())}

    def close(self) -> None:
        """Let all outputs deliver what they hold, and end them."""
        while self._outputs:
            _, (_, output) = self._outputs.popitem()
            with contextlib.suppress(Exception):
                output.close()
        self.streams.close()
        self._network.close()

    def _build(self, name: str, section: Any) -> Output:
        try:
            return _ROOMS[name](self, section)
        except ImportError as error:
            extra = name if name in ("mqtt", "ros2") else "serve"
            raise OutputError(f"{error}: run pip install 'streamser[{extra}]'") from None

    def _open(self, name: str, section: Any) -> None:
        wanted = _wanted(section)
        output = self._build(name, section)
        output.open()
        for event, line in self._snapshot.events():
            output.push(event, line)
        self._outputs[name] = wanted, output

    def _socket(self, section: Any) -> Output:
        from streamser.outputs.unixsocket import UnixServer

        return Hosted(self._network, UnixServer(section))

    def _websocket(self, section: Any) -> Output:
        from streamser.outputs.websocket import WebSocketServer

        return Hosted(self._network, WebSocketServer(section, self.streams))

    def _wyoming(self, section: Any) -> Output:
        from streamser.outputs.wyoming import WyomingServer

        return Hosted(self._network, WyomingServer(section, self.streams))

    def _metrics(self, section: Any) -> Output:
        from streamser.outputs.metrics import MetricsServer

        return Hosted(self._network, MetricsServer(section, self._flow, self.tallies, self.streams))

    def _mqtt(self, section: Any) -> Output:
        from streamser.outputs.mqtt import MqttClient

        return MqttClient(section, self._flow)

    def _ros2(self, section: Any) -> Output:
        from streamser.outputs.ros2 import Ros2Publisher

        return Ros2Publisher(section, self._flow)

    def _file(self, section: Any) -> Output:
        from streamser.outputs.rotating import RotatingFile

        return RotatingFile(section)

    def _emotionml(self, section: Any) -> Output:
        from streamser.outputs.emotionmlfile import EmotionMlFile

        return EmotionMlFile(section)


_ROOMS: Mapping[str, Callable[[Switchboard, Any], Output]] = {
    "socket": Switchboard._socket,
    "websocket": Switchboard._websocket,
    "wyoming": Switchboard._wyoming,
    "metrics": Switchboard._metrics,
    "mqtt": Switchboard._mqtt,
    "ros2": Switchboard._ros2,
    "file": Switchboard._file,
    "emotionml": Switchboard._emotionml,
}

_FILES = ("token_file", "password_file", "certificate", "key", "ca")
"""Keys that name files which are read when an output is switched on."""


def _wanted(section: Any) -> tuple[Any, ...]:
    """Return a section and when each of its files was changed last."""
    paths = (getattr(section, key, None) for key in _FILES)
    return section, *(_changed(Path(path)) for path in paths if path)


def _changed(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
