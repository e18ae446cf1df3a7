"""PCM from a pipe arrives sample for sample, whatever the pieces it comes in."""

from __future__ import annotations

import io
import os
import pty
import struct
import threading
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


def pour(write: int, data: bytes) -> None:
    with os.fdopen(write, "wb") as pipe:
        pipe.write(data)


def chunk(name: bytes, content: bytes, size: int | None = None) -> bytes:
    size = len(content) if size is None else size
    return name + struct.pack("<I", size) + content + bytes(len(content) % 2)


def riff(*chunks: bytes) -> bytes:
    return chunk(b"RIFF", b"WAVE" + b"".join(chunks))


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


FORM = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16))
OTHERS = st.lists(
    st.builds(
        chunk,
        st.one_of(
            st.sampled_from([b"LIST", b"bext", b"RIFF", b"WAVE", b"_PMX"]),
            st.binary(min_size=4, max_size=4).filter(lambda name: name not in (b"fmt ", b"data")),
        ),
        st.one_of(
            st.binary(max_size=40),
            st.builds(bytes, st.integers(0, 9000)),
            st.sampled_from([b"Open data day", b"fmt data", FORM, chunk(b"data", b"odd")]),
        ),
    ),
    max_size=4,
)


@given(
    before=OTHERS,
    between=OTHERS,
    after=OTHERS,
    cuts=st.lists(st.integers(0, 600), max_size=8),
    count=st.integers(1, 250),
)
def test_other_chunks_of_a_wav_file_do_not_matter(
    before: list[bytes], between: list[bytes], after: list[bytes], cuts: list[int], count: int
) -> None:
    read, write = os.pipe()
    source = PcmPipe(fd=read)
    source.open()
    data = chunk(b"data", SAMPLES[:count].tobytes())
    whole = riff(*before, FORM, *between, data, *after)
    heard, start = [], 0
    for end in sorted(cuts):
        if piece := whole[start:end]:
            os.write(write, piece)
            heard.append(source.read(5.0))
        start = max(start, end)
    threading.Thread(target=pour, args=(write, whole[start:]), daemon=True).start()
    heard.append(drain(source))
    os.close(read)
    assert np.array_equal(np.concatenate(heard), SAMPLES[:count])


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_a_size_that_its_writer_could_not_know_is_none(size: int) -> None:
    _, samples = piped(riff(FORM, chunk(b"data", SAMPLES.tobytes(), size)))
    assert np.array_equal(samples, SAMPLES)


@pytest.mark.parametrize("end", [1, 4, 11, 12, 30, 43])
def test_a_wav_header_that_ends_early_is_refused(end: int) -> None:
    with pytest.raises(UnreadableError, match="no samples"):
        piped(wav()[:end])


def test_a_wav_file_that_does_not_tell_its_form_is_refused() -> None:
    for form in (b"", chunk(b"fmt ", b"short")):
        with pytest.raises(UnreadableError, match="no samples"):
            piped(riff(form, chunk(b"data", SAMPLES.tobytes())))


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
