"""Features alone: what others compute before any network has looked at it."""

from __future__ import annotations

import kaldi_native_fbank
import librosa
import numpy as np
import opensmile

from benchmarks.peers.peer import ANSWER, WINDOW, Peer, Player, Samples
from streamser.analysis.hops import HOP


def peers(speech: Samples) -> list[Peer]:
    """Return MFCC as a stream, and of 3 s at each answer; eGeMAPS of 3 s at each answer."""
    return [kaldi(Player(speech)), librosas(Player(speech)), egemaps(Player(speech))]


def kaldi(player: Player) -> Peer:
    """kaldi-native-fbank's online MFCC, as many coefficients and bands as streamser's."""
    options = kaldi_native_fbank.MfccOptions()
    options.frame_opts.dither = 0.0
    options.mel_opts.num_bins = 40
    options.num_ceps = 40
    online = kaldi_native_fbank.OnlineMfcc(options)
    seen = 0

    def step() -> None:
        nonlocal seen
        online.accept_waveform(16_000, player.next(HOP).astype(np.float32))
        while seen < online.num_frames_ready:
            online.get_frame(seen)
            seen += 1
        online.pop(seen)

    return Peer(name="kaldi-native-fbank, MFCC", kind="features", samples=HOP, step=step)


def librosas(player: Player) -> Peer:
    """librosa's MFCC with its usual settings."""

    def step() -> None:
        window = player.window(ANSWER, WINDOW).astype(np.float32) / 32768.0
        librosa.feature.mfcc(y=window, sr=16_000, n_mfcc=40)

    return Peer(name="librosa, MFCC of 3 s", kind="features", samples=ANSWER, step=step)


def egemaps(player: Player) -> Peer:
    """The 88 functionals of eGeMAPS v02 (Eyben et al., 2016) by openSMILE."""
    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02,
        feature_level=opensmile.FeatureLevel.Functionals,
    )

    def step() -> None:
        window = player.window(ANSWER, WINDOW).astype(np.float32) / 32768.0
        smile.process_signal(window, 16_000)

    return Peer(name="openSMILE, eGeMAPS of 3 s", kind="features", samples=ANSWER, step=step)
