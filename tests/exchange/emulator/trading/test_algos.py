"""Conditional orders: their golden shapes, and when a price meets their condition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.emulator.trading.algos import Algo
from models.instrument import E8
from tests.exchange.emulator.shape import expect_shape, golden
from tests.exchange.emulator.trading.scene import BTC, Scene


def _finished(scene: Scene) -> dict[str, Any]:
    scene.order()
    algo: dict[str, Any] = scene.algo(clientAlgoId="tb-sl-000001")
    scene.move("75990.0")
    return algo


def _ask(make: Any) -> Any:
    return lambda scene: scene.call("GET /fapi/v1/algoOrder", algoId=make(scene)["algoId"])


def _listed(call: str, make: Any) -> Any:
    def ask(scene: Scene) -> Any:
        make(scene)
        return scene.call(call, symbol=BTC)

    return ask


ANSWERS = {
    "rest-algoOrder-POST": lambda scene: scene.algo(),
    "rest-algoOrder-POST-closePosition": lambda scene: scene.algo(closePosition="true"),
    "rest-algoOrder-POST-trailing": lambda scene: scene.algo(
        type="TRAILING_STOP_MARKET", callbackRate="1.0", activatePrice="77500.00", workingType="CONTRACT_PRICE"
    ),
    "rest-algoOrder-GET-new": _ask(lambda scene: scene.algo()),
    "rest-algoOrder-GET-finished": _ask(_finished),
    "rest-algoOrder-DELETE": lambda scene: scene.call("DELETE /fapi/v1/algoOrder", algoId=scene.algo()["algoId"]),
    "rest-algoOpenOrders-DELETE": lambda scene: scene.call("DELETE /fapi/v1/algoOpenOrders", symbol=BTC),
    "rest-openAlgoOrders-GET": _listed("GET /fapi/v1/openAlgoOrders", lambda scene: scene.algo()),
    "rest-allAlgoOrders-GET": _listed("GET /fapi/v1/allAlgoOrders", _finished),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_has_the_shape_of_the_venue(name: str, wire: Path) -> None:
    """Every answer of the algo service has exactly the fields and JSON types of its golden payload."""
    expect_shape(golden(wire, name), ANSWERS[name](Scene()))


def _cancelled(scene: Scene) -> None:
    scene.call("DELETE /fapi/v1/algoOrder", algoId=scene.algo()["algoId"])


def _expired(scene: Scene) -> None:
    scene.order()
    scene.algo(timeInForce="GTE_GTC")
    scene.order(side="SELL", reduceOnly="true")


def _rejected(scene: Scene) -> None:
    scene.algo()
    scene.move("75990.0")


EVENTS = {
    "new": (lambda scene: scene.algo(), "NEW"),
    "canceled": (_cancelled, "CANCELED"),
    "expired": (_expired, "EXPIRED"),
    "rejected": (_rejected, "REJECTED"),
    "triggering": (_finished, "TRIGGERING"),
    "triggered": (_finished, "TRIGGERED"),
    "finished": (_finished, "FINISHED"),
}


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_has_the_shape_of_the_venue(name: str, wire: Path) -> None:
    """Every ALGO_UPDATE has exactly the fields and JSON types of its golden payload."""
    act, status = EVENTS[name]
    scene = Scene()
    act(scene)
    found = [one for one in scene.heard("ALGO_UPDATE") if one["o"]["X"] == status]
    expect_shape(golden(wire, f"user-ALGO_UPDATE-{name}"), found[-1])


def _algo(side: int, kind: str, **fields: Any) -> Algo:
    return Algo(None, BTC, "a", side, kind, **fields)


@pytest.mark.parametrize(
    ("kind", "side", "below", "above"),
    [
        ("STOP_MARKET", 1, False, True),
        ("STOP_MARKET", -1, True, False),
        ("STOP", 1, False, True),
        ("TAKE_PROFIT_MARKET", 1, True, False),
        ("TAKE_PROFIT_MARKET", -1, False, True),
        ("TAKE_PROFIT", -1, False, True),
    ],
)
def test_a_trigger_is_met_from_its_side(kind: str, side: int, below: bool, above: bool) -> None:
    """Stops trigger where the price goes against the order's side of the market, profits the other way, both at it."""
    algo = _algo(side, kind, trigger_e8=100 * E8)
    assert (algo.met_by(99 * E8), algo.met_by(100 * E8), algo.met_by(101 * E8)) == (below, True, above)


@pytest.mark.parametrize("side", [1, -1])
def test_a_trailing_stop_waits_for_its_activation(side: int) -> None:
    """Before its activation price a trailing stop follows nothing and cannot be met."""
    algo = _algo(side, "TRAILING_STOP_MARKET", activate_e8=100 * E8, callback_e8=1_000_000)
    assert not algo.follow((100 + side) * E8)
    assert not algo.met_by((100 + 50 * side) * E8)
    assert algo.follow(100 * E8) and algo.active


@given(st.lists(st.integers(90 * E8, 110 * E8), min_size=1, max_size=60), st.sampled_from([1, -1]))
def test_a_trailing_stop_is_met_at_its_distance_from_the_best(prices: list[int], side: int) -> None:
    """It is met exactly when a price is the callback rate or more worse than the best one since its activation."""
    algo = _algo(side, "TRAILING_STOP_MARKET", activate_e8=prices[0], callback_e8=2_000_000)
    best = prices[0]
    for price in prices:
        algo.follow(price)
        best = min(best, price) if side > 0 else max(best, price)
        met = price * 100 >= best * 102 if side > 0 else price * 100 <= best * 98
        assert algo.met_by(price) == met
