"""F44: the venue trims a reduce-only order to what is left to close."""

from __future__ import annotations

from pathlib import Path

from core.decision import PositionState
from models.order import OrderState, Purpose
from tests.faults.real_run import Scene, running


def test_a_trimmed_exit_ends(tmp_path: Path) -> None:
    """A hand closes a part just before our exit arrives: the exit fills with less than it asked for, is over on both
    sides, and the position is flat; nothing is left that could never be cancelled."""

    async def script(scene: Scene) -> None:
        await scene.open()
        asked = scene.lots
        scene.arm(
            "hand_trade", "POST /fapi/v1/order", where={"reduceOnly": "true"}, symbol="BTCUSDT", side="SELL", lots=1
        )
        name = scene.leave()
        await scene.until(lambda: scene.clean, "flat and clean")
        order = scene.engine.orders.get(name)
        assert order is not None and order.approved.quantity == asked
        assert order.state in (OrderState.FILLED, OrderState.EXPIRED) and order.filled == asked - 1
        assert not order.alive and scene.own(Purpose.EXIT) == []
        assert scene.trader.state is PositionState.FLAT
        assert scene.engine.ledger.wallet_e8 == scene.account.wallet_e8

    running(script, tmp_path)
