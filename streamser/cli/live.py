"""`streamser live`: the terminal dashboard."""

from __future__ import annotations

import argparse
import functools
import sys
import time
from typing import TYPE_CHECKING

from streamser.cli import options
from streamser.cli.failure import OK, complain

if TYPE_CHECKING:
    from streamser.cli.stopping import Stopping
    from streamser.listener import Listener
    from streamser.outputs.state import State

FRAME = 0.1
"""Seconds between two pictures, on average: hops come every 80 ms."""

POLL = 0.2
"""Seconds without audio after which a key is looked for."""

_DESCRIPTION = """\
Show live which emotion a voice carries. Without a microphone, a bundled clip plays instead.
q or Ctrl-C ends it. Where standard output is no terminal, or one that cannot be drawn on
(TERM=dumb), plain lines tell what changes; Ctrl-C alone ends them."""

_EPILOG = """\
examples:
  streamser
  streamser live --input mic:USB
  streamser live --input talk.flac"""

_NEXT = """\
That was the bundled clip; a synthesiser spoke. With a voice of your own:
  streamser live --input talk.wav     a recording
  streamser devices                   the microphones that are there
  streamser doctor                    why there is none, and how to mend it"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Set the command's options and its `run`."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    options.add_input(parser)
    options.add_model(parser)
    options.add_profile(parser)
    options.add_analysis(parser)
    parser.set_defaults(run=functools.partial(run, parser=parser))


def run(args: argparse.Namespace, *, parser: argparse.ArgumentParser) -> int:
    """Show the session until it ends, a key or a signal."""
    options.check_input(args, parser)
    from streamser.audio.source import SourceError
    from streamser.cli.stopping import Stopping
    from streamser.outputs.state import State

    state = State()
    listener = options.listener(args)
    try:
        first = listener.poll(0)
    except SourceError as error:
        if args.input is not None:
            raise
        complain(f"no microphone, so the bundled synthesised clip plays ({error})")
        listener = _clip(listener)
        state.notice = "no microphone: a bundled synthesised clip plays"
        first = listener.poll(0)
    for event in first:
        state.push(event)
    with listener, Stopping(listener.stop) as stopping:
        if sys.stdout.isatty() and not _dumb():
            _show(listener, state, keys=args.input != "-")
        else:
            _tell(listener, state, stopping)
    _conclude(state)
    return OK


def _clip(failed: Listener) -> Listener:
    from streamser.clip import demo_clip
    from streamser.listener import Listener

    failed.close()
    return Listener(str(demo_clip()), analyzer=failed.analyzer)


def _dumb() -> bool:
    from os import environ

    return environ.get("TERM", "").lower() in ("", "dumb", "unknown")


def _show(listener: Listener, state: State, *, keys: bool) -> None:
    from rich.console import Console

    from streamser.cli.keyboard import Keyboard
    from streamser.cli.stopping import Suspending
    from streamser.outputs.dashboard import render
    from streamser.outputs.screen import Screen

    console, due = Console(highlight=False), 0.0
    with Suspending() as suspending:
        while not listener.ended:
            with Screen(console) as screen, Keyboard(wanted=keys) as keyboard:
                while not listener.ended and not suspending.due():
                    for event in listener.poll(POLL, each_hop=True):
                        state.push(event)
                    state.hear(listener.analyzer.t, listener.analyzer.level_dbfs)
                    now = time.monotonic()
                    if now >= due:
                        due = max(due + FRAME, now)  # blocks come early and late
                        screen.draw(render(state, *screen.size, screen.glyphs))
                        if "q" in keyboard.pressed().lower():
                            listener.stop("quit")
            if not listener.ended:
                suspending.suspend()


def _tell(listener: Listener, state: State, stopping: Stopping) -> None:
    from streamser.outputs.lines import LineWriter
    from streamser.outputs.plain import PlainLines

    plain = PlainLines()
    lines = LineWriter(sys.stdout.buffer, give_up=lambda: stopping.asked)
    lines.write(plain.opening(state))
    while not listener.ended and not lines.reader_gone():
        for event in listener.poll(POLL):
            state.push(event)
            line = plain.push(event)
            if line is not None:
                lines.write(line)


def _conclude(state: State) -> None:
    """Say what was heard, and after the bundled clip what to try next."""
    from streamser.outputs.verdict import clock

    told = ", ".join(f"{label} {count}" for label, count in state.verdicts.most_common())
    heard = state.verdicts.total()
    number = f"{heard} utterance{'' if heard == 1 else 's'}"
    print(f"{clock(state.now)} heard, {number}{': ' if told else ''}{told}")
    if state.notice:
        print(_NEXT)
