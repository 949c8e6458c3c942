"""The algo service: its own ids and states, triggers, and what becomes of a conditional order."""

from __future__ import annotations

from typing import Any

import pytest

from tests.exchange.emulator.trading.scene import BTC, ETH, Scene


def _states(scene: Scene) -> list[str]:
    return [one["o"]["X"] for one in scene.heard("ALGO_UPDATE")]


def _long(**options: Any) -> Scene:
    """Long 0.010 BTC, nothing heard yet."""
    scene = Scene(**options)
    scene.order(**({"positionSide": "LONG"} if options.get("hedge") else {}))
    scene.forget()
    return scene


def _same_words(scene: Scene, name: str) -> list[str]:
    return [one["o"]["c"] for one in scene.heard("ORDER_TRADE_UPDATE") if one["o"]["c"] == name]


def test_a_stop_becomes_an_order_with_an_id_of_its_own() -> None:
    """NEW, TRIGGERING, TRIGGERED with the new order id in ``ai``, FINISHED with price and quantity; the order keeps
    the client id.
    """
    scene = _long()
    placed = scene.algo(clientAlgoId="stop-1")
    scene.move("75990.0")
    assert _states(scene) == ["NEW", "TRIGGERING", "TRIGGERED", "FINISHED"]
    last = scene.heard("ALGO_UPDATE")[-1]["o"]
    order = scene.account.orders[int(last["ai"])]
    assert order.client_id == "stop-1" and order.id != placed["algoId"]
    assert (last["ap"], last["aq"], last["act"]) == ("75989.90000", "0.01000", "MARKET")
    assert _same_words(scene, "stop-1") and scene.held() == "0.000"
    assert order.original_type == "STOP_MARKET"


@pytest.mark.parametrize(("working", "by_mark"), [("MARK_PRICE", True), ("CONTRACT_PRICE", False)])
def test_a_trigger_watches_its_own_price(working: str, by_mark: bool) -> None:
    """A mark below the trigger moves only orders that watch the mark, a trade only those that watch trades."""
    scene = _long()
    scene.trade("76915.00")
    scene.algo(workingType=working)
    scene.trade("75990.00") if by_mark else scene.mark("75990.00000000")
    assert _states(scene) == ["NEW"]
    scene.mark("75990.00000000") if by_mark else scene.trade("75990.00")
    assert _states(scene)[-1] == "FINISHED"


@pytest.mark.parametrize(
    ("side", "kind", "trigger"),
    [
        ("SELL", "STOP_MARKET", "77000.00"),
        ("BUY", "STOP_MARKET", "76000.00"),
        ("SELL", "TAKE_PROFIT_MARKET", "76000.00"),
        ("BUY", "TAKE_PROFIT_MARKET", "77000.00"),
    ],
)
def test_a_condition_that_is_met_is_refused(side: str, kind: str, trigger: str) -> None:
    """What would trigger at once is refused with -2021."""
    scene = _long()
    scene.expect_refused(
        -2021, "POST /fapi/v1/algoOrder", algoType="CONDITIONAL", symbol=BTC, side=side, type=kind, quantity="0.010",
        triggerPrice=trigger, workingType="MARK_PRICE",
    )  # fmt: skip


@pytest.mark.parametrize(("side", "activate"), [("SELL", "76900.00"), ("BUY", "76930.00")])
def test_a_trailing_stop_activates_on_its_own_side_only(side: str, activate: str) -> None:
    """BUY activates below the last price, SELL above it; else -2021."""
    scene = _long()
    scene.trade("76915.00")
    scene.expect_refused(
        -2021, "POST /fapi/v1/algoOrder", algoType="CONDITIONAL", symbol=BTC, side=side, quantity="0.010",
        type="TRAILING_STOP_MARKET", callbackRate="1", activatePrice=activate,
    )  # fmt: skip


def test_a_trailing_stop_tells_of_its_activation() -> None:
    """Two NEW events, first not active, then active; afterwards it follows the best price and triggers behind it."""
    scene = _long()
    scene.trade("76915.00")
    scene.algo(type="TRAILING_STOP_MARKET", callbackRate="1.0", activatePrice="77500.00", workingType="CONTRACT_PRICE")
    scene.trade("77000.00")
    assert [(one["o"]["X"], one["o"]["ia"]) for one in scene.heard("ALGO_UPDATE")] == [("NEW", False)]
    scene.trade("77500.00")
    assert [(one["o"]["X"], one["o"]["ia"]) for one in scene.heard("ALGO_UPDATE")] == [("NEW", False), ("NEW", True)]
    scene.trade("78000.00")
    scene.trade("77220.10")
    assert _states(scene)[-1] == "NEW"
    scene.trade("77220.00")  # 1 % below 78,000
    assert _states(scene)[-1] == "FINISHED" and scene.held() == "0.000"


