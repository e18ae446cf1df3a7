"""`streamser serve`: the daemon."""

from __future__ import annotations

import argparse

from streamser.cli import options

_DESCRIPTION = """\
Listen for months: wait for the microphone, find it again when it is lost, and let others have the
events, over each output that the configuration switches on: a Unix socket, WebSocket, MQTT (with
Home Assistant's discovery), ROS 2, metrics for Prometheus, a file, an EmotionML document. Clients
may send audio, too, over WebSocket and Wyoming, and get the events of that alone. SIGHUP reads the
configuration again, SIGTERM ends the session and delivers its last events. Logs go to standard
error."""

_EPILOG = """\
examples:
  streamser serve --set socket
  streamser serve --config /etc/streamser.toml
  streamser serve --set websocket.port=8767 --set metrics --set log.format=json
  streamser serve --input none --set websocket.audio=true   (clients have the microphones)
  socat -u UNIX-CONNECT:$XDG_RUNTIME_DIR/streamser/events.sock - | jq

exit codes: 0 ended as asked, 1 cannot go on (the last line says why), 2 wrong configuration"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Set the command's options and its `run`."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    options.add_config(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until a signal, the end of the input, or what cannot be mended."""
    from streamser.cli.hush import hush
    from streamser.daemon import Daemon

    hush()
    return Daemon(options.layers(args)).run()
