"""PCM from a pipe arrives sample for sample, whatever the pieces it comes in."""

from __future__ import annotations

import io
import os
import pty
import wave
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamser.audio.pcm import PcmPipe
from streamser.audio.source import SourceError, UnreadableError

SAMPLES = np.random.default_rng(0).integers(-32768, 32768, 4000).astype("<i2")


def drain(source: PcmPipe) -> np.ndarray:
    blocks = []
    while (block := source.read(5.0)) is not None:
        blocks.append(block)
    return np.concatenate([*blocks, np.empty(0, dtype=np.int16)])


def piped(data: bytes, *, rate: int = 16_000) -> tuple[PcmPipe, np.ndarray]:
    read, write = os.pipe()
    os.write(write, data)
    os.close(write)
    source = PcmPipe(rate, fd=read)
    source.open()
    samples = drain(source)
    os.close(read)
    return source, samples


def wav(channels: int = 1, width: int = 2, rate: int = 16_000) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(width)
        writer.setframerate(rate)
        writer.writeframes(SAMPLES.tobytes())
    return file.getvalue()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    os.close(read)


@given(cuts=st.lists(st.integers(0, 600), max_size=8), header=st.booleans(), odd=st.booleans())
def test_pieces_do_not_matter_nor_does_an_odd_last_byte(
    cuts: list[int], header: bool, odd: bool
) -> None:
    read, write = os.pipe()
    source = PcmPipe(fd=read)
    source.open()
    body = SAMPLES[:250].tobytes()
    data = wav()[:44] + body if header else body
    data += b"\x01" * odd
    heard = []
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(data)], strict=True):
        if data[start:end]:
            os.write(write, data[start:end])
            heard.append(source.read(5.0))
    os.close(write)
    heard.append(drain(source))
    os.close(read)
    assert np.array_equal(np.concatenate(heard), SAMPLES[:250])


def test_silence_on_the_pipe_is_no_end(pipe: tuple[int, int]) -> None:
    read, write = pipe
    source = PcmPipe(fd=read)
    source.open()
    samples = source.read(0.001)
    assert samples is not None
    assert len(samples) == 0
    source.close()
    source.open()
    os.write(write, SAMPLES.tobytes())
    os.close(write)
    assert np.array_equal(drain(source), SAMPLES)
    assert source.read(0.0) is None


def test_other_rates_are_resampled_to_the_end() -> None:
    _, samples = piped(SAMPLES.tobytes(), rate=8000)
    assert len(samples) == 8000


def test_a_wav_header_tells_the_rate_and_is_not_heard() -> None:
    source, samples = piped(wav(rate=8000))
    assert source.native_rate == 8000
    assert len(samples) == 8000
    _, samples = piped(wav())
    assert np.array_equal(samples, SAMPLES)


@pytest.mark.parametrize("data", [wav(channels=2), wav(width=1), b"RIFF" + bytes(5000)])
def test_wav_that_is_not_16_bit_mono_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableError, match="WAV"):
        piped(data)


def test_nothing_at_all_is_an_end() -> None:
    _, samples = piped(b"")
    assert len(samples) == 0
    _, samples = piped(b"\x01\x02")
    assert samples.tolist() == [0x0201]


def test_a_terminal_is_refused_with_the_command_to_use() -> None:
    leader, terminal = pty.openpty()
    with pytest.raises(SourceError, match="arecord"):
        PcmPipe(fd=terminal).open()
    os.close(leader)
    os.close(terminal)
