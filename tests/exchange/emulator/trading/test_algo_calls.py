"""The endpoints of the algo service: naming, lists, cancels."""

from __future__ import annotations

import pytest

from models.instrument import E8
from tests.exchange.emulator.trading.scene import BTC, ETH, Scene


@pytest.mark.parametrize("by", ["algoId", "clientAlgoId"])
def test_a_conditional_order_is_named_by_either_id(by: str) -> None:
    """Asking and cancelling take no symbol; the cancel's code is a text."""
    scene = Scene()
    placed = scene.algo()
    name = {by: placed[by]}
    assert scene.call("GET /fapi/v1/algoOrder", **name)["algoStatus"] == "NEW"
    assert scene.call("DELETE /fapi/v1/algoOrder", **name)["code"] == "200"
    scene.expect_refused(-2011, "DELETE /fapi/v1/algoOrder", **name)
    assert scene.call("GET /fapi/v1/algoOrder", **name)["algoStatus"] == "CANCELED"


@pytest.mark.parametrize(
    ("call", "params", "code"),
    [
        ("GET", {}, -1102),
        ("DELETE", {}, -1102),
        ("GET", {"algoId": "7"}, -2013),
        ("DELETE", {"algoId": "7"}, -2011),
        ("GET", {"clientAlgoId": "nobody"}, -2013),
    ],
)
def test_a_name_must_be_known(call: str, params: dict[str, str], code: int) -> None:
    """No id: -1102; an unknown one: -2013 to questions, -2011 to cancels."""
    Scene().expect_refused(code, f"{call} /fapi/v1/algoOrder", **params)


def test_another_account_sees_nothing() -> None:
    """Conditional orders are found by their own account only."""
    scene = Scene()
    placed = scene.algo()
    other = scene.desk.open_account("other", E8)
    scene.expect_refused(-2013, "GET /fapi/v1/algoOrder", account=other, algoId=placed["algoId"])
    assert scene.call("GET /fapi/v1/openAlgoOrders", other) == []


def test_the_open_list_has_what_waits() -> None:
    """By contract, by id, or all; triggered and cancelled ones are not in it, but in the list of all."""
    scene = Scene()
    scene.order()
    done, first, second = scene.algo(), scene.algo(), scene.algo(symbol=ETH, triggerPrice="2400.00")
    scene.call("DELETE /fapi/v1/algoOrder", algoId=done["algoId"])

    def listed(**params: object) -> list[int]:
        return [one["algoId"] for one in scene.call("GET /fapi/v1/openAlgoOrders", **params)]

    assert listed() == [first["algoId"], second["algoId"]]
    assert listed(symbol=ETH) == [second["algoId"]]
    assert listed(symbol=BTC, algoId=first["algoId"]) == [first["algoId"]]
    assert listed(algoType="VP") == []
    scene.move("75990.0")
    assert listed() == [second["algoId"]]
    rows = scene.call("GET /fapi/v1/allAlgoOrders", symbol=BTC)
    assert [one["algoStatus"] for one in rows] == ["CANCELED", "FINISHED"]
    assert len(scene.call("GET /fapi/v1/allAlgoOrders", symbol=BTC, algoId=first["algoId"])) == 1


def test_cancel_all_is_for_one_contract() -> None:
    """Other contracts' conditional orders stay."""
    scene = Scene()
    scene.algo()
    kept = scene.algo(symbol=ETH, triggerPrice="2400.00")
    scene.call("DELETE /fapi/v1/algoOpenOrders", symbol=BTC)
    assert list(scene.account.watched) == [kept["algoId"]]


def test_a_finished_one_tells_what_it_became() -> None:
    """Order id, price, type and quantity of the order it became."""
    scene = Scene()
    scene.order()
    placed = scene.algo()
    scene.move("75990.0")
    told = scene.call("GET /fapi/v1/algoOrder", algoId=placed["algoId"])
    order = scene.call("GET /fapi/v1/order", symbol=BTC, orderId=told["actualOrderId"])
    assert (order["avgPrice"], order["executedQty"]) == (told["actualPrice"], told["actualQty"])
    assert told["actualType"] == "MARKET"
