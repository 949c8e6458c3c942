"""The account: cost as a sum, results exact."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exchange.simulated.ledger import Ledger, Position
from models.instrument import E8
from tests.exchange.simulated.scene import INSTRUMENT, MID

TRADES = st.lists(st.tuples(st.sampled_from((1, -1)), st.integers(MID - 99, MID + 99), st.integers(1, 9)), max_size=30)


def test_a_round_trip_realises_its_difference() -> None:
    """Eight lots up ten ticks at 0.0001 USDT a tick-lot are 0.008 USDT."""
    position = Position(INSTRUMENT)
    assert position.trade(1, MID, 8, 10) == 0
    assert position.trade(-1, MID + 10, 8, 10) == 80 * 10_000
    assert (position.lots, position.cost, position.margin_e8) == (0, 0, 0)


def test_a_flip_starts_a_new_cost() -> None:
    """Selling twelve of eight leaves a short of four at its own price and margin."""
    position = Position(INSTRUMENT)
    position.trade(1, MID, 8, 10)
    position.trade(-1, MID + 10, 12, 10)
    assert (position.lots, position.cost) == (-4, 4 * (MID + 10))
    assert position.margin_e8 == INSTRUMENT.notional_e8(MID + 10, 4) // 10


@given(TRADES)
def test_realised_plus_open_cost_is_the_cash_flow(trades: list[tuple[int, int, int]]) -> None:
    """Whatever the roundings of partial closes, nothing is lost or made; margin is never negative."""
    position, realised, cash = Position(INSTRUMENT), 0, 0
    for sign, price, lots in trades:
        realised += position.trade(sign, price, lots, 10)
        cash -= sign * price * lots * INSTRUMENT.unit_e8
        assert position.margin_e8 >= 0 and position.cost >= 0
    side = 1 if position.lots > 0 else -1
    assert realised == cash + side * position.cost * INSTRUMENT.unit_e8


@given(TRADES)
def test_partial_closes_round_against_us(trades: list[tuple[int, int, int]]) -> None:
    """A partial close never realises more than its share of the average cost allows."""
    position = Position(INSTRUMENT)
    for sign, price, lots in trades:
        held, cost = position.lots, position.cost
        closed = min(lots, position.reducible(sign))
        realised = position.trade(sign, price, lots, 10)
        exact_times_held = -sign * (price * closed * abs(held) - cost * closed) * INSTRUMENT.unit_e8
        assert realised * abs(held) <= exact_times_held or closed == 0


def test_the_wallet_moves_by_result_fee_and_funding_only() -> None:
    """Wallet = start + realised − fees + funding."""
    ledger = Ledger((INSTRUMENT,), 100 * E8, 10)
    ledger.book(0, 1, MID, 8, 7)
    ledger.book(0, -1, MID - 5, 3, 5)
    ledger.fund(-11)
    assert ledger.wallet_e8 == 100 * E8 + ledger.realised_e8 - 12 - 11
    assert ledger.available_e8() == ledger.wallet_e8 - ledger.positions[0].margin_e8


def test_unrealised_results_have_the_side_s_sign() -> None:
    """Ten ticks up: a long gains what a short loses."""
    long, short = Position(INSTRUMENT), Position(INSTRUMENT)
    long.trade(1, MID, 8, 10)
    short.trade(-1, MID, 8, 10)
    mark_e8 = (MID + 10) * INSTRUMENT.tick_e8
    assert (long.unrealised_e8(mark_e8), short.unrealised_e8(mark_e8)) == (800_000, -800_000)
