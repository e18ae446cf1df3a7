"""Options that several commands share, and what they become."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamser.analysis.profile import Profile
    from streamser.analysis.settings import Settings
    from streamser.audio.source import Source
    from streamser.layers import Layers
    from streamser.listener import Listener

HOP_SECONDS = 0.08


def add_input(parser: argparse.ArgumentParser) -> None:
    """`--input` and `--rate`."""
    parser.add_argument(
        "-i",
        "--input",
        metavar="INPUT",
        type=_input,
        help="mic (the default), mic:NAME or mic:NUMBER (see `streamser devices`), a recording's "
        "path, or - for raw s16le mono PCM on standard input",
    )
    parser.add_argument(
        "--rate",
        metavar="HZ",
        type=_rate,
        help="sampling rate of raw PCM on standard input (default 16000)",
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """`--model`."""
    parser.add_argument(
        "-m",
        "--model",
        metavar="MODEL",
        help="name of a model (see `streamser models`) or its folder",
    )


def add_profile(parser: argparse.ArgumentParser) -> None:
    """`--profile`."""
    parser.add_argument(
        "--profile",
        metavar="NAME",
        help="who speaks: a profile that `streamser calibrate` made of this voice",
    )


def add_analysis(parser: argparse.ArgumentParser, *, interval: bool = True) -> None:
    """`--aggressiveness` and `--interval`."""
    parser.add_argument(
        "-a",
        "--aggressiveness",
        metavar="0..3",
        type=int,
        choices=range(4),
        help="how strict the voice detector is, 0 (lets much through) to 3 (default 2)",
    )
    if interval:
        parser.add_argument(
            "--interval",
            metavar="SECONDS",
            type=seconds(HOP_SECONDS, 3600),
            help="speech between two emotion events, from 0.08 on (default 0.24)",
        )


def add_config(parser: argparse.ArgumentParser) -> None:
    """`--config`, `--set`, and shorthands of what is set most."""
    parser.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        help="the configuration (default $XDG_CONFIG_HOME/streamser/config.toml, if it is there)",
    )
    parser.add_argument(
        "-s",
        "--set",
        metavar="SECTION.KEY=VALUE",
        action="append",
        default=[],
        help="set what the file or the environment would; the name of an output alone, such as "
        "`socket`, switches it on",
    )
    parser.add_argument("-i", "--input", metavar="INPUT", help="the same as --set listen.input=")
    parser.add_argument("-m", "--model", metavar="MODEL", help="the same as --set listen.model=")


def layers(args: argparse.Namespace) -> Layers:
    """Return where the configuration comes from."""
    from pathlib import Path

    from streamser.layers import Layers

    settings = list(args.set)
    for name in ("input", "model"):
        if getattr(args, name) is not None:
            settings.append(f"listen.{name}={getattr(args, name)}")
    path = None if args.config is None else Path(args.config)
    return Layers(path=path, settings=tuple(settings))


def check_input(args: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """End with a usage error where options do not go together."""
    if args.rate is not None and args.input != "-":
        parser.error("--rate is for raw PCM: use it with --input -")


def seconds(least: float, most: float) -> Callable[[str], float]:
    """Return what reads seconds within bounds, as the `type` of an option."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not from {least:g} to {most:g} seconds")
        return value

    return read


def settings(args: argparse.Namespace) -> Settings:
    """Return the analysis settings that were asked for."""
    from streamser.analysis.settings import Settings

    wanted = {name: getattr(args, name, None) for name in ("interval", "aggressiveness")}
    return Settings(**{name: value for name, value in wanted.items() if value is not None})


def profile(args: argparse.Namespace) -> Profile | None:
    """Return the profile that was asked for. Raises ProfileError."""
    from streamser.analysis.profile import load_profile

    return None if args.profile is None else load_profile(args.profile)


def source(args: argparse.Namespace, *, paced: bool = True) -> Source:
    """Return what is to be heard, not begun yet."""
    from streamser.audio.inputs import is_microphone, open_source
    from streamser.cli.hush import hush

    if is_microphone(args.input):
        hush()
    return open_source(args.input, rate=args.rate or 16_000, paced=paced)


def listener(args: argparse.Namespace, *, paced: bool = True, wait: bool = False) -> Listener:
    """Return a listener, not begun yet. Raises BundleError and ProfileError."""
    from streamser.listener import Listener

    return Listener(
        source(args, paced=paced),
        model=args.model,
        settings=settings(args),
        profile=args.profile,
        wait=wait,
    )


def _input(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("it is empty")
    return text


def _rate(text: str) -> int:
    try:
        rate = int(text)
    except ValueError:
        rate = 0
    if not 1000 <= rate <= 768_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate from 1000 to 768000 Hz")
    return rate
