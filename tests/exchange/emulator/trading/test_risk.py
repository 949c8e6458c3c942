"""What the venue does by itself: margin calls, liquidation at the mark, deleveraging, settlement."""

from __future__ import annotations

from pathlib import Path

import pytest

from exchange.simulated.fees import fee_e8
from models.instrument import E8
from tests.exchange.emulator.shape import expect_shape, golden
from tests.exchange.emulator.trading.auditor import Auditor
from tests.exchange.emulator.trading.scene import BTC, ETH, Scene


def _isolated() -> Scene:
    """Long 0.010 BTC at 20-fold, isolated: margin 38.46, liquidated near 73,360."""
    scene = Scene(isolated=True)
    scene.order()
    scene.forget()
    return scene


def _fall(scene: Scene, price: str) -> None:
    """The mark alone moves."""
    scene.mark(f"{price}.00000000")


def test_nothing_happens_above_the_liquidation_price() -> None:
    """A position is left alone as long as its balance is above its maintenance."""
    scene = _isolated()
    _fall(scene, "73363")
    assert scene.held() == "0.010"


def test_liquidation_comes_at_the_price_that_rest_tells() -> None:
    """A hundred-thousandth above ``liquidationPrice`` nothing happens, as much below it the position is closed."""
    scene = _isolated()
    told = scene.call("GET /fapi/v3/positionRisk")[0]["liquidationPrice"]
    whole, part = told.split(".")
    above = f"{whole}.{int(part) + 1000:08d}"
    scene.mark(above)
    assert scene.held() == "0.010"
    scene.mark(f"{whole}.{int(part) - 1000:08d}")
    assert scene.held() == "0.000"


def test_a_liquidation_is_told_as_the_venue_tells_it() -> None:
    """The order is named ``autoclose-``, its execution CALCULATED, its type LIQUIDATION, and no TRADE_LITE comes."""
    scene = _isolated()
    _fall(scene, "73000")
    first, last = (one["o"] for one in scene.heard("ORDER_TRADE_UPDATE"))
    assert first["c"].startswith("autoclose-") and (first["o"], first["x"]) == ("LIMIT", "NEW")
    assert (last["o"], last["x"], last["X"], last["L"]) == ("LIQUIDATION", "CALCULATED", "FILLED", "73000.00")
    assert not scene.heard("TRADE_LITE")
    assert [one["a"]["m"] for one in scene.heard("ACCOUNT_UPDATE")] == ["ORDER", "INSURANCE_CLEAR"]


def test_an_isolated_loss_ends_with_its_margin() -> None:
    """However far the mark has jumped, the rest of the wallet is untouched: the fund makes the shortfall good."""
    scene = Scene(isolated=True)
    scene.order()
    cross = scene.account.cross_wallet_e8
    _fall(scene, "60000")
    assert scene.held() == "0.000" and scene.wallet_e8 == cross
    assert float(scene.account.incomes[-1]["income"]) > 0  # type: ignore[arg-type]


def test_the_liquidation_fee_takes_no_more_than_is_left() -> None:
    """Just below the liquidation price something is left: 1.25 % of the value or all of it, whichever is less."""
    scene = Scene(isolated=True)
    scene.order()
    cross = scene.account.cross_wallet_e8
    _fall(scene, "73350")
    clear = scene.account.incomes[-1]
    assert clear["incomeType"] == "INSURANCE_CLEAR" and str(clear["income"]).startswith("-")
    assert scene.wallet_e8 == cross  # less was left than the fee


