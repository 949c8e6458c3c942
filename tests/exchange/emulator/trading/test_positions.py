"""A position: what it realises adds up to what was bought and sold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.emulator.trading.positions import Position
from models.instrument import E8

STEP, TICK = 100_000, 10_000_000
TRADES = st.lists(st.tuples(st.integers(-40, 40).filter(bool), st.integers(700_000, 800_000)), min_size=1, max_size=40)


def test_the_golden_entry_and_exit() -> None:
    """0.006 at 76,915.00 and 0.004 at 76,915.10 enter at 76,915.04; sold at 77,015.00 that makes 0.9996."""
    position = Position("BTCUSDT")
    position.trade(600_000, 7_691_500_000_000)
    position.trade(400_000, 7_691_510_000_000)
    assert position.entry_e8 == 7_691_504_000_000
    assert position.trade(-1_000_000, 7_701_500_000_000).realised_e8 == 99_960_000
    assert (position.quantity_e8, position.cost_e8, position.realised_e8) == (0, 0, 99_960_000)


@pytest.mark.parametrize("way", [1, -1])
def test_a_flip_closes_and_opens(way: int) -> None:
    """Trading three the other way on one closes the one and opens two at the new price."""
    position = Position("BTCUSDT")
    position.trade(way * E8, 100 * E8)
    traded = position.trade(-3 * way * E8, 110 * E8)
    assert traded.realised_e8 == way * 10 * E8 and traded.opened_value_e8 == 220 * E8
    assert (position.quantity_e8, position.cost_e8) == (-2 * way * E8, 220 * E8)


@given(TRADES)
def test_profit_is_what_was_sold_less_what_was_bought(trades: list[tuple[int, int]]) -> None:
    """At every moment realised profit is cash flow plus the cost of what is open, to the last unit."""
    position, cash = Position("BTCUSDT"), 0
    for lots, ticks in trades:
        position.trade(lots * STEP, ticks * TICK)
        cash -= lots * STEP * ticks * TICK // E8
        assert position.realised_e8 == cash + position.sign * position.cost_e8


@given(TRADES)
def test_the_entry_stays_while_closing(trades: list[tuple[int, int]]) -> None:
    """Closing a part leaves the average entry where it was, but for rounding a unit of cost."""
    position = Position("BTCUSDT")
    for lots, ticks in trades:
        before, size = position.entry_e8, position.size_e8
        position.trade(lots * STEP, ticks * TICK)
        if position.quantity_e8 and position.size_e8 < size and position.sign == (-1 if lots > 0 else 1):
            assert abs(position.entry_e8 - before) <= E8 // position.size_e8 + 1


def test_unrealised_profit_follows_the_mark() -> None:
    """Longs gain above their entry, shorts below it, the flat nothing."""
    long, short = Position("BTCUSDT"), Position("BTCUSDT")
    long.trade(E8, 100 * E8)
    short.trade(-E8, 100 * E8)
    assert [one.unrealised_e8(103 * E8) for one in (long, short, Position("BTCUSDT"))] == [3 * E8, -3 * E8, 0]
