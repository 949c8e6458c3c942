"""The order endpoints: naming, batches, countdowns, lists and how long they remember."""

from __future__ import annotations

import json
from typing import Any

import pytest

from models.instrument import E8
from tests.exchange.emulator.trading.scene import BTC, ETH, Scene

DAY_MS = 86_400_000


def _limits(scene: Scene, count: int) -> list[Any]:
    return [scene.limit("BUY", "76900.00", "0.001", newClientOrderId=f"n{number}") for number in range(count)]


@pytest.mark.parametrize("by", ["orderId", "origClientOrderId"])
def test_an_order_is_named_by_either_id(by: str) -> None:
    """Asking and cancelling find an order by the venue's id and by the client's."""
    scene = Scene()
    placed = scene.limit("BUY", "76900.00")
    name = {by: placed["orderId" if by == "orderId" else "clientOrderId"]}
    assert scene.call("GET /fapi/v1/order", symbol=BTC, **name)["orderId"] == placed["orderId"]
    assert scene.call("DELETE /fapi/v1/order", symbol=BTC, **name)["status"] == "CANCELED"
    scene.expect_refused(-2011, "DELETE /fapi/v1/order", symbol=BTC, **name)
    scene.expect_refused(-2013, "GET /fapi/v1/openOrder", symbol=BTC, **name)


@pytest.mark.parametrize(
    ("params", "code"),
    [({}, -1102), ({"orderId": "1"}, -2013), ({"origClientOrderId": "nobody"}, -2013), ({"orderId": "x"}, -1102)],
)
def test_a_question_must_name_an_order(params: dict[str, str], code: int) -> None:
    """No id: -1102; an id nobody has: -2013."""
    Scene().expect_refused(code, "GET /fapi/v1/order", symbol=BTC, **params)


def test_an_order_belongs_to_its_contract_and_account() -> None:
    """Under another symbol, or by another account, it cannot be found."""
    scene = Scene()
    placed = scene.limit("BUY", "76900.00")
    scene.expect_refused(-2013, "GET /fapi/v1/order", symbol=ETH, orderId=placed["orderId"])
    other = scene.desk.open_account("other", E8)
    scene.expect_refused(-2013, "GET /fapi/v1/order", account=other, symbol=BTC, orderId=placed["orderId"])


def test_a_client_id_finds_its_newest_order() -> None:
    """An id used again names the later order."""
    scene = Scene()
    scene.order(quantity="0.001", newClientOrderId="twice")
    later = scene.order(quantity="0.002", newClientOrderId="twice")
    assert scene.call("GET /fapi/v1/order", symbol=BTC, origClientOrderId="twice")["orderId"] == later["orderId"]


@pytest.mark.parametrize(("filled", "days"), [(False, 3), (True, 90)])
def test_the_venue_forgets(filled: bool, days: int) -> None:
    """Cancelled without a fill an order is found for 3 days, with fills for 90."""
    scene = Scene()
    placed = scene.order() if filled else scene.limit("BUY", "76900.00")
    if not filled:
        scene.call("DELETE /fapi/v1/order", symbol=BTC, orderId=placed["orderId"])
    scene.ms += days * DAY_MS
    assert scene.call("GET /fapi/v1/order", symbol=BTC, orderId=placed["orderId"])
    scene.ms += 1
    scene.expect_refused(-2013, "GET /fapi/v1/order", symbol=BTC, orderId=placed["orderId"])


