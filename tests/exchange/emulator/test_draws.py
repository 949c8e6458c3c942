"""Random numbers that are the same for ever."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from exchange.emulator.draws import BLOCK_WORDS, draws


def first(seed: int, name: str, count: int) -> list[int]:
    return list(itertools.islice(draws(seed, name), count))


def test_the_numbers_are_pinned() -> None:
    """These words of SHAKE-128 hold on every machine and Python version: changing them changes every market."""
    assert first(7, "BTCUSDT/flow", 4) == [524753665, 161077184, 2746012663, 2203145072]
    assert first(7, "BTCUSDT/flow", BLOCK_WORDS + 2)[-2:] == [1870015435, 3395883343]


@given(st.integers(-(1 << 70), 1 << 70), st.text(max_size=8), st.integers(1, 2 * BLOCK_WORDS))
def test_a_stream_is_a_function_of_seed_and_name(seed: int, name: str, count: int) -> None:
    """Asked twice, a stream says the same; however many are drawn, the beginning is the same; all are 32-bit."""
    numbers = first(seed, name, count)
    assert numbers == first(seed, name, count + 5)[:count]
    assert all(0 <= number < 1 << 32 for number in numbers)


@given(st.integers(0, 1000), st.integers(1, 1000))
def test_other_seeds_and_names_draw_other_numbers(seed: int, step: int) -> None:
    """Neither a neighbouring seed nor another name shares a stream."""
    assert len({tuple(first(seed + step, "a", 4)), tuple(first(seed, "a", 4)), tuple(first(seed, "b", 4))}) == 3


def test_draws_are_uniform() -> None:
    """Each of the 32 bits is set in half of 50,000 draws, within five standard deviations."""
    numbers = first(3, "uniform", 50_000)
    for bit in range(32):
        assert abs(sum(number >> bit & 1 for number in numbers) - 25_000) < 5 * 112
