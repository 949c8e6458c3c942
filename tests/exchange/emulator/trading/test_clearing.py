"""Money: every change of a wallet has its income row, event and record, exact to one unit."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from exchange.emulator.errors import VenueError
from models.instrument import E8
from tests.exchange.emulator.shape import expect_shape, golden
from tests.exchange.emulator.trading.scene import BTC, NEXT_FUNDING_MS, Scene


def _incomes(scene: Scene) -> list[tuple[object, object]]:
    return [(row["incomeType"], row["income"]) for row in scene.account.incomes]


def test_a_round_trip_adds_up() -> None:
    """Wallet change = realised − fees, to a unit: the golden entry and exit."""
    scene = Scene()
    scene.order()
    scene.book((("77015.00", "1.000"),), ())
    scene.order(side="SELL", reduceOnly="true")
    assert _incomes(scene) == [
        ("COMMISSION", "-0.23074500"),
        ("COMMISSION", "-0.15383020"),
        ("REALIZED_PNL", "0.99960000"),
        ("COMMISSION", "-0.38507500"),
    ]
    assert scene.wallet_e8 == 1000 * E8 - 23_074_500 - 15_383_020 + 99_960_000 - 38_507_500


def test_a_maker_pays_the_maker_rate() -> None:
    """A resting order that is served pays 0.02 %, or the account's own rate."""
    scene = Scene(maker_e8=10_000)
    scene.limit("BUY", "76914.90")
    scene.trade("76914.00", "1.000", sell=True)
    assert _incomes(scene) == [("COMMISSION", "-0.07691490")]


def test_commission_in_bnb_is_cheaper_and_leaves_the_wallet() -> None:
    """With BNB and feeBurn the commission is nine tenths of its worth in BNB; balances of both assets are told."""
    scene = Scene(bnb_e8=E8)
    scene.order(quantity="0.006")
    row = scene.call("GET /fapi/v1/userTrades", symbol=BTC)[0]
    assert (row["commission"], row["commissionAsset"]) == ("0.00034612", "BNB")  # 0.230745 × 0.9 / 600, rounded up
    assert scene.account.wallets == {"USDT": 1000 * E8, "BNB": E8 - 34_612}
    assert {one["a"] for one in scene.heard("ACCOUNT_UPDATE")[0]["a"]["B"]} == {"USDT", "BNB"}


@pytest.mark.parametrize("why", ["off", "short"])
def test_without_bnb_commission_is_usdt(why: str) -> None:
    """With feeBurn off, or too little BNB, the quote asset pays."""
    scene = Scene(bnb_e8=E8 if why == "off" else 5, fee_burn=why != "off")
    scene.order(quantity="0.006")
    assert scene.account.trades[0].fee_asset == "USDT"


def test_a_fill_tells_the_account(wire: Path) -> None:
    """One ACCOUNT_UPDATE for all fills of an order, of the golden shape and with its numbers."""
    scene = Scene()
    scene.order()
    (told,) = scene.heard("ACCOUNT_UPDATE")
    wanted = golden(wire, "user-ACCOUNT_UPDATE-order")
    expect_shape(wanted, told)
    assert told["a"]["B"] == wanted["a"]["B"]
    own = ("pa", "ep", "bep", "cr", "mt", "iw", "ps", "ma")
    assert {name: told["a"]["P"][0][name] for name in own} == {name: wanted["a"]["P"][0][name] for name in own}


def test_hedge_positions_are_told_by_side(wire: Path) -> None:
    """In hedge mode the event has a row for the side that changed, of the golden shape."""
    scene = Scene(hedge=True, isolated=True)
    scene.order(positionSide="LONG")
    told = scene.heard("ACCOUNT_UPDATE")[-1]
    expect_shape(golden(wire, "user-ACCOUNT_UPDATE-hedge"), told)
    assert [(one["ps"], one["mt"]) for one in told["a"]["P"]] == [("LONG", "isolated")]


# -- isolated margin ---------------------------------------------------------------------------------------------------


def test_an_isolated_position_has_its_own_wallet() -> None:
    """Opening moves value / leverage out of the cross wallet, commission comes from there; closing gives it back."""
    scene = Scene(isolated=True)
    scene.order()
    position = scene.account.position(BTC)
    assert position.isolated_e8 == 3_845_752_000
    assert scene.account.cross_wallet_e8 == scene.wallet_e8 - 3_845_752_000
    scene.order(side="SELL", quantity="0.004")
    assert position.isolated_e8 == 3_845_752_000 - 3_845_752_000 * 4 // 10
    scene.order(side="SELL", quantity="0.006")
    assert position.isolated_e8 == 0 and scene.account.cross_wallet_e8 == scene.wallet_e8


