"""Requests: what an order, a change or a conditional order must and must not say."""

from __future__ import annotations

from typing import Any

import pytest

from tests.exchange.emulator.trading.scene import BTC, Scene

ALGO = {
    "algoType": "CONDITIONAL", "symbol": BTC, "side": "SELL", "type": "STOP_MARKET", "quantity": "0.010",
    "triggerPrice": "76000.00", "workingType": "MARK_PRICE", "reduceOnly": "true",
}  # fmt: skip


@pytest.mark.parametrize(
    ("code", "params"),
    [
        (-1102, {"symbol": None}),
        (-1121, {"symbol": "NOPEUSDT"}),
        (-1102, {"side": None}),
        (-1117, {"side": "HOLD"}),
        (-1102, {"type": None}),
        (-1116, {"type": "ICEBERG"}),
        (-1102, {"quantity": None}),
        (-1106, {"timeInForce": "GTC"}),
        (-1106, {"price": "76900.00"}),
        (-1102, {"type": "LIMIT", "timeInForce": None}),
        (-1115, {"type": "LIMIT", "timeInForce": "DAY"}),
        (-1102, {"type": "LIMIT", "price": None}),
        (-1136, {"newOrderRespType": "FULL"}),
        (-4062, {"reduceOnly": "maybe"}),
        (-4061, {"positionSide": "LONG"}),
        (-5037, {"type": "LIMIT", "price": None, "priceMatch": "BEST"}),
        (-5038, {"priceMatch": "QUEUE"}),
        (-1106, {"type": "LIMIT", "priceMatch": "QUEUE"}),
        (-5039, {"selfTradePreventionMode": "SOMETIMES"}),
        (-1102, {"type": "LIMIT", "timeInForce": "GTD"}),
        (-5040, {"type": "LIMIT", "timeInForce": "GTD", "goodTillDate": "1789478303600"}),
        (-1106, {"type": "LIMIT", "goodTillDate": "1789578303600"}),
    ],
)
def test_a_malformed_order_is_refused(code: int, params: dict[str, Any]) -> None:
    """Each mistake has the venue's code, and leaves no trace."""
    scene = Scene()
    scene.expect_refused_order(code, **params)
    assert not scene.events and not scene.account.orders and len(scene.records) == scene.records_before


@pytest.mark.parametrize("kind", ["STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"])
@pytest.mark.parametrize("call", ["order", "order/test", "batchOrders"])
def test_conditional_types_moved_to_the_algo_service(kind: str, call: str) -> None:
    """On the order endpoints every conditional type is -4120."""
    scene = Scene()
    if call == "batchOrders":
        order = f'[{{"symbol":"BTCUSDT","side":"SELL","type":"{kind}","quantity":"0.010","stopPrice":"76000"}}]'
        assert scene.call("POST /fapi/v1/batchOrders", batchOrders=order)[0]["code"] == -4120
    else:
        scene.expect_refused(
            -4120, f"POST /fapi/v1/{call}", symbol=BTC, side="SELL", type=kind, quantity="0.010", stopPrice="76000"
        )


@pytest.mark.parametrize(("params", "code"), [({}, -4061), ({"positionSide": "LONG", "reduceOnly": "false"}, -1106)])
def test_hedge_mode_wants_a_side_and_no_reduce_only(params: dict[str, str], code: int) -> None:
    """In hedge mode positionSide is needed (-4061) and reduceOnly is not required (-1106)."""
    Scene(hedge=True).expect_refused_order(code, **params)


@pytest.mark.parametrize("call", ["order", "algo", "change"])
def test_a_contract_that_does_not_trade_takes_nothing(call: str) -> None:
    """Halted: new orders -1122, changes -5024; cancels still work."""
    scene = Scene()
    placed = scene.limit("BUY", "76900.00")
    scene.desk.change_status(BTC, "SETTLING")
    if call == "order":
        scene.expect_refused_order(-1122)
    elif call == "algo":
        scene.expect_refused(-1122, "POST /fapi/v1/algoOrder", **ALGO)
    else:
        scene.expect_refused(
            -5024, "PUT /fapi/v1/order", symbol=BTC, orderId=placed["orderId"], side="BUY", quantity="0.011",
            price="76900.00",
        )  # fmt: skip
    scene.call("DELETE /fapi/v1/order", symbol=BTC, orderId=placed["orderId"])


