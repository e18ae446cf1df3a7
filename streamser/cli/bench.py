"""`streamser bench`: how fast it is here."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Any

from streamser.cli import options
from streamser.cli.failure import OK

if TYPE_CHECKING:
    from streamser.bench.machine import Machine
    from streamser.bench.stages import Stage
    from streamser.bench.throughput import Live, Throughput

_DESCRIPTION = """\
Measure what streamser costs on this machine, in about half a minute, over the bundled clip.
Nothing is recorded. Close what else keeps the processor busy: it takes caches and clock away."""

_EPILOG = """\
examples:
  streamser bench
  streamser bench --quick           without the live run, in a few seconds
  streamser bench --json > here.json"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Set the command's options and its `run`."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("--quick", action="store_true", help="leave out the live run of 25 s")
    options.add_model(parser)
    parser.add_argument("--json", action="store_true", help="write a JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    import numpy as np

    from streamser.audio.recording import read_recording
    from streamser.bench.machine import machine
    from streamser.bench.stages import hops_of, measure_stages
    from streamser.bench.throughput import measure_live, measure_throughput, speech_in
    from streamser.clip import demo_clip
    from streamser.model.bundle import load

    bundle, clip = load(args.model), demo_clip()
    cool = machine()
    speech = speech_in(bundle, np.concatenate(list(read_recording(clip))))
    _say("stages")
    stages = measure_stages(bundle, hops_of(speech))
    _say("throughput")
    throughput = measure_throughput(bundle, clip, speech)
    live = None
    if not args.quick:
        _say("live, 25 s")
        live = measure_live(clip, bundle.path)
    _say("")
    here = dataclasses.replace(machine(), celsius_before=cool.celsius)
    if args.json:
        print(json.dumps(_as_json(bundle.info.name, here, stages, throughput, live), indent=2))
    else:
        _print(bundle.info.name, here, stages, throughput, live)
    return OK


def _say(what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{what and f'measuring: {what} ...'}", end="", file=sys.stderr, flush=True)


def _as_json(
    model: str, here: Machine, stages: list[Stage], throughput: Throughput, live: Live | None
) -> dict[str, Any]:
    return {
        "model": model,
        "machine": dataclasses.asdict(here),
        "stages_us": [dataclasses.asdict(stage) for stage in stages],
        "throughput": dataclasses.asdict(throughput)
        | {"streams": throughput.streams, "times_real_time": throughput.times_real_time},
        "live": live and dataclasses.asdict(live),
    }


def _print(
    model: str, here: Machine, stages: list[Stage], throughput: Throughput, live: Live | None
) -> None:
    print(f"{here.cpu}, {here.cores} cores, {here.system}")
    told = {
        "MHz": here.mhz,
        "governor": here.governor,
        "°C": _warming(here),
        "throttled": here.throttled,
    }
    if any(value is not None for value in told.values()):
        print(", ".join(f"{k} {v or 'no'}" for k, v in told.items() if v is not None))
    print(f"Python {here.python}, numpy {here.numpy}, {here.interpreter}, model {model}\n")
    print(f"{'stage':<16} {'median':>8} {'p95':>8} {'p99':>8}  µs   share of speech")
    for stage in stages:
        share = f"{100 * stage.share:.0f} %" if stage.share else "-"
        print(f"{stage.name:<16} {stage.median:8.1f} {stage.p95:8.1f} {stage.p99:8.1f} {share:>12}")
    median, p95, p99 = throughput.answer_us
    print(f"{'an answer, in all':<16} {median:7.1f} {p95:8.1f} {p99:8.1f}")
    print("resample, ring and voice gate for a block of 80 ms, all others for three\n")
    print(f"work per second of speech    {throughput.speech_ms:7.2f} ms of one core")
    print(f"work per second of silence   {throughput.silence_ms:7.2f} ms")
    print(f"streams per core, all speech {throughput.streams:7.0f} by this work alone")
    print(f"recordings                   {throughput.times_real_time:7.0f} times real time")
    if live is not None:
        print(f"live: CPU                    {100 * live.cpu:7.2f} % of one core")
        print(f"      start to first event   {live.start_ms:7.0f} ms")
        if live.rss_mb is not None:
            print(f"      resident memory        {live.rss_mb:7.0f} MB")
        if live.latency_p50_ms is not None:
            slowest = live.latency_p99_ms
            print(f"      audio in, events out   {live.latency_p50_ms:7.2f} ms, p99 {slowest:.2f}")
    print(f"\n{_one_line(here, throughput, live)}")


def _warming(here: Machine) -> str | None:
    """Return the temperature before and after the work."""
    if here.celsius is None:
        return None
    before = "" if here.celsius_before is None else f"{here.celsius_before:.0f} to "
    return f"{before}{here.celsius:.0f}"


def _one_line(here: Machine, throughput: Throughput, live: Live | None) -> str:
    from streamser.version import __version__

    parts = [
        f"streamser {__version__} on {here.cpu}",
        f"{throughput.speech_ms:.1f} ms per second of speech",
        f"{throughput.silence_ms:.1f} of silence",
        f"recordings {throughput.times_real_time:.0f}x real time",
    ]
    if live is not None:
        parts += [f"live {100 * live.cpu:.1f} % CPU", f"start {live.start_ms:.0f} ms"]
        parts += [f"{live.rss_mb:.0f} MB"] if live.rss_mb is not None else []
    return ", ".join(parts)
