"""A sound card that hears what is played to it: the kernel's module snd-aloop."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamser.audio.soundcards import sound_cards

ROOT = Path(__file__).parent.parent

CARD = next((card for card in sound_cards() if "Loopback" in card.name and not card.device), None)
"""What hears the card's device 1, or None."""

SPEC = f"mic:hw:{CARD.card},{CARD.device}" if CARD else ""

ENV = os.environ | {"PULSE_SERVER": "unix:/nowhere", "PYTHONPATH": str(ROOT)}


PLAYING = """\
import sys, threading
from ctypes import CDLL, byref, c_void_p
import numpy as np, soundfile, soxr
path, device, rate, channels, form = sys.argv[1:]
rate, channels = int(rate), int(channels)
bits, width = {"S16_LE": (16, 2), "S24_3LE": (24, 3), "S24_LE": (24, 4), "S32_LE": (32, 4)}[form]
samples, _ = soundfile.read(path, dtype="float32")
samples = soxr.resample(samples, 16_000, rate)
signs = np.array([1, -1])[:channels]  # nothing is left of the mean of two channels
wide = (0.9 * 2 ** (bits - 1) * samples[:, None] * signs).astype("<i8")
frames = wide.view(np.uint8).reshape(-1, channels, 8)[:, :, :width]
silence = np.zeros((rate // 10, channels, width), np.uint8)
alsa, pcm = CDLL("libasound.so.2"), c_void_p()
assert alsa.snd_pcm_open(byref(pcm), device.encode(), 0, 0) == 0
number = alsa.snd_pcm_format_value(form.encode())
assert alsa.snd_pcm_set_params(pcm, number, 3, channels, rate, 0, 500_000) == 0
def play(frames):
    for start in range(0, len(frames), len(silence)):
        piece = np.ascontiguousarray(frames[start : start + len(silence)])
        done = alsa.snd_pcm_writei(pcm, piece.ctypes.data_as(c_void_p), len(piece))
        assert done == len(piece) or alsa.snd_pcm_recover(pcm, done, 1) == 0
asked = threading.Event()
threading.Thread(target=lambda: sys.stdin.readline() and asked.set(), daemon=True).start()
play(silence)
print("plays", flush=True)
while not asked.is_set():
    play(silence)
play(frames)
while True:
    play(silence)
"""


@contextmanager
def player(recording: Path, *form: str) -> Iterator[subprocess.Popen[str]]:
    """Play silence to the card, and after a line the recording."""
    assert CARD is not None
    device = f"hw:{CARD.card},1"
    with subprocess.Popen(
        [sys.executable, "-c", PLAYING, str(recording), device, *form],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "plays\n"
            yield process
        finally:
            process.kill()
