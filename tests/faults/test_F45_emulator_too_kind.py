"""F45: the exchange must not be kinder than the venue: a resting exit is judged again at each fill. On its desk alone,
and with the real bot against it in every other test here."""

from __future__ import annotations

import pytest

from models.instrument import E8
from tests.exchange.emulator.trading.scene import BTC, Scene

LOT = E8 // 1000


@pytest.mark.parametrize("closed", [3, 7, 10])
def test_resting_exits_never_flip_a_shrinking_position(closed: int) -> None:
    """Long 10 lots under two resting exits of 5: whatever a hand closes first, both exits together close the rest only,
    and what could flip the position is gone."""
    scene = Scene()
    scene.order(quantity="0.010")
    for price in ("76920.00", "76930.00"):
        scene.limit("SELL", price, "0.005", reduceOnly="true")
    scene.desk.hand_trade(scene.account, BTC, "SELL", closed)
    held = [10 - closed]
    for resting in scene.account.live_orders():
        if resting.live:
            scene.desk.fill(scene.account, resting.client_id)
            held.append(scene.account.position(BTC).quantity_e8 // LOT)
    assert held[-1] == 0
    assert held == sorted(held, reverse=True)
    assert not scene.account.live


def test_a_stop_that_triggers_without_a_position_opens_nothing() -> None:
    """A reduce-only stop left over from a closed position is refused at its trigger: it never becomes an entry."""
    scene = Scene()
    scene.order(quantity="0.010")
    scene.algo(side="SELL", type="STOP_MARKET", triggerPrice="76000.00", quantity="0.010", reduceOnly="true")
    scene.desk.hand_trade(scene.account, BTC, "SELL", 10)
    scene.move("75900.00")
    assert scene.account.position(BTC).quantity_e8 == 0
    assert not scene.account.watched
