"""Trades asked for afterwards enter the tape once, against a model of sets."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from data_collector.past_trades import RANGES_MAX, PastTrades


def new(past: PastTrades, ids: list[int], first: int, last: int) -> tuple[list[int], int, int]:
    """The new ones of ``ids`` in their order, and the moved bounds."""
    mask, first, last = past.new(np.array(ids, dtype=np.int64), first, last)
    return [number for number, is_new in zip(ids, mask.tolist(), strict=True) if is_new], first, last


def test_before_anything_was_heard_all_are_new() -> None:
    """The first answer makes the bounds; a repeated id counts once."""
    assert new(PastTrades(), [7, 5, 6, 6], -1, -1) == ([7, 5, 6], 5, 7)


def test_an_empty_answer_changes_nothing() -> None:
    """Without ids there is nothing new, heard before or not."""
    assert new(PastTrades(), [], -1, -1) == ([], -1, -1)
    assert new(PastTrades(), [], 5, 9) == ([], 5, 9)


def test_what_was_heard_is_not_new() -> None:
    """Between the bounds everything was heard unless it is known to be missing."""
    past = PastTrades()
    assert new(past, [4, 5, 8, 9, 10], 5, 9) == ([4, 10], 4, 10)
    past.miss(6, 7)
    assert new(past, [5, 6, 7, 8], 4, 10) == ([6, 7], 4, 10)
    assert new(past, [5, 6, 7, 8], 4, 10) == ([], 4, 10)


def test_a_hole_shrinks_by_what_was_found() -> None:
    """What an answer leaves out of a hole is still missing."""
    past = PastTrades()
    past.miss(10, 20)
    assert new(past, [12, 15, 16], 1, 30)[0] == [12, 15, 16]
    assert past.missing == [(10, 11), (13, 14), (17, 20)]


def test_the_number_of_holes_is_bounded() -> None:
    """The oldest holes are given up, in whatever way they come about."""
    past = PastTrades()
    for number in range(3 * RANGES_MAX):
        past.miss(10 * number, 10 * number + 5)
    assert len(past.missing) == RANGES_MAX and past.missing[-1] == (10 * (3 * RANGES_MAX - 1), 10 * 3 * RANGES_MAX - 5)
    past.missing = [(0, 10**6)]
    new(past, list(range(1, 10**4, 2)), 0, 10**6)
    assert len(past.missing) == RANGES_MAX


IDS = st.integers(0, 60)


@given(
    st.sets(IDS, min_size=1),
    st.lists(st.lists(IDS, max_size=30), max_size=6),
)
def test_no_trade_enters_twice_and_none_is_lost(live: set[int], answers: list[list[int]]) -> None:
    """Heard ids with holes, then any answers: each answer brings exactly what nobody had, holes included."""
    past = PastTrades()
    heard, last = set(live), -1
    for number in sorted(live):
        if last >= 0 and number > last + 1:
            past.miss(last + 1, number - 1)
        last = number
    first = min(live)
    for answer in answers:
        reached = set(range(first, last + 1))
        missing = {number for low, high in past.missing for number in range(low, high + 1)}
        found, first, last = new(past, answer, first, last)
        assert len(found) == len(set(found))
        assert set(found) == {number for number in answer if number not in reached or number in missing}
        assert not set(found) & heard
        heard |= set(found)
        assert (first, last) == (min(heard), max(heard))
