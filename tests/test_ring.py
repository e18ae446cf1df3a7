"""The ring buffer keeps the newest samples in order, counts the rest, and never waits."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamser.audio.ring import RingBuffer


def numbered(start: int, size: int) -> np.ndarray:
    """Return samples that tell their position."""
    return (np.arange(start, start + size) % 32768).astype(np.int16)


steps = st.lists(st.one_of(st.none(), st.integers(0, 40)), max_size=60)


@given(capacity=st.integers(1, 16), steps=steps)
def test_ring_equals_an_unbounded_queue_that_forgets_its_oldest(
    capacity: int, steps: list[int | None]
) -> None:
    ring = RingBuffer(capacity)
    model: list[int] = []
    written = dropped = overruns = 0
    for step in steps:
        if step is None:  # read
            lost = max(0, len(model) - capacity)
            dropped += lost
            overruns += lost > 0
            assert ring.waiting == len(model) - lost
            assert ring.read().tolist() == model[lost:]
            assert (ring.dropped, ring.overruns) == (dropped, overruns)
            model.clear()
        else:
            ring.write(numbered(written, step))
            model.extend(range(written, written + step))
            written += step


@pytest.fixture
def eager_threads() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("capacity", [1000, 50_000])
@pytest.mark.usefixtures("eager_threads")
def test_racing_producer_and_consumer_lose_nothing_uncounted_and_tear_nothing(
    capacity: int,
) -> None:
    ring = RingBuffer(capacity)
    source = numbered(0, 2 * 32768)
    total = 4_000_000

    def produce() -> None:
        sizes = random.Random(1)
        written = 0
        while written < total:
            size = min(sizes.choice((1, 160, 700, 5000)), total - written)
            start = written % 32768
            ring.write(source[start : start + size])
            written += size
        ring.close()

    producer = threading.Thread(target=produce)
    producer.start()
    heard = 0
    while ring.wait(1, 60.0):
        samples = ring.read()
        assert np.array_equal(samples, numbered(heard + ring.dropped, len(samples)))
        heard += len(samples)
    producer.join()
    assert heard + ring.dropped == total
    assert (ring.dropped > 0) == (ring.overruns > 0)


def test_consumer_is_woken_when_the_wanted_amount_is_there_and_not_before() -> None:
    ring = RingBuffer(1000)
    woken = threading.Event()
    result: list[bool] = []

    def consume() -> None:
        result.append(ring.wait(300, 60.0))
        woken.set()

    consumer = threading.Thread(target=consume)
    consumer.start()
    ring.write(numbered(0, 299))
    assert not woken.wait(0.05)
    ring.write(numbered(299, 1))
    assert woken.wait(60.0)
    consumer.join()
    assert result == [True]
    assert len(ring.read()) == 300


def test_wait_ends_at_its_timeout_and_when_the_producer_closes() -> None:
    ring = RingBuffer(10)
    ring.write(numbered(0, 4))
    assert ring.wait(4, 0.0)
    assert not ring.wait(5, 0.001)
    threading.Timer(0.01, ring.close).start()
    assert not ring.wait(5, 60.0)
    assert ring.read().tolist() == [0, 1, 2, 3]