@pytest.mark.parametrize(
    ("code", "params"),
    [
        (-1102, {"algoType": None}),
        (-1130, {"algoType": "VP"}),
        (-1116, {"type": "MARKET"}),
        (-1102, {"triggerPrice": None}),
        (-4006, {"triggerPrice": "0"}),
        (-4014, {"triggerPrice": "76000.05"}),
        (-1106, {"price": "76000.00"}),
        (-1102, {"type": "STOP"}),
        (-1130, {"workingType": "INDEX"}),
        (-1115, {"timeInForce": "DAY"}),
        (-4137, {"closePosition": "true", "reduceOnly": None}),
        (-1106, {"closePosition": "true", "quantity": None}),
        (-4136, {"closePosition": "true", "quantity": None, "reduceOnly": None, "type": "STOP"}),
        (-1106, {"type": "TRAILING_STOP_MARKET", "callbackRate": "1"}),
        (-1102, {"type": "TRAILING_STOP_MARKET", "triggerPrice": None}),
        (-1130, {"type": "TRAILING_STOP_MARKET", "triggerPrice": None, "callbackRate": "0.05"}),
        (-1130, {"type": "TRAILING_STOP_MARKET", "triggerPrice": None, "callbackRate": "20.1"}),
        (-1130, {"type": "TRAILING_STOP_MARKET", "triggerPrice": None, "callbackRate": "1.05"}),
        (-1106, {"callbackRate": "1"}),
        (-4164, {"reduceOnly": None, "quantity": "0.000"}),
        (-4015, {"clientAlgoId": "x" * 37}),
    ],
)
def test_a_malformed_conditional_order_is_refused(code: int, params: dict[str, Any]) -> None:
    """Each mistake has the venue's code, and leaves no trace."""
    scene = Scene()
    asked = {name: value for name, value in (ALGO | params).items() if value is not None}
    if code == -4164:
        scene.desk.change_filters(BTC, notional_min_e8=100 * 10**8)
        asked["quantity"] = "0.001"
    scene.expect_refused(code, "POST /fapi/v1/algoOrder", **asked)
    assert not scene.events and not scene.account.algos


@pytest.mark.parametrize(("side", "position_side"), [("BUY", "LONG"), ("SELL", "SHORT")])
def test_close_position_goes_against_its_side(side: str, position_side: str) -> None:
    """In hedge mode closePosition cannot open: no BUY on LONG, no SELL on SHORT."""
    scene = Scene(hedge=True)
    scene.expect_refused(
        -2022, "POST /fapi/v1/algoOrder", algoType="CONDITIONAL", symbol=BTC, side=side, type="STOP_MARKET",
        triggerPrice="76000.00", closePosition="true", positionSide=position_side,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("code", "params"),
    [
        (-5027, {}),
        (-1130, {"side": "SELL"}),
        (-1102, {"price": None}),
        (-1102, {"quantity": None}),
        (-5029, {"quantity": "0.001"}),
        (-4016, {"price": "80800.00"}),
        (-5047, {"reduceOnly": "true"}),
        (-2013, {"orderId": "1"}),
        (-1102, {"orderId": None}),
    ],
)
def test_a_malformed_change_is_refused(code: int, params: dict[str, Any]) -> None:
    """Each mistake has the venue's code, and the order stays as it is."""
    scene = Scene()
    scene.desk.change_filters(BTC, notional_min_e8=100 * 10**8)
    placed = scene.limit("BUY", "76900.00")
    usual = {
        "symbol": BTC, "orderId": placed["orderId"], "side": "BUY", "quantity": "0.010", "price": "76900.00",
    }  # fmt: skip
    asked = {name: value for name, value in (usual | params).items() if value is not None}
    scene.expect_refused(code, "PUT /fapi/v1/order", **asked)
    assert scene.found(placed).amendments == 0