def test_close_position_closes_what_is_there_at_the_trigger() -> None:
    """Without a quantity of its own it closes the whole position as it is when the trigger comes."""
    scene = _long()
    scene.algo(closePosition="true")
    scene.order(quantity="0.020")
    scene.move("75990.0")
    assert scene.held() == "0.000"
    assert scene.heard("ORDER_TRADE_UPDATE")[-1]["o"]["cp"] is True


@pytest.mark.parametrize("closing", [{"closePosition": "true"}, {"reduceOnly": "true"}])
def test_a_trigger_without_a_position_is_rejected(closing: dict[str, str]) -> None:
    """A closing order that finds nothing to close ends REJECTED with a reason, and no order exists."""
    scene = Scene()
    scene.algo(**closing)
    scene.move("75990.0")
    last = scene.heard("ALGO_UPDATE")[-1]["o"]
    assert (last["X"], last["rm"], last["ai"]) == ("REJECTED", "Reduce Only reject", "")
    assert not scene.account.orders


def test_margin_is_looked_at_when_it_triggers() -> None:
    """A stop entry far beyond the account's means is taken, and rejected at its trigger for margin."""
    scene = Scene(usdt="40")
    scene.algo(side="BUY", triggerPrice="77000.00", quantity="0.500", reduceOnly="false")
    scene.move("77010.0")
    last = scene.heard("ALGO_UPDATE")[-1]["o"]
    assert (last["X"], last["rm"]) == ("REJECTED", "Margin is insufficient")


def test_a_stop_goes_before_resting_closing_orders() -> None:
    """A resting full-size target does not keep the stop from closing: the target expires with reason 4."""
    scene = _long()
    target = scene.limit("SELL", "77500.00", reduceOnly="true")
    scene.algo()
    scene.move("75990.0")
    assert scene.found(target).expiry_reason == "4"
    assert _states(scene)[-1] == "FINISHED" and scene.held() == "0.000"


def test_a_triggered_limit_stop_rests() -> None:
    """STOP becomes a limit order that rests at its price; the algo is FINISHED only when that order is over."""
    scene = _long()
    scene.algo(type="STOP", price="76100.00")
    scene.move("75990.0")
    assert _states(scene)[-1] == "TRIGGERED"
    (order,) = scene.account.live.values()
    assert (order.type, order.price_e8) == ("LIMIT", 7_610_000_000_000)
    scene.call("DELETE /fapi/v1/order", symbol=BTC, orderId=order.id)
    assert _states(scene)[-1] == "FINISHED"


def test_price_protection_waits() -> None:
    """With priceProtect nothing triggers while mark and last price are more than 5 % apart."""
    scene = _long()
    scene.trade("76915.00")
    scene.algo(priceProtect="true", triggerPrice="73000.00")
    scene.book((("72900.00", "9.000"),), (("72901.00", "9.000"),))
    scene.mark("72000.00000000")
    assert _states(scene) == ["NEW"]
    scene.trade("72900.00")
    scene.mark("72500.00000000")
    assert _states(scene)[-1] == "FINISHED"


# -- ends --------------------------------------------------------------------------------------------------------------


def test_a_plain_stop_outlives_its_position() -> None:
    """A GTC reduce-only stop stays open after the close; only GTE_GTC expires with the position."""
    scene = _long()
    scene.algo(clientAlgoId="plain")
    scene.algo(clientAlgoId="bound", timeInForce="GTE_GTC")
    scene.order(side="SELL", reduceOnly="true")
    assert {name: algo.status for name, algo in scene.account.algo_by_client.items()} == {
        "plain": "NEW", "bound": "EXPIRED",
    }  # fmt: skip


def test_gte_needs_a_position() -> None:
    """GTE_GTC without a position is refused with -4509, a second whole close of one direction with -4130."""
    asked = {"algoType": "CONDITIONAL", "symbol": BTC, "side": "SELL", "type": "STOP_MARKET",
             "triggerPrice": "76000.00", "closePosition": "true", "timeInForce": "GTE_GTC"}  # fmt: skip
    Scene().expect_refused(-4509, "POST /fapi/v1/algoOrder", **asked)
    scene = _long()
    scene.call("POST /fapi/v1/algoOrder", **asked)
    scene.expect_refused(-4130, "POST /fapi/v1/algoOrder", **asked)