# -- funding -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("options", "name"), [({}, "funding-cross"), ({"isolated": True}, "funding-isolated")])
def test_funding_is_told_as_the_venue_tells_it(options: dict[str, Any], name: str, wire: Path) -> None:
    """A cross position: balance and symbol; an isolated one: the position as well."""
    scene = Scene(**options)
    scene.order()
    scene.forget()
    scene.desk.fund(BTC)
    (told,) = scene.heard("ACCOUNT_UPDATE")
    expect_shape(golden(wire, f"user-ACCOUNT_UPDATE-{name}"), told)
    assert told["a"]["S"] == BTC and told["a"]["B"][0]["bc"] == "-0.07691696"  # rounded against the account


@pytest.mark.parametrize(("side", "sign"), [("BUY", -1), ("SELL", 1)])
def test_longs_pay_and_shorts_receive(side: str, sign: int) -> None:
    """At a positive rate funding goes from longs to shorts; a negative one turns it round."""
    scene = Scene()
    scene.order(side=side)
    before = scene.wallet_e8
    scene.desk.fund(BTC, 30_000)
    assert (scene.wallet_e8 - before) * sign > 0
    scene.desk.fund(BTC, -30_000)
    assert abs(scene.wallet_e8 - before) <= 1


def test_isolated_funding_comes_from_the_position() -> None:
    """The isolated wallet pays, the cross wallet stays."""
    scene = Scene(isolated=True)
    scene.order()
    cross, margin = scene.account.cross_wallet_e8, scene.account.position(BTC).isolated_e8
    scene.desk.fund(BTC)
    assert scene.account.cross_wallet_e8 == cross
    assert scene.account.position(BTC).isolated_e8 == margin - 7_691_696


@pytest.mark.parametrize("silent", [True, False])
def test_funding_comes_once_at_its_time(silent: bool) -> None:
    """At nextFundingTime the last mark and rate settle it: the next mark does it or, when none comes, the timer."""
    scene = Scene()
    scene.order()
    scene.mark("76916.95122464", "0.00008972")
    scene.ms = NEXT_FUNDING_MS - 1
    scene.desk.timer()
    assert scene.account.incomes[-1]["incomeType"] != "FUNDING_FEE"
    scene.ms = NEXT_FUNDING_MS
    if not silent:
        scene.mark("77000.00000000", "0.00010000", next_ms=NEXT_FUNDING_MS + 8 * 3_600_000)
    for _ in range(3):
        scene.wait(500)
    rows = [row for row in scene.account.incomes if row["incomeType"] == "FUNDING_FEE"]
    assert [row["income"] for row in rows] == ["-0.06900989"]
    assert scene.heard("ACCOUNT_UPDATE")[-1]["T"] == NEXT_FUNDING_MS


def test_only_who_holds_pays() -> None:
    """Without a position funding changes nothing and says nothing."""
    scene = Scene()
    scene.desk.fund(BTC)
    assert not scene.events and not scene.account.incomes


# -- transfers ---------------------------------------------------------------------------------------------------------


def test_a_transfer_is_told(wire: Path) -> None:
    """Money in: balance with its change, no position, a TRANSFER row; money out likewise."""
    scene = Scene()
    scene.desk.deposit(scene.account, 500 * E8)
    scene.desk.deposit(scene.account, -200 * E8)
    came, went = scene.heard("ACCOUNT_UPDATE")
    expect_shape(golden(wire, "user-ACCOUNT_UPDATE-transfer"), came)
    assert (came["a"]["m"], came["a"]["B"][0]["bc"]) == ("DEPOSIT", "500.00000000")
    assert (went["a"]["m"], went["a"]["B"][0]["bc"]) == ("WITHDRAW", "-200.00000000")
    assert _incomes(scene) == [("TRANSFER", "500.00000000"), ("TRANSFER", "-200.00000000")]


def test_no_more_can_go_than_is_there() -> None:
    """A withdrawal beyond the free wallet is refused with -2018 and changes nothing."""
    scene = Scene()
    with pytest.raises(VenueError) as caught:
        scene.desk.deposit(scene.account, -1001 * E8)
    assert caught.value.code == -2018 and scene.wallet_e8 == 1000 * E8


def test_a_deposit_wakes_an_account() -> None:
    """An account opened with nothing is inactive until money comes."""
    scene = Scene(usdt="0")
    scene.expect_refused_order(-4109)
    scene.desk.deposit(scene.account, 100 * E8)
    assert scene.order()["status"] == "NEW"


def test_income_rows_have_the_shape_of_the_venue(wire: Path) -> None:
    """COMMISSION, FUNDING_FEE and TRANSFER rows have the golden fields, and all rows add up to the wallet."""
    scene = Scene()
    scene.order()
    scene.desk.fund(BTC)
    scene.desk.deposit(scene.account, 500 * E8)
    rows = scene.call("GET /fapi/v1/income")
    expect_shape(golden(wire, "rest-income"), rows)
    assert 1000 + sum(Fraction(row["income"]) for row in rows) == Fraction(scene.wallet_e8, E8)
