"""Jitter: seeded, bounded, in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exchange.simulated.latency import Latency, mixed


def test_the_generator_gives_the_published_numbers() -> None:
    """SplitMix64 started at 0 gives the first two outputs of the reference implementation."""
    assert mixed(0) == 0xE220A8397B1DCDAF
    assert mixed(0x9E3779B97F4A7C15) == 0x6E789E6AA1B965F4


@given(st.integers(0, 2**64), st.integers(0, 10**9), st.integers(0, 10**9))
def test_delays_stay_in_their_range_and_repeat_for_a_seed(seed: int, base: int, jitter: int) -> None:
    """Every delay lies in base … base + jitter, and equal seeds give equal delays."""
    first, second = Latency(base, jitter, seed, 3), Latency(base, jitter, seed, 3)
    delays = [first.delay_ns() for _ in range(20)]
    assert delays == [second.delay_ns() for _ in range(20)]
    assert all(base <= delay <= base + jitter for delay in delays)


def test_directions_have_their_own_jitter() -> None:
    """Two streams of one seed differ."""
    first, second = (Latency(0, 10**6, 7, stream) for stream in range(2))
    assert [first.delay_ns() for _ in range(5)] != [second.delay_ns() for _ in range(5)]


def test_nothing_overtakes() -> None:
    """An earlier time than the one before is moved up to it."""
    latency = Latency(0, 0, 0, 0)
    assert [latency.in_order_ns(at) for at in (5, 3, 9)] == [5, 5, 9]