def test_two_plain_whole_closes_may_stand_side_by_side() -> None:
    """New before old: a second closePosition stop is taken while the first is alive."""
    scene = _long()
    scene.algo(closePosition="true")
    scene.algo(closePosition="true", triggerPrice="76100.00")
    assert len(scene.account.watched) == 2


def test_an_ordinary_cancel_does_not_see_conditional_orders() -> None:
    """Two namespaces: order calls answer -2013 and -2011 to an algo id, cancel-all leaves conditional orders alone."""
    scene = _long()
    placed = scene.algo(clientAlgoId="mine")
    for code, call in ((-2013, "GET"), (-2011, "DELETE")):
        scene.expect_refused(code, f"{call} /fapi/v1/order", symbol=BTC, orderId=placed["algoId"])
        scene.expect_refused(code, f"{call} /fapi/v1/order", symbol=BTC, origClientOrderId="mine")
    scene.call("DELETE /fapi/v1/allOpenOrders", symbol=BTC)
    assert scene.call("GET /fapi/v1/openOrders") == []
    assert [one["algoId"] for one in scene.call("GET /fapi/v1/openAlgoOrders")] == [placed["algoId"]]


def test_a_triggering_order_cannot_be_cancelled() -> None:
    """While it is on its way a cancel answers -4117; afterwards -2011."""
    scene = _long()
    scene.desk.trigger_ms = 20
    placed = scene.algo()
    scene.move("75990.0")
    scene.expect_refused(-4117, "DELETE /fapi/v1/algoOrder", algoId=placed["algoId"])
    scene.wait(20)
    assert _states(scene)[-1] == "FINISHED"
    scene.expect_refused(-2011, "DELETE /fapi/v1/algoOrder", algoId=placed["algoId"])


@pytest.mark.parametrize("silent", [True, False])
def test_a_stop_can_vanish(silent: bool) -> None:
    """The lever takes a stop away with or without an event; no list has it any more and it never triggers."""
    scene = _long()
    scene.algo(clientAlgoId="gone")
    scene.forget()
    scene.desk.cancel_stop(scene.account, "gone", silent=silent)
    assert len(scene.heard("ALGO_UPDATE")) == (not silent)
    assert scene.call("GET /fapi/v1/openAlgoOrders") == []
    scene.move("75990.0")
    assert scene.held() == "0.010"


def test_conditional_orders_are_counted_over_all_contracts() -> None:
    """Two hundred may be open in all; the next is refused with -4045."""
    scene = _long()
    for number in range(200):
        scene.algo(symbol=BTC if number % 2 else ETH, triggerPrice="76000.00" if number % 2 else "2400.00")
    scene.expect_refused(
        -4045, "POST /fapi/v1/algoOrder", algoType="CONDITIONAL", symbol=BTC, side="SELL", type="STOP_MARKET",
        quantity="0.010", triggerPrice="76000.00", workingType="MARK_PRICE", reduceOnly="true",
    )  # fmt: skip


def test_an_algo_id_is_taken_only_while_it_is_open() -> None:
    """-4116 for a second conditional order of the id; after the cancel it is free."""
    scene = _long()
    scene.algo(clientAlgoId="one")
    scene.expect_refused(
        -4116, "POST /fapi/v1/algoOrder", algoType="CONDITIONAL", symbol=BTC, side="SELL", type="STOP_MARKET",
        quantity="0.010", triggerPrice="76000.00", reduceOnly="true", clientAlgoId="one", workingType="MARK_PRICE",
    )  # fmt: skip
    scene.call("DELETE /fapi/v1/algoOrder", clientAlgoId="one")
    assert scene.algo(clientAlgoId="one")["algoStatus"] == "NEW"


def test_good_till_date_ends_a_conditional_order() -> None:
    """GTD expires at its time."""
    scene = _long()
    scene.algo(timeInForce="GTD", goodTillDate=scene.ms + 700_000)
    scene.wait(700_000)
    assert _states(scene) == ["NEW", "EXPIRED"]


def test_hedge_stops_close_their_own_side() -> None:
    """A stop on LONG closes the long and nothing of the short."""
    scene = _long(hedge=True)
    scene.order(side="SELL", positionSide="SHORT")
    scene.algo(positionSide="LONG", closePosition="true")
    scene.move("75990.0")
    assert (scene.held(side="LONG"), scene.held(side="SHORT")) == ("0.000", "-0.010")


def test_price_match_is_resolved_at_the_trigger() -> None:
    """A conditional limit order with QUEUE takes the best price of its own side at the moment it triggers."""
    scene = _long()
    scene.algo(type="STOP", priceMatch="QUEUE")
    scene.move("75990.0")
    (order,) = scene.account.live.values()
    assert order.price_e8 == 7_599_010_000_000
