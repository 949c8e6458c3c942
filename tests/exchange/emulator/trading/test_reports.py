"""Balances and positions over REST: golden shapes, and sums that agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models.instrument import to_e8
from tests.exchange.emulator.shape import expect_shape, golden
from tests.exchange.emulator.trading.scene import BTC, ETH, Scene


def _long(**options: Any) -> Scene:
    scene = Scene(**options)
    scene.order(**({"positionSide": "LONG"} if options.get("hedge") else {}))
    return scene


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("rest-account-v3", "GET /fapi/v3/account"),
        ("rest-balance-v3", "GET /fapi/v3/balance"),
        ("rest-positionRisk-v3-oneway", "GET /fapi/v3/positionRisk"),
    ],
)
def test_a_report_has_the_shape_of_the_venue(name: str, call: str, wire: Path) -> None:
    """Each report has the fields and JSON types of its golden payload, flat and with a position."""
    expect_shape(golden(wire, name), _long().call(call))


def test_a_flat_account_tells_no_position(wire: Path) -> None:
    """Without positions and orders positionRisk v3 is an empty array, and account v3 lists no position."""
    scene = Scene()
    assert scene.call("GET /fapi/v3/positionRisk") == golden(wire, "rest-positionRisk-v3-flat")
    assert scene.call("GET /fapi/v3/account")["positions"] == []


def test_hedge_rows_have_the_shape_of_the_venue(wire: Path) -> None:
    """In hedge mode each side with a position has a row."""
    scene = _long(hedge=True)
    scene.book((("2519.99", "5.000"),), (("2520.01", "5.000"),), ETH)
    scene.order(symbol=ETH, side="SELL", positionSide="SHORT", quantity="1.000")
    rows = scene.call("GET /fapi/v3/positionRisk")
    expect_shape(golden(wire, "rest-positionRisk-v3-hedge"), rows)
    assert [(row["symbol"], row["positionSide"]) for row in rows] == [(BTC, "LONG"), (ETH, "SHORT")]


def test_the_golden_account_comes_out(wire: Path) -> None:
    """The golden position at the golden mark gives the golden numbers to two units in the last place."""
    answer, wanted = _long().call("GET /fapi/v3/account"), golden(wire, "rest-account-v3")
    for name in ("totalInitialMargin", "totalMaintMargin", "totalMarginBalance", "totalWalletBalance",
                 "availableBalance", "maxWithdrawAmount", "totalUnrealizedProfit"):  # fmt: skip
        assert abs(to_e8(answer[name]) - to_e8(wanted[name])) <= 2, name


def test_an_open_order_shows_its_contract() -> None:
    """A resting order alone gives a row without an amount, with its value and its margin."""
    scene = Scene()
    scene.limit("SELL", "77000.00")
    (row,) = scene.call("GET /fapi/v3/positionRisk")
    assert (row["positionAmt"], row["askNotional"], row["bidNotional"]) == ("0.000", "770.00000000", "0")
    assert (row["openOrderInitialMargin"], row["positionInitialMargin"]) == ("38.50000000", "0")


def test_hedge_order_margin_is_told_on_its_side() -> None:
    """In hedge mode the margin of an opening order is on the side that it opens."""
    scene = _long(hedge=True)
    scene.limit("SELL", "77000.00", positionSide="SHORT")
    rows = {row["positionSide"]: row["openOrderInitialMargin"] for row in scene.call("GET /fapi/v3/positionRisk")}
    assert rows == {"LONG": "0", "SHORT": "38.50000000"}


def test_isolated_positions_tell_their_wallet() -> None:
    """isolatedWallet is what was put in, isolatedMargin that with the profit."""
    (row,) = _long(isolated=True).call("GET /fapi/v3/positionRisk")
    wallet, margin, profit = (to_e8(row[name]) for name in ("isolatedWallet", "isolatedMargin", "unRealizedProfit"))
    assert wallet == 3_845_752_000 and margin == wallet + profit


def test_the_reference_liquidation_price_comes_out() -> None:
    """Long 1 BTC at 76,915.04 with an isolated wallet of 3,845.752: 73,362.74 (venue reference §9.2)."""
    scene = Scene(usdt="5000", isolated=True)
    scene.book((), (("76915.00", "0.600"), ("76915.10", "0.400")))
    scene.order(quantity="1.000")
    (row,) = scene.call("GET /fapi/v3/positionRisk", symbol=BTC)
    assert row["isolatedWallet"] == "3845.75200000"
    assert row["liquidationPrice"].startswith("73362.738")


@pytest.mark.parametrize("call", ["account", "positionRisk", "balance"])
def test_the_old_forms_are_there(call: str) -> None:
    """v2 tells every contract, with leverage and margin type."""
    answer = _long(isolated=True).call(f"GET /fapi/v2/{call}")
    if call == "balance":
        assert answer[0]["asset"] == "USDT"
        return
    rows = answer["positions"] if call == "account" else answer
    assert [row["symbol"] for row in rows] == [BTC, ETH] and rows[0]["leverage"] == "20"
    assert (rows[0]["isolated"] if call == "account" else rows[0]["marginType"]) in (True, "isolated")


def test_v2_can_be_asked_for_one_contract() -> None:
    """``symbol`` narrows positionRisk v2."""
    assert [row["symbol"] for row in Scene().call("GET /fapi/v2/positionRisk", symbol=ETH)] == [ETH]


def test_what_is_available_is_never_told_below_zero() -> None:
    """A loss beyond the margin shows as 0."""
    scene = _long(usdt="60")
    scene.mark("72000.00000000")
    answer = scene.call("GET /fapi/v3/account")
    assert answer["availableBalance"] == "0.00000000" and answer["maxWithdrawAmount"] == "0.00000000"
