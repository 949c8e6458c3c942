"""Orders on the wire: answers and events have the golden payloads' fields, types and number formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models.instrument import E8
from tests.exchange.emulator.shape import expect_shape, golden
from tests.exchange.emulator.trading.scene import ASKS, BIDS, BTC, ETH, Scene

LIMIT = {"side": "BUY", "price": "76900.00"}


def _market(scene: Scene) -> Any:
    return scene.order(newClientOrderId="tb-20260915-000001")


def _market_expired(scene: Scene) -> Any:
    scene.book(BIDS, ASKS[:1])
    return scene.order(newOrderRespType="RESULT")


def _ioc_expired(scene: Scene) -> Any:
    return scene.limit(**LIMIT, timeInForce="IOC", newOrderRespType="RESULT")


def _cancelled(scene: Scene) -> Any:
    placed = scene.limit(**LIMIT, timeInForce="GTX")
    return scene.call("DELETE /fapi/v1/order", symbol=BTC, orderId=placed["orderId"])


def _changed(scene: Scene) -> Any:
    placed = scene.limit(**LIMIT, timeInForce="GTX")
    return scene.call(
        "PUT /fapi/v1/order", symbol=BTC, orderId=placed["orderId"], side="BUY", quantity="0.010", price="76905.00",
        modifyId=77,
    )  # fmt: skip


def _asked(call: str, make: Any) -> Any:
    def ask(scene: Scene) -> Any:
        return scene.call(call, symbol=BTC, orderId=make(scene)["orderId"])

    return ask


def _open(scene: Scene) -> Any:
    scene.limit(**LIMIT, timeInForce="GTX")
    return scene.call("GET /fapi/v1/openOrders", symbol=BTC)


def _all(scene: Scene) -> Any:
    _market(scene)
    return scene.call("GET /fapi/v1/allOrders", symbol=BTC)


def _trades(scene: Scene) -> Any:
    _market(scene)
    return scene.call("GET /fapi/v1/userTrades", symbol=BTC)


def _batch(scene: Scene) -> Any:
    orders = (
        '[{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTC","quantity":"0.010","price":"76900.00"},'
        '{"symbol":"BTCUSDT","side":"SELL","type":"MARKET","quantity":"0.010","reduceOnly":"true"}]'
    )
    return scene.call("POST /fapi/v1/batchOrders", batchOrders=orders)


def _batch_cancel(scene: Scene) -> Any:
    placed = scene.limit(**LIMIT)
    return scene.call("DELETE /fapi/v1/batchOrders", symbol=BTC, orderIdList=f"[{placed['orderId']},77]")


def _forced(scene: Scene) -> Any:
    _market(scene)
    scene.desk.liquidate(scene.account, BTC)
    return scene.call("GET /fapi/v1/forceOrders", symbol=BTC)


ANSWERS = {
    "rest-order-POST-market-ACK": _market,
    "rest-order-POST-limit-ACK": lambda scene: scene.limit(**LIMIT, timeInForce="GTX"),
    "rest-order-POST-market-RESULT": lambda scene: scene.order(newOrderRespType="RESULT"),
    "rest-order-POST-market-RESULT-expired": _market_expired,
    "rest-order-POST-limit-IOC-RESULT-expired": _ioc_expired,
    "rest-order-test-POST": lambda scene: scene.call(
        "POST /fapi/v1/order/test", symbol=BTC, side="BUY", type="MARKET", quantity="0.010"
    ),
    "rest-order-DELETE": _cancelled,
    "rest-order-PUT": _changed,
    "rest-order-GET-filled": _asked("GET /fapi/v1/order", _market),
    "rest-order-GET-new": _asked("GET /fapi/v1/openOrder", lambda scene: scene.limit(**LIMIT)),
    "rest-openOrders-GET": _open,
    "rest-allOrders-GET": _all,
    "rest-userTrades": _trades,
    "rest-batchOrders-POST": _batch,
    "rest-batchOrders-DELETE": _batch_cancel,
    "rest-allOpenOrders-DELETE": lambda scene: scene.call("DELETE /fapi/v1/allOpenOrders", symbol=BTC),
    "rest-countdownCancelAll-POST": lambda scene: scene.call(
        "POST /fapi/v1/countdownCancelAll", symbol=BTC, countdownTime=120_000
    ),
    "rest-forceOrders": _forced,
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_has_the_shape_of_the_venue(name: str, wire: Path) -> None:
    """Every order answer has exactly the fields and JSON types of its golden payload."""
    expect_shape(golden(wire, name), ANSWERS[name](Scene()))


def _stp(scene: Scene) -> None:
    scene.limit("SELL", "76915.00", "0.010")
    scene.book(BIDS, ())
    scene.order(selfTradePreventionMode="EXPIRE_TAKER")


def _closed(scene: Scene) -> None:
    _market(scene)
    scene.order(side="SELL", reduceOnly="true")


def _liquidated(scene: Scene) -> None:
    _market(scene)
    scene.desk.liquidate(scene.account, BTC)


EVENTS: dict[str, tuple[Any, tuple[str, str]]] = {
    "limit-new": (lambda scene: scene.limit(**LIMIT, timeInForce="GTX"), ("NEW", "NEW")),
    "limit-canceled": (_cancelled, ("CANCELED", "CANCELED")),
    "limit-amendment": (_changed, ("AMENDMENT", "NEW")),
    "market-new": (_market, ("NEW", "NEW")),
    "market-partial": (_market, ("TRADE", "PARTIALLY_FILLED")),
    "market-filled": (_market, ("TRADE", "FILLED")),
    "market-expired": (_market_expired, ("EXPIRED", "EXPIRED")),
    "stp-expired": (_stp, ("EXPIRED", "EXPIRED_IN_MATCH")),
    "reduceonly-close-filled": (_closed, ("TRADE", "FILLED")),
    "liquidation-new": (_liquidated, ("NEW", "NEW")),
    "liquidation-filled": (_liquidated, ("CALCULATED", "FILLED")),
}


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_has_the_shape_of_the_venue(name: str, wire: Path) -> None:
    """Every ORDER_TRADE_UPDATE has exactly the fields and JSON types of its golden payload."""
    act, word = EVENTS[name]
    scene = Scene()
    act(scene)
    found = [one for one in scene.heard("ORDER_TRADE_UPDATE") if (one["o"]["x"], one["o"]["X"]) == word]
    expect_shape(golden(wire, f"user-ORDER_TRADE_UPDATE-{name}"), found[-1])


def test_the_golden_fill_comes_out_number_for_number(wire: Path) -> None:
    """The golden market order, sent against the golden book, gives the golden texts of prices, sums and commission."""
    scene = Scene()
    _market(scene)
    filled = scene.heard("ORDER_TRADE_UPDATE")[-1]["o"]
    wanted = golden(wire, "user-ORDER_TRADE_UPDATE-market-filled")["o"]
    own = {"i", "t", "T"}
    assert {name: filled[name] for name in wanted.keys() - own} == {name: wanted[name] for name in wanted.keys() - own}


def test_a_trade_lite_has_the_shape_of_the_venue(wire: Path) -> None:
    """TRADE_LITE has the golden fields and comes for every execution with the trade id of the long event."""
    scene = Scene()
    _market(scene)
    lites = scene.heard("TRADE_LITE")
    expect_shape(golden(wire, "user-TRADE_LITE"), lites[0])
    told = [one["o"]["t"] for one in scene.heard("ORDER_TRADE_UPDATE") if one["o"]["x"] == "TRADE"]
    assert [one["t"] for one in lites] == told


@pytest.mark.parametrize(("side", "own", "other"), [("BUY", "b", "a"), ("SELL", "a", "b")])
def test_a_resting_order_tells_its_open_value(side: str, own: str, other: str) -> None:
    """The NEW event of a limit order carries its value under the letter of its side, and none under the other."""
    scene = Scene()
    scene.limit(side, "76900.00" if side == "BUY" else "77000.00")
    body = scene.heard("ORDER_TRADE_UPDATE")[0]["o"]
    assert (body[own], body[other]) == ("769.00000" if side == "BUY" else "770.00000", "0")


def test_an_acknowledgement_knows_no_fill() -> None:
    """ACK answers NEW and nothing executed although the order has filled; RESULT answers its final state."""
    scene = Scene()
    quick, full = scene.order(), scene.order(newOrderRespType="RESULT")
    assert (quick["status"], quick["executedQty"]) == ("NEW", "0.000")
    assert (full["status"], full["executedQty"]) == ("FILLED", "0.010")
    assert "avgPrice" not in full and "cumQuote" not in full


def test_a_trailing_order_tells_its_activation() -> None:
    """The order a trailing stop became carries activation price and callback rate, others do not."""
    scene = Scene()
    scene.order()
    scene.move("76915.0")
    scene.algo(type="TRAILING_STOP_MARKET", callbackRate="0.5", workingType="CONTRACT_PRICE")
    scene.forget()
    scene.move("76500.0")
    body = scene.heard("ORDER_TRADE_UPDATE")[0]["o"]
    assert (body["AP"], body["cr"]) == ("76915.00", "0.5")


def test_numbers_follow_the_contract() -> None:
    """ETHUSDT prices have its two places, and money of another contract is exact, too."""
    scene = Scene()
    scene.book((("2519.99", "5.000"),), (("2520.01", "5.000"),), ETH)
    scene.order(symbol=ETH, quantity="0.050")
    row = scene.call("GET /fapi/v1/userTrades", symbol=ETH)[0]
    assert (row["price"], row["qty"], row["quoteQty"], row["commission"]) == (
        "2520.01", "0.050", "126.00050", "0.06300025",
    )  # fmt: skip
    assert scene.wallet_e8 == 1000 * E8 - 6_300_025
