"""Bars from trades: agreement with the twin, any split, silence, and late trades."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernels import bars
from models.error import DataError
from models.rows import UNKNOWN_NS, WORD_HEAD, WORD_OCCURRED, WORD_PRICE, WORD_QUANTITY, Kind
from tests.bench.kernels import SECOND, Pair, differences, pairs_of, trade_rows
from tests.naive import bars as naive


def trades(*told: tuple[int, int, int, int]) -> np.ndarray:
    """Rows of (occurred ns, price, lots, side)."""
    rows = np.zeros((len(told), 8), np.int64)
    for row, (occurred, price, lots, side) in zip(rows, told, strict=True):
        row[[WORD_HEAD, WORD_OCCURRED, WORD_PRICE, WORD_QUANTITY]] = Kind.TRADE | side << 16, occurred, price, lots
    return rows


COMPARED = pairs_of(naive, "advance_bars", "close_bars", "count_bars")


@pytest.mark.parametrize("pair", COMPARED, ids=lambda pair: pair.name)
@given(seed=st.integers(0, 2**32), size=st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_equals_twin(pair: Pair, seed: int, size: int) -> None:
    """Kernel and twin give the same bars, word by word."""
    assert differences(pair, pair.arguments(np.random.default_rng(seed), size)) == []


@given(st.integers(0, 2**32), st.integers(0, 40), st.lists(st.integers(0, 40), max_size=5), st.integers(1, 3))
@settings(max_examples=100, deadline=None)
def test_any_split_gives_the_batch_bars(seed: int, size: int, cuts: list[int], room: int) -> None:
    """Rows cut anywhere, into an output of any size, give the bars of the whole, which are the twin's."""
    rows = trade_rows(np.random.default_rng(seed), size)
    whole = bars.build_bars(rows, SECOND)
    state, out, got = bars.bar_state(SECOND), np.zeros((room, bars.BAR_WORDS), np.int64), []
    edges = [0, *sorted(min(cut, size) for cut in cuts), size]
    for start, stop in pairwise(edges):
        part, row = rows[start:stop], 0
        while row < len(part):
            row, written = bars.advance_bars(part, row, state, out)
            got += out[:written].tolist()
    if state[bars.RUNNING]:
        bars.close_bars(int(state[bars.START_NS]) + SECOND, state, out)
        got.append(out[0].tolist())
    assert got == whole.tolist() == naive.build_bars(rows, SECOND)


def test_one_bar_word_by_word() -> None:
    """Prices, volumes, count and notional of two trades, the second a sell."""
    made = bars.build_bars(trades((5 * SECOND + 1, 100, 3, 0), (5 * SECOND + 9, 90, 2, 1)), SECOND)
    assert made.tolist() == [[5 * SECOND, 100, 100, 90, 90, 5, 3, 2, 480, 0]]


def test_silent_interval_is_a_flagged_bar_at_the_last_close() -> None:
    """Nothing traded is a bar of zero volume, not a hole."""
    made = bars.build_bars(trades((0, 100, 1, 0), (1, 101, 1, 0), (2 * SECOND, 99, 1, 0)), SECOND)
    assert made[1].tolist() == [SECOND, 101, 101, 101, 101, 0, 0, 0, 0, bars.SILENT]


def test_late_trade_is_counted_and_changes_no_bar() -> None:
    """A trade of an interval already closed is not put back, nor into the running bar."""
    state, out = bars.bar_state(SECOND), np.zeros((4, bars.BAR_WORDS), np.int64)
    rows = trades((SECOND, 100, 1, 0), (2 * SECOND, 101, 1, 0), (SECOND, 500, 9, 0))
    assert bars.advance_bars(rows, 0, state, out) == (3, 1)
    assert (state[bars.LATE], state[bars.HIGH], state[bars.VOLUME]) == (1, 101, 1)


def test_trade_before_the_first_interval_makes_no_bar() -> None:
    """Bars begin with the first trade told; an earlier one that comes after it is late."""
    made = bars.build_bars(trades((SECOND, 100, 1, 0), (0, 90, 1, 0)), SECOND)
    assert made.tolist() == [[SECOND, 100, 100, 100, 100, 1, 1, 1, 100, 0]]


def test_trade_without_time_is_counted_and_not_guessed_at() -> None:
    """A trade whose exchange time nobody told enters no bar."""
    state, out = bars.bar_state(SECOND), np.zeros((1, bars.BAR_WORDS), np.int64)
    assert bars.advance_bars(trades((UNKNOWN_NS, 100, 1, 0)), 0, state, out) == (1, 0)
    assert (state[bars.UNTIMED], state[bars.RUNNING]) == (1, 0)


def test_bar_closes_by_the_clock() -> None:
    """When the caller knows the interval is over, the bar closes without a trade, and only then."""
    state, out = bars.bar_state(SECOND), np.zeros((4, bars.BAR_WORDS), np.int64)
    bars.advance_bars(trades((SECOND, 100, 1, 0)), 0, state, out)
    assert [bars.close_bars(now, state, out) for now in (2 * SECOND - 1, 2 * SECOND, 2 * SECOND)] == [0, 1, 0]


def test_interval_below_a_second_is_refused() -> None:
    """Bars shorter than one second are refused with the least that is allowed."""
    with pytest.raises(DataError, match="at least 1 s") as refusal:
        bars.bar_state(SECOND - 1)
    assert refusal.value.code == "BAR_INTERVAL"
