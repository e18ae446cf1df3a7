"""Makes the clip that streamser carries: `python -m train.demo_clip`.

Sentences by espeak-ng (its own formant voice) in differing pitch, pace and loudness, pauses
between them, and a stretch of noise that WebRTC VAD takes for a voice. The committed file came from
espeak-ng 1.51; another version may sound a little different.
"""

from __future__ import annotations

import argparse
import io
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from streamser.clip import demo_clip

RATE = 16_000
NOISE_SECONDS = 3.0
SEED = 20261121

Samples = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """What is said, and how."""

    text: str
    voice: str = "en-us"
    pitch: int = 50
    """0 to 99."""

    pace: int = 160
    """Words a minute."""

    level: float = -24.0
    """RMS in dBFS."""

    pause: float = 1.3
    """Seconds of near silence after it."""


SENTENCES = (
    Sentence(text="This is streamser. It listens on this machine alone.", pitch=40),
    Sentence(
        text="Look, the sun is out, and we are going to the sea!",
        voice="en-us+f3",
        pitch=85,
        pace=185,
        level=-21.0,
    ),
    Sentence(text="I waited the whole day, and nobody came.", pitch=18, pace=115, level=-30.0),
    Sentence(text="Stop that! I have told you twice already!", pitch=65, pace=200, level=-19.0),
)
LAST = Sentence(text="That was all. Thank you for listening.", voice="en-us+f2", pause=1.0)


def speak(sentence: Sentence) -> Samples:
    """Return the sentence as 16 kHz samples, trimmed and set to its level."""
    command = ["espeak-ng", "-v", sentence.voice, "-p", str(sentence.pitch)]
    command += ["-s", str(sentence.pace), "--stdout", sentence.text]
    wav = subprocess.run(command, check=True, capture_output=True).stdout
    samples, rate = soundfile.read(io.BytesIO(wav), dtype="float64")
    samples = np.asarray(soxr.resample(samples, rate, RATE, quality="VHQ"))
    loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
    samples = samples[loud[0] : loud[-1] + 1]
    return samples * _gain(samples, sentence.level)


def noise(rng: np.random.Generator, seconds: float, level: float) -> Samples:
    """Return pink noise that swells and fades like a passing car."""
    count = round(seconds * RATE)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequencies = np.fft.rfftfreq(count, 1.0 / RATE)
    spectrum *= 1.0 / np.sqrt(np.maximum(frequencies, 60.0))
    samples = np.fft.irfft(spectrum, count) * np.sin(np.linspace(0.0, np.pi, count)) ** 2
    return samples * _gain(samples, level)


def clip() -> NDArray[np.int16]:
    """Return the whole clip."""
    rng = np.random.default_rng(SEED)
    parts = [_silence(0.8)]
    for sentence in SENTENCES:
        parts += [speak(sentence), _silence(sentence.pause)]
    parts += [noise(rng, NOISE_SECONDS, -34.0), _silence(0.7), speak(LAST), _silence(LAST.pause)]
    samples = np.concatenate(parts)
    # A room's noise floor, so that a pause is not digital zero.
    samples += rng.standard_normal(samples.size) * 10 ** (-72.0 / 20)
    return (np.clip(samples, -0.999, 0.999) * 32768.0).round().astype(np.int16)


def _silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE))


def _gain(samples: Samples, level: float) -> float:
    return float(10 ** (level / 20) / np.sqrt(np.mean(samples**2)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=demo_clip())
    path = parser.parse_args().out
    samples = clip()
    soundfile.write(path, samples, RATE, format="FLAC", subtype="PCM_16")
    print(f"{path}: {samples.size / RATE:.1f} s, {path.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
