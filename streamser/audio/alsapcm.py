"""A sound card's capture as the kernel offers it, without ALSA's library and its plugins.

(Linux, `include/uapi/sound/asound.h`.) Nothing is converted: the card says which rates, channels
and formats there are, and one program at a time may hear it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from io import FileIO

import numpy as np
from numpy.typing import NDArray

_FORMATS = ((2, 2, 2), (10, 4, 4), (6, 4, 3), (32, 3, 3))
"""S16_LE, S32_LE, S24_LE, S24_3LE: the format's number, the bytes of a sample and where its most
significant one ends."""

_PERIODS = ((20_000, 20_000), (5_000, 100_000))
"""Microseconds, from and to, after which the driver tells how far it is: a hop is four of 20 ms."""

_INTERLEAVED = 3
_CHANNELS, _RATE, _PERIOD_TIME, _BUFFER_TIME, _BUFFER_SIZE = 2, 3, 4, 8, 9  # of the intervals

_MASKS, _INTERVALS, _LEFT = struct.Struct("I32s32s32s160x"), struct.Struct("III"), 9
_HARDWARE = struct.Struct(f"@{_MASKS.size}s{(12 + _LEFT) * _INTERVALS.size}s6IL64x")
_SOFTWARE = struct.Struct("@i2I7L2I56x")
_FRAMES = struct.Struct("@L")


def _request(number: int, size: int = 0, way: int = 0) -> int:
    return way << 30 | size << 16 | ord("A") << 8 | number


_WRITE, _READ = 1, 2
_HW_PARAMS = _request(0x11, _HARDWARE.size, _READ | _WRITE)
_SW_PARAMS = _request(0x13, _SOFTWARE.size, _READ | _WRITE)
_PREPARE, _START = _request(0x40), _request(0x42)
_FORWARD = _request(0x49, _FRAMES.size, _WRITE)


class UnfitError(Exception):
    """The card does not offer what is needed."""


class AlsaPcm:
    """A capture that has begun, at the card's lowest rate from `rate` on, with its fewest channels.

    `rate` in hertz and `channels` are what the card gives. What nobody reads is overwritten, the
    oldest first; who reads too late has to `forward`.
    """

    def __init__(self, path: str, *, rate: int, seconds: float) -> None:
        """`path` is of the device node; its memory shall hold `seconds` of audio or somewhat more.

        Raises OSError, with EBUSY where another program hears it, and UnfitError.
        """
        self._node = FileIO(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        try:
            self._configure(rate, seconds)
            self.restart()
        except BaseException:
            self.close()
            raise

    def read(self) -> NDArray[np.int16]:
        """Return what was recorded since the last time: of its first channel, (n,) int16.

        Raises OSError: EPIPE when the driver has stopped, so that `restart` is due.
        """
        size = self._node.readinto(self._buffer.data) or 0
        frames = self._buffer[:size].reshape(-1, self.channels, self._width)
        first = frames[:, 0, self._top - 2 : self._top].copy()
        return first.view("<i2").ravel().astype(np.int16, copy=False)

    def forward(self, frames: int) -> int:
        """Leave out the oldest `frames` that wait, or all there are; return how many those were."""
        counted = bytearray(_FRAMES.pack(frames))
        fcntl.ioctl(self._node, _FORWARD, counted)
        (left_out,) = _FRAMES.unpack(counted)
        return int(left_out)

    def restart(self) -> None:
        """Begin anew, as after the driver has stopped; what waited is lost. Raises OSError."""
        fcntl.ioctl(self._node, _PREPARE)
        fcntl.ioctl(self._node, _START)

    def close(self) -> None:
        """Free the card."""
        self._node.close()

    def _configure(self, rate: int, seconds: float) -> None:
        for number, self._width, self._top in _FORMATS:
            for period in _PERIODS:
                if (answer := self._choose(number, rate, period, seconds)) is not None:
                    self._settle(answer, seconds)
                    return
        raise UnfitError(f"no format of 16, 24 or 32 bits from {rate} Hz on")

    def _choose(
        self, number: int, rate: int, period: tuple[int, int], seconds: float
    ) -> bytearray | None:
        """Let the kernel choose: of all that is allowed the fewest channels, the lowest rate and
        the largest memory. None where nothing is."""
        anything = b"\xff" * 32
        masks = _MASKS.pack(0, _mask(_INTERLEAVED), _mask(number), anything)
        intervals = [(0, 0xFFFFFFFF)] * 12
        intervals[_RATE] = (rate, 0xFFFFFFFF)
        intervals[_PERIOD_TIME] = period
        intervals[_BUFFER_TIME] = (0, round(2e6 * seconds))
        between = b"".join(_INTERVALS.pack(*ends, 0) for ends in intervals)
        unasked = _INTERVALS.pack(0, 0xFFFFFFFF, 0) * _LEFT
        asked = bytearray(_HARDWARE.pack(masks, between + unasked, 0xFFFFFFFF, 0, 0, 0, 0, 0, 0))
        try:
            fcntl.ioctl(self._node, _HW_PARAMS, asked)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return None
            raise
        return asked

    def _settle(self, answer: bytearray, seconds: float) -> None:
        def chosen(interval: int) -> int:
            least, _, _ = _INTERVALS.unpack_from(answer, _MASKS.size + interval * _INTERVALS.size)
            return int(least)

        self.rate, self.channels = chosen(_RATE), chosen(_CHANNELS)
        size = chosen(_BUFFER_SIZE)
        if size < seconds * self.rate:
            raise UnfitError(f"its memory holds {size / self.rate:.2f} s only")
        self._buffer = np.zeros(size * self.channels * self._width, np.uint8)
        never = (1 << 8 * _FRAMES.size - 1) - 1  # the driver goes on, however much waits
        software = _SOFTWARE.pack(0, 1, 0, 1, 1, 1, never, 0, 0, 0, 0, 0)
        fcntl.ioctl(self._node, _SW_PARAMS, bytearray(software))


def _mask(bit: int) -> bytes:
    return (1 << bit).to_bytes(32, "little")