def test_a_batch_answers_each_for_itself() -> None:
    """A refused element is an error body in its place, the others are done."""
    scene = Scene()
    good = {"symbol": BTC, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": 0.01, "price": "76900.00"}
    bad = {"symbol": BTC, "side": "SELL", "type": "MARKET", "quantity": "0.010", "reduceOnly": True}
    answers = scene.call("POST /fapi/v1/batchOrders", batchOrders=json.dumps([good, bad, good]))
    assert [one.get("status", one.get("code")) for one in answers] == ["NEW", -2022, "NEW"]
    changes = [
        {"symbol": BTC, "orderId": answers[0]["orderId"], "side": "BUY", "quantity": "0.020", "price": "76900.00"},
        {"symbol": BTC, "orderId": 1, "side": "BUY", "quantity": "0.020", "price": "76900.00"},
    ]
    changed = scene.call("PUT /fapi/v1/batchOrders", batchOrders=json.dumps(changes))
    assert [one.get("origQty", one.get("code")) for one in changed] == ["0.020", -2013]


@pytest.mark.parametrize(("text", "code"), [("[]", -4082), ("[{},{},{},{},{},{}]", -4082), ("{", -1130), ("7", -1130)])
def test_a_batch_has_one_to_five_orders(text: str, code: int) -> None:
    """Other sizes: -4082; what is no array: -1130."""
    Scene().expect_refused(code, "POST /fapi/v1/batchOrders", batchOrders=text)


def test_a_batch_of_cancels_takes_either_list() -> None:
    """Up to ten ids of either kind, each answered for itself."""
    scene = Scene()
    placed = _limits(scene, 3)
    ids = json.dumps([placed[0]["orderId"], 5])
    answers = scene.call("DELETE /fapi/v1/batchOrders", symbol=BTC, orderIdList=ids)
    assert [one.get("status", one.get("code")) for one in answers] == ["CANCELED", -2011]
    scene.call("DELETE /fapi/v1/batchOrders", symbol=BTC, origClientOrderIdList='["n1"]')
    assert [order.client_id for order in scene.account.live.values()] == ["n2"]
    scene.expect_refused(-1130, "DELETE /fapi/v1/batchOrders", symbol=BTC, orderIdList=json.dumps(list(range(11))))
    scene.expect_refused(-1102, "DELETE /fapi/v1/batchOrders", symbol=BTC)


def test_the_lists_of_a_batch_of_cancels_may_be_written_small() -> None:
    """The names in lower case, as two foreign clients send them, mean the same lists."""
    scene = Scene()
    placed = _limits(scene, 2)
    scene.call("DELETE /fapi/v1/batchOrders", symbol=BTC, orderidlist=json.dumps([placed[0]["orderId"]]))
    scene.call("DELETE /fapi/v1/batchOrders", symbol=BTC, origclientorderidlist='["n1"]')
    assert not scene.account.live


def test_cancel_all_is_for_one_contract() -> None:
    """Other contracts' orders stay."""
    scene = Scene()
    scene.book((("2519.99", "5.000"),), (("2520.01", "5.000"),), ETH)
    _limits(scene, 2)
    kept = scene.limit("BUY", "2500.00", "0.100", symbol=ETH)
    scene.call("DELETE /fapi/v1/allOpenOrders", symbol=BTC)
    assert list(scene.account.live) == [kept["orderId"]]
    assert [one["symbol"] for one in scene.call("GET /fapi/v1/openOrders")] == [ETH]


# -- countdown ---------------------------------------------------------------------------------------------------------


def test_a_countdown_cancels_unless_it_is_renewed() -> None:
    """Renewed in time nothing happens; at its end the contract's orders are cancelled, conditional orders are not."""
    scene = Scene()
    _limits(scene, 2)
    scene.order()
    scene.algo()
    scene.call("POST /fapi/v1/countdownCancelAll", symbol=BTC, countdownTime=5_000)
    scene.wait(4_000)
    scene.call("POST /fapi/v1/countdownCancelAll", symbol=BTC, countdownTime=5_000)
    scene.wait(4_999)
    assert len(scene.account.live) == 2
    scene.wait(1)
    assert not scene.account.live and len(scene.account.watched) == 1


def test_a_countdown_of_zero_ends_it() -> None:
    """0 stops the timer."""
    scene = Scene()
    _limits(scene, 1)
    scene.call("POST /fapi/v1/countdownCancelAll", symbol=BTC, countdownTime=5_000)
    assert scene.call("POST /fapi/v1/countdownCancelAll", symbol=BTC, countdownTime=0)["countdownTime"] == "0"
    scene.wait(10_000)
    assert len(scene.account.live) == 1
    scene.expect_refused(-1102, "POST /fapi/v1/countdownCancelAll", symbol=BTC)


# -- lists -------------------------------------------------------------------------------------------------------------


def test_all_orders_can_be_paged() -> None:
    """From an id on, between times, or the newest: always ascending, never more than ``limit``."""
    scene = Scene()
    placed = []
    for _ in range(5):
        placed += _limits(scene, 1)
        scene.call("DELETE /fapi/v1/allOpenOrders", symbol=BTC)
        scene.wait(1_000)
    ids = [one["orderId"] for one in placed]

    def listed(**params: Any) -> list[int]:
        return [one["orderId"] for one in scene.call("GET /fapi/v1/allOrders", symbol=BTC, **params)]

    assert listed() == ids
    assert listed(limit=2) == ids[3:]
    assert listed(orderId=ids[1], limit=2) == ids[1:3]
    start = scene.ms - 3_000
    assert listed(startTime=start) == ids[2:]
    assert listed(startTime=start, endTime=start + 999) == ids[2:3]
    assert [one["orderId"] for one in scene.call("GET /fapi/v1/allOrders")] == ids


@pytest.mark.parametrize(
    ("params", "code"),
    [({"startTime": "0", "endTime": str(7 * DAY_MS + 1)}, -1127), ({"limit": "1001"}, -1130), ({"limit": "0"}, -1130)],
)
def test_lists_have_bounds(params: dict[str, str], code: int) -> None:
    """More than seven days: -1127; a limit out of its range: -1130."""
    Scene().expect_refused(code, "GET /fapi/v1/allOrders", symbol=BTC, **params)


def test_changes_are_remembered() -> None:
    """``orderAmendment`` has price and quantity before and after each change, with its count and modifyId."""
    scene = Scene()
    placed = scene.limit("BUY", "76900.00")
    for price in ("76905.00", "76910.00"):
        scene.call(
            "PUT /fapi/v1/order", symbol=BTC, orderId=placed["orderId"], side="BUY", quantity="0.010", price=price,
            modifyId=7,
        )  # fmt: skip
    rows = scene.call("GET /fapi/v1/orderAmendment", symbol=BTC, orderId=placed["orderId"])
    assert [row["amendment"] for row in rows] == [
        {"price": {"before": "76900.00", "after": "76905.00"}, "origQty": {"before": "0.010", "after": "0.010"},
         "count": 1},
        {"price": {"before": "76905.00", "after": "76910.00"}, "origQty": {"before": "0.010", "after": "0.010"},
         "count": 2},
    ]  # fmt: skip
    assert rows[0]["modifyId"] == 7


def test_a_test_order_places_nothing() -> None:
    """Filters are checked, margin is not, nothing exists afterwards."""
    scene = Scene(usdt="1")
    answer = scene.call("POST /fapi/v1/order/test", symbol=BTC, side="BUY", type="MARKET", quantity="0.010")
    assert answer["orderId"] == 0 and not scene.account.orders and not scene.events
    scene.expect_refused(-4003, "POST /fapi/v1/order/test", symbol=BTC, side="BUY", type="MARKET", quantity="0")
