"""`streamser listen` on a sound card without a sound server: from the kernel and over PortAudio.

    scripts/try-card .venv/bin/python -m benchmarks.card [--seconds 15] [--form 48000 2 S16_LE]

Both ways take turns on the card that `modprobe snd-aloop index=1 pcm_substreams=1` brings, in the
virtual machine of `scripts/try-card` or on a machine of yours. An emulated processor is slow, and
the same for both: there the ratios count.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.microphone import SETTLE, Figures, Usage
from streamser.audio.recording import read_recording
from streamser.clip import demo_clip
from tests.loopback import CARD, ENV, SPEC, player

PATIENT = (
    "import sys, streamser.audio.capture as capture; capture.OPEN_TIMEOUT = 60.0;"
    " from streamser.__main__ import main; sys.exit(main())"
)
"""PortAudio looks at each device first, which takes longer than three seconds when emulated."""


def main() -> int:
    """Measure and print; 1 without the card."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.card")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seconds", type=float, default=15.0, help="of silence and of speech")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument(
        "--form", nargs=3, default=("48000", "2", "S16_LE"), metavar=("RATE", "CHANNELS", "FORMAT")
    )
    arguments = parser.parse_args()
    if CARD is None:
        print("benchmarks.card: needs modprobe snd-aloop index=1 pcm_substreams=1", file=sys.stderr)
        return 1
    specs = {"kernel": SPEC, "PortAudio": "mic:0"}
    found: dict[str, list[Figures]] = {way: [] for way in specs}
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "speech.wav"
        speech = np.concatenate(list(read_recording(demo_clip())))[8_000 : 8_000 + 2 * 16_000]
        soundfile.write(wav, np.tile(speech, int(arguments.seconds / 2) + 2), 16_000)
        for _ in range(arguments.repeats):
            for way, spec in specs.items():
                found[way].append(_listen(spec, wav, arguments.form, arguments.seconds))
    print(f"{'':<36}", *(f"{way:>10}" for way in found))
    for name in found["kernel"][0]:
        medians = (np.median([figures[name] for figures in runs]) for runs in found.values())
        print(f"{name:<36}", *(f"{median:10.2f}" for median in medians))
    return 0


def _listen(spec: str, wav: Path, form: tuple[str, ...], seconds: float) -> Figures:
    command = [sys.executable, "-c", PATIENT, "listen", "--input", spec]
    with player(wav, *form) as playing:
        begun = time.perf_counter()
        process = subprocess.Popen(command, env=ENV, stdout=subprocess.PIPE, text=True)
        with process:
            assert process.stdout is not None
            assert playing.stdin is not None
            process.stdout.readline()
            start = time.perf_counter() - begun
            reader = threading.Thread(target=lambda: list(process.stdout or ()))
            reader.start()
            time.sleep(SETTLE)
            silence = Usage(process.pid, lambda: time.sleep(seconds))
            print(file=playing.stdin, flush=True)
            speech = Usage(process.pid, lambda: time.sleep(seconds))
            pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
            process.terminate()
            reader.join()
    return {
        "start to first event, ms": 1000 * start,
        "silence, % of a core": silence.share,
        "speech, % of a core": speech.share,
        "wake-ups a second, silence": silence.wakes,
        "wake-ups a second, speech": speech.wakes,
        "resident memory, MB": pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
    }


if __name__ == "__main__":
    sys.exit(main())
