"""The position and its money, exact to the last 1e-8."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.execution.position import Position, RoundTrip
from models.event import Fill
from models.order import Side
from tests.core.desk import INSTRUMENT, UNIT_E8

NUMBERS = itertools.count(1)


def fill(side: Side, lots: int, price: int, fee_e8: int = 0, at_ns: int = 0) -> Fill:
    """One execution under a new trade id."""
    return Fill(at_ns, "o", next(NUMBERS), 0, side, price, lots, fee_e8, False, at_ns)


def buy(lots: int, price: int, fee_e8: int = 0, at_ns: int = 0) -> Fill:
    return fill(Side.BUY, lots, price, fee_e8, at_ns)


def sell(lots: int, price: int, fee_e8: int = 0, at_ns: int = 0) -> Fill:
    return fill(Side.SELL, lots, price, fee_e8, at_ns)


def booked(*fills: Fill) -> tuple[Position, list[tuple[int, RoundTrip | None]]]:
    """A position after ``fills``, and what each of them said."""
    position = Position(INSTRUMENT)
    return position, [position.apply(each) for each in fills]


def test_a_long_round_trip() -> None:
    """Bought at 770,000, sold 100 ticks higher: 8 lots · 100 ticks · 0.0001 USDT gross, both fees, one record."""
    position, said = booked(buy(8, 770_000, 308, at_ns=10), sell(8, 770_100, 309, at_ns=30))
    trip = RoundTrip(0, 1, 8, 8 * 770_000, 8 * 770_100, 10, 30, 800 * UNIT_E8, 617, 0)
    assert said == [(0, None), (800 * UNIT_E8, trip)]
    assert (position.lots, position.cost, position.side) == (0, 0, 0)


def test_a_short_round_trip_is_the_mirror_image() -> None:
    """Sold first and bought back lower gains the same."""
    _, said = booked(sell(8, 770_100), buy(8, 770_000))
    gross, trip = said[-1]
    assert trip is not None
    assert (gross, trip.side, trip.entry_cost, trip.exit_cost) == (800 * UNIT_E8, -1, 8 * 770_100, 8 * 770_000)


def test_partial_closes_release_the_average_cost() -> None:
    """One lot at 100 and two at 102 cost 304: a third, rounded down, goes with the first lot, the rest at last."""
    position, said = booked(buy(1, 100), buy(2, 102), sell(1, 110), sell(2, 110))
    assert [gross for gross, _ in said] == [0, 0, 9 * UNIT_E8, 17 * UNIT_E8]
    assert position.lots == 0


def test_a_fill_through_zero_closes_and_opens() -> None:
    """Selling 5 lots out of 3 closes one round trip and opens a short of 2 with its part of the fee."""
    position, said = booked(buy(3, 100, 30, at_ns=1), sell(5, 90, 50, at_ns=2), buy(2, 80, 20, at_ns=3))
    first, second = said[1][1], said[2][1]
    assert first is not None and second is not None
    assert (first.side, first.lots, first.gross_e8, first.fee_e8) == (1, 3, -30 * UNIT_E8, 60)
    assert (second.side, second.lots, second.gross_e8, second.fee_e8) == (-1, 2, 20 * UNIT_E8, 40)
    assert (second.opened_ns, second.closed_ns, position.lots) == (2, 3, 0)


def test_funding_belongs_to_the_open_round_trip() -> None:
    """Funding paid while a position is open is part of that trip's result and of no later one."""
    position, _ = booked(buy(1, 100))
    position.fund(-7)
    _, trip = position.apply(sell(1, 100, 2))
    position.apply(buy(1, 100))
    _, later = position.apply(sell(1, 100))
    assert trip is not None and later is not None
    assert (trip.funding_e8, trip.net_e8, later.funding_e8) == (-7, -9, 0)


def test_a_round_trip_begins_with_its_first_fill() -> None:
    """Adding to a position does not move the time it was opened at."""
    position, _ = booked(buy(1, 100, at_ns=5), buy(1, 101, at_ns=9))
    assert position.opened_ns == 5


@pytest.mark.parametrize(
    ("opening", "mid2", "open_e8"),
    [
        (buy(2, 100), 210, 10 * UNIT_E8),
        (buy(2, 100), 201, UNIT_E8),
        (sell(2, 100), 210, -10 * UNIT_E8),
        (sell(1, 100), 199, UNIT_E8 // 2),
    ],
)
def test_open_profit_at_a_mid(opening: Fill, mid2: int, open_e8: int) -> None:
    """Twice the mid is bid + ask, so half a tick counts half."""
    assert booked(opening)[0].unrealised_e8(mid2) == open_e8


FILLS = st.lists(
    st.tuples(st.sampled_from(list(Side)), st.integers(1, 50), st.integers(1, 10**7), st.integers(-(10**6), 10**9)),
    min_size=1,
    max_size=60,
)


@given(FILLS)
def test_no_money_is_made_or_lost(content: list[tuple[Side, int, int, int]]) -> None:
    """Σ realised − fees equals the cash that flowed plus the cost of what is still open, exactly, in integers."""
    position, realised, cash, fees = Position(INSTRUMENT), 0, 0, 0
    for side, lots, price, fee_e8 in content:
        gross, _ = position.apply(fill(side, lots, price, fee_e8))
        realised += gross
        fees += fee_e8
        cash -= INSTRUMENT.notional_e8(price, lots) * side.sign + fee_e8
        assert realised - fees == cash + position.cost * UNIT_E8
    assert position.lots == _signed(content)


def _signed(content: list[tuple[Side, int, int, int]]) -> int:
    return sum(lots * side.sign for side, lots, _, _ in content)


@given(FILLS, st.integers(1, 10**7))
def test_a_flat_end_leaves_the_cash_in_round_trips(content: list[tuple[Side, int, int, int]], last: int) -> None:
    """When everything is closed, the round trips' net results are the whole cash flow, and each adds up by itself."""
    position, trips, cash = Position(INSTRUMENT), [], 0
    lots = _signed(content)
    fills = [fill(*each) for each in content]
    if lots:
        fills.append(fill(Side.SELL if lots > 0 else Side.BUY, abs(lots), last))
    for each in fills:
        _, trip = position.apply(each)
        trips += [trip] if trip is not None else []
        cash -= INSTRUMENT.notional_e8(each.price, each.quantity) * each.side.sign + each.fee_e8
    assert (position.lots, position.cost) == (0, 0)
    assert sum(trip.net_e8 for trip in trips) == cash
    for trip in trips:
        assert trip.gross_e8 == (trip.exit_cost - trip.entry_cost) * trip.side * UNIT_E8


@given(FILLS, st.integers(2, 2 * 10**7))
def test_equity_is_what_closing_at_the_mid_would_leave(content: list[tuple[Side, int, int, int]], mid2: int) -> None:
    """Realised plus open profit is the same before and after a close at that price, to half a unit of rounding."""
    position, realised = Position(INSTRUMENT), 0
    for each in content:
        realised += position.apply(fill(*each))[0]
    before = realised + position.unrealised_e8(mid2 // 2 * 2)
    if position.lots:
        side = Side.SELL if position.lots > 0 else Side.BUY
        realised += position.apply(fill(side, abs(position.lots), mid2 // 2))[0]
    assert before == realised


def test_one_lot_at_a_time_conserves_cost() -> None:
    """An average that is no whole number is released lot by lot without losing a tick."""
    position, said = booked(buy(3, 101), buy(4, 100), *[sell(1, 100) for _ in range(7)])
    assert sum(gross for gross, _ in said) == -3 * UNIT_E8
    assert position.cost == 0
