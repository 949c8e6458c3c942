"""One side of a plain book."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exchange.emulator.ladder import Half

Changes = list[tuple[int, int]]
CHANGES = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 4)), max_size=80)


def filled(sign: int, changes: Changes) -> tuple[Half, dict[int, int]]:
    """A half and what it must hold."""
    half, held = Half(sign), {}
    for price, lots in changes:
        half.put(price, lots)
        held[price] = lots
    return half, {price: lots for price, lots in held.items() if lots}


@given(st.sampled_from([1, -1]), CHANGES, st.integers(0, 70))
def test_top_gives_the_best_levels_first(sign: int, changes: Changes, count: int) -> None:
    """The top is the cheapest asks or the dearest bids in order, whether few or many are asked for."""
    half, held = filled(sign, changes)
    assert half.top(count) == sorted(held.items(), key=lambda level: sign * level[0])[:count]


@given(CHANGES)
def test_changes_tell_each_touched_price_once(changes: Changes) -> None:
    """Changes come in rising price order with what rests there now, 0 for what is gone, and are told once."""
    half, held = filled(1, changes)
    assert half.changes() == [(price, held.get(price, 0)) for price in sorted({price for price, _ in changes})]
    assert half.changes() == []


@given(st.sampled_from([1, -1]), CHANGES, st.data())
def test_settle_moves_away_from_the_touch(sign: int, changes: Changes, data: st.DataObject) -> None:
    """From a price no worse than the best level, settle ends on the best level."""
    half, held = filled(sign, [*changes, (30, 1)])
    best = min(held, key=lambda price: sign * price)
    half.best = best - sign * data.draw(st.integers(0, 10))
    half.settle()
    assert half.best == best
