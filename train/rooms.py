"""Rooms that a voice fills before a microphone hears it, by the image method."""

from __future__ import annotations

import functools
import zlib

import numpy as np
import pyroomacoustics
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from streamser.audio.source import SAMPLE_RATE

Samples = NDArray[np.int16]

SMALLEST, LARGEST = (2.5, 2.5, 2.4), (8.0, 6.0, 3.5)
"""Length, width and height, metres."""

REVERBERATION_SECONDS = (0.2, 0.8)
"""RT60 of a furnished room up to that of a bare one."""

IMAGES = 40
"""Reflections that are followed at most."""

ROOMS = 200


def room_response(rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a room, a talker and a microphone; return its impulse response, (n,) at 16 kHz.

    The image method (Allen and Berkley, JASA 1979) in a box; the walls absorb as much as Sabine's
    formula asks for the reverberation. The talker sits or stands, the microphone is on a table,
    a shelf or a robot. Begins with the direct sound.
    """
    size = rng.uniform(SMALLEST, LARGEST)
    absorption, order = pyroomacoustics.inverse_sabine(rng.uniform(*REVERBERATION_SECONDS), size)
    room = pyroomacoustics.ShoeBox(
        size,
        fs=SAMPLE_RATE,
        materials=pyroomacoustics.Material(absorption),
        max_order=min(order, IMAGES),
    )
    walls = np.array([0.5, 0.5])
    talker = [*rng.uniform(walls, size[:2] - walls), rng.uniform(1.1, 1.8)]
    microphone = [*rng.uniform(walls, size[:2] - walls), rng.uniform(0.4, 1.6)]
    room.add_source(talker)
    room.add_microphone(microphone)
    room.compute_rir()
    response = np.asarray(room.rir[0][0], dtype=np.float64)
    return response[np.abs(response).argmax() :]


def in_room(samples: Samples, response: NDArray[np.float64]) -> Samples:
    """Return (n,) int16 as heard in the room, as loud as before."""
    dry = samples.astype(np.float64)
    wet = fftconvolve(dry, response)[: dry.size]
    wet *= np.linalg.norm(dry) / max(np.linalg.norm(wet), 1e-9)
    return np.clip(np.round(wet), -32768, 32767).astype(np.int16)


@functools.cache
def room_of(kind: str, number: int) -> NDArray[np.float64]:
    """The response of one of ROOMS rooms of a kind; those of two kinds differ."""
    return room_response(np.random.default_rng([zlib.crc32(kind.encode()), number % ROOMS]))
