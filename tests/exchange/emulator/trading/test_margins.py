"""Margin: what positions and orders need, what is available, where liquidation lies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.emulator.errors import VenueError
from exchange.emulator.trading.margins import (
    exposure_e8,
    liquidation_e8,
    order_margin_e8,
    position_maintenance_e8,
    required_e8,
    standing,
)
from exchange.emulator.trading.texts import money
from models.instrument import E8
from tests.exchange.emulator.trading.scene import BTC, ETH, Scene


def _standing(scene: Scene) -> Any:
    return standing(scene.account, scene.desk.contracts)


def test_a_fresh_account_has_everything_available() -> None:
    """Without positions and orders wallet, balance and available are one."""
    now = _standing(Scene())
    assert now.wallet_e8 == now.cross_balance_e8 == now.available_e8 == now.withdrawable_e8 == 1000 * E8


def test_orders_of_both_sides_need_the_larger_one() -> None:
    """Resting buys and sells cannot both open: the larger side counts (venue: open-order margin)."""
    scene = Scene()
    contract = scene.desk.contracts[BTC]
    scene.limit("BUY", "76000.00")
    assert order_margin_e8(scene.account, contract) == 3_800_000_000
    scene.limit("SELL", "77000.00")
    assert order_margin_e8(scene.account, contract) == 3_850_000_000


def test_orders_against_a_position_need_nothing_up_to_its_double() -> None:
    """Selling up to twice a long cannot end in a larger position than the long."""
    scene = Scene()
    scene.order()
    contract = scene.desk.contracts[BTC]
    scene.limit("SELL", "76920.00", "0.019")
    assert order_margin_e8(scene.account, contract) == 0
    scene.limit("SELL", "76920.00", "0.002")
    assert order_margin_e8(scene.account, contract) > 0


def test_closing_orders_need_nothing() -> None:
    """Reduce-only orders, and orders against their side in hedge mode, hold no margin."""
    scene = Scene(hedge=True)
    scene.order(positionSide="LONG")
    before = required_e8(scene.account, scene.desk.contracts[BTC])
    scene.limit("SELL", "77000.00", positionSide="LONG")
    assert required_e8(scene.account, scene.desk.contracts[BTC]) == before


def test_hedge_sides_need_margin_each() -> None:
    """A long and a short of one size need twice the margin."""
    scene = Scene(hedge=True)
    scene.order(positionSide="LONG")
    one = required_e8(scene.account, scene.desk.contracts[BTC])
    scene.order(side="SELL", positionSide="SHORT")
    assert required_e8(scene.account, scene.desk.contracts[BTC]) == 2 * one


def test_an_isolated_position_does_not_touch_what_is_available() -> None:
    """Profit and loss of an isolated position stay in it; of a cross one they are part of what is available."""
    isolated, cross = Scene(isolated=True), Scene()
    for scene in (isolated, cross):
        scene.order()
        scene.mark("76000.00000000")
    assert _standing(isolated).available_e8 == isolated.account.cross_wallet_e8
    assert _standing(cross).available_e8 < cross.account.cross_wallet_e8 - 38 * E8 - 9 * E8


def test_profit_cannot_be_withdrawn() -> None:
    """Unrealised profit raises what is available for trading, not what may leave."""
    scene = Scene()
    scene.order()
    scene.mark("78000.00000000")
    now = _standing(scene)
    assert now.withdrawable_e8 == now.available_e8 - now.cross_pnl_e8


def test_an_order_on_its_way_counts() -> None:
    """``extra`` is an order that does not rest yet."""
    scene = Scene()
    contract = scene.desk.contracts[BTC]
    assert exposure_e8(scene.account, contract, "BOTH", ("BOTH", 1, 500 * E8)) == 500 * E8


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["BUY", "SELL"]), st.booleans(), st.integers(1, 400), st.sampled_from([2, 5, 20, 75, 150]),
    st.integers(60, 40_000),
)  # fmt: skip
def test_at_the_liquidation_price_balance_meets_maintenance(
    side: str, isolated: bool, lots: int, leverage: int, usdt: int
) -> None:
    """At the price that is told the balance equals the maintenance but for rounding; without one nothing liquidates."""
    scene = Scene(usdt=str(usdt), isolated=isolated, leverage=leverage)
    scene.book((("76914.90", "900.000"),), (("76915.00", "900.000"),))
    try:
        scene.order(side=side, quantity=f"{lots / 1000:.3f}")
    except VenueError:
        return  # the account cannot carry it
    position, contract = scene.account.position(BTC), scene.desk.contracts[BTC]
    price = liquidation_e8(scene.account, scene.desk.contracts, position)
    if not price:
        assert side == "BUY"  # what was paid for in full cannot be liquidated
        return
    contract.take_mark({"p": money(price)})
    backing = position.isolated_e8 if isolated else scene.account.cross_wallet_e8
    balance = backing + position.unrealised_e8(price)
    assert abs(balance - position_maintenance_e8(position, contract)) <= 2 + position.size_e8 // E8


def test_other_cross_positions_move_the_liquidation_price() -> None:
    """A loss elsewhere brings liquidation nearer, a profit moves it away."""
    scene = Scene(usdt="80")
    scene.book((("2519.99", "5.000"),), (("2520.01", "5.000"),), ETH)
    scene.order()
    scene.order(symbol=ETH, quantity="0.100")
    position = scene.account.position(BTC)

    def price(eth: str) -> int:
        scene.mark(eth, symbol=ETH)
        return liquidation_e8(scene.account, scene.desk.contracts, position)

    assert price("2420.00000000") > price("2520.00000000") > price("2620.00000000")


def test_a_hedge_that_is_balanced_is_liquidated_far_away() -> None:
    """Equal long and short: only maintenance grows with the price, so liquidation lies far above."""
    scene = Scene(hedge=True, usdt="200")
    scene.order(positionSide="LONG")
    scene.order(side="SELL", positionSide="SHORT")
    price = liquidation_e8(scene.account, scene.desk.contracts, scene.account.position(BTC, "LONG"))
    assert price > 1_000_000 * E8


@pytest.mark.parametrize("isolated", [True, False])
def test_the_flat_have_no_liquidation_price(isolated: bool) -> None:
    """0 means none."""
    scene = Scene(isolated=isolated)
    assert liquidation_e8(scene.account, scene.desk.contracts, scene.account.position(BTC)) == 0