def test_a_rich_liquidation_pays_the_whole_fee() -> None:
    """A liquidation on demand with margin to spare costs commission and the whole liquidation fee."""
    scene = Scene(isolated=True)
    scene.order()
    before = scene.wallet_e8
    scene.desk.liquidate(scene.account, BTC)
    price = 7_691_690_000_000
    realised = (price - 7_691_504_000_000) // 100
    fees = fee_e8(price // 100, 50_000) + fee_e8(price // 100, 1_250_000)
    assert scene.wallet_e8 == before + realised - fees


def test_open_orders_go_first() -> None:
    """A liquidation expires the contract's orders with reason 5; another contract's isolated orders stay."""
    scene = _isolated()
    scene.book((("2519.99", "5.000"),), (("2520.01", "5.000"),), ETH)
    here = scene.limit("BUY", "74000.00")
    there = scene.limit("BUY", "2500.00", symbol=ETH, quantity="0.100")
    _fall(scene, "73000")
    assert scene.found(here).expiry_reason == "5" and scene.found(there).live


def test_cross_positions_stand_for_each_other() -> None:
    """Cross margin: a loss that one position could not bear alone is borne by the whole wallet, until that is gone."""
    scene = Scene(usdt="60")
    scene.order()
    _fall(scene, "73000")
    assert scene.held() == "0.010"
    _fall(scene, "71000")
    assert scene.held() == "0.000" and scene.wallet_e8 >= 0


def test_cross_liquidation_closes_the_most_demanding_first() -> None:
    """Of two cross positions the one with the larger maintenance goes first; its fee leaves nothing for the other."""
    scene = Scene(usdt="75", leverage=50)
    scene.book((("2519.99", "5.000"),), (("2520.01", "5.000"),), ETH)
    scene.order()
    scene.order(symbol=ETH, quantity="0.050")
    _fall(scene, "69750")
    assert [order.symbol for order in scene.account.forced] == [BTC, ETH]
    assert (scene.held(), scene.held(ETH)) == ("0.000", "0.000")


def test_no_wallet_goes_below_zero() -> None:
    """A cross account that fell through everything is left with nothing, not with a debt."""
    scene = Scene(usdt="60")
    scene.order()
    _fall(scene, "50000")
    assert scene.wallet_e8 == 0
    Auditor().take_all(scene.records)


def test_a_margin_call_warns_once(wire: Path) -> None:
    """Near liquidation a MARGIN_CALL of the golden shape comes, once; after a recovery it may come again."""
    scene = Scene(usdt="60")
    scene.order()
    for price in ("71300", "71290", "76900", "71300"):
        _fall(scene, price)
    calls = scene.heard("MARGIN_CALL")
    assert len(calls) == 2 and scene.held() == "0.010"
    expect_shape(golden(wire, "user-MARGIN_CALL"), calls[0])


def test_an_isolated_call_names_no_cross_wallet() -> None:
    """``cw`` is told for cross positions only."""
    scene = _isolated()
    _fall(scene, "73420")
    (call,) = scene.heard("MARGIN_CALL")
    assert "cw" not in call and call["p"][0]["mt"] == "ISOLATED"


@pytest.mark.parametrize("hedge", [False, True])
def test_part_of_a_position_can_be_liquidated(hedge: bool) -> None:
    """The lever takes as many lots as it is asked for."""
    scene = Scene(hedge=hedge)
    side = "LONG" if hedge else "BOTH"
    scene.order(positionSide=side)
    scene.desk.liquidate(scene.account, BTC, 4)
    assert scene.held(side=side) == "0.006"


def test_deleveraging_closes_under_its_own_name() -> None:
    """ADL fills at the mark as a TRADE named ``adl_autoclose``, in part or whole, and trims closing orders."""
    scene = Scene()
    scene.order()
    target = scene.limit("SELL", "77500.00", reduceOnly="true")
    scene.forget()
    scene.desk.adl(scene.account, BTC, 4)
    trade = next(one["o"] for one in scene.heard("ORDER_TRADE_UPDATE") if one["o"]["x"] == "TRADE")
    assert (trade["c"], trade["L"], trade["l"]) == ("adl_autoclose", "76916.90", "0.004")
    assert scene.found(target).quantity_e8 == 600_000
    rows = scene.call("GET /fapi/v1/forceOrders", autoCloseType="ADL")
    assert [one["clientOrderId"] for one in rows] == ["adl_autoclose"]
    assert scene.call("GET /fapi/v1/forceOrders", autoCloseType="LIQUIDATION") == []


def test_settlement_ends_orders_and_positions() -> None:
    """A delisting expires orders with reason 7 and closes at the mark under ``settlement_autoclose-``."""
    scene = Scene()
    scene.order()
    entry = scene.limit("BUY", "76000.00")
    scene.desk.settle(scene.account, BTC)
    assert scene.found(entry).expiry_reason == "7" and scene.held() == "0.000"
    assert scene.heard("ORDER_TRADE_UPDATE")[-1]["o"]["c"].startswith("settlement_autoclose-")


def test_a_short_is_liquidated_upwards() -> None:
    """Shorts fall when the mark rises, and are bought back on the tick above it."""
    scene = Scene(isolated=True)
    scene.order(side="SELL")
    scene.mark("80700.00000001")
    last = scene.heard("ORDER_TRADE_UPDATE")[-1]["o"]
    assert (last["S"], last["L"]) == ("BUY", "80700.10")
    assert scene.wallet_e8 > 900 * E8
