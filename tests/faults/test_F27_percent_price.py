"""F27: a market close is refused in a fast market (-4131)."""

from __future__ import annotations

from pathlib import Path

from models.order import OrderType, Purpose, TimeInForce
from tests.faults.real_run import Scene, running


def test_a_refused_market_exit_falls_back_to_a_limit_inside_the_band(tmp_path: Path) -> None:
    """With market orders refused throughout the position is closed by an immediate limit order, and the stop stays."""

    async def script(scene: Scene) -> None:
        await scene.open()
        said = "The counterparty's best price does not meet the PERCENT_PRICE filter limit."
        refused = scene.arm(
            "error", "POST /fapi/v1/order", where={"type": "MARKET"}, code=-4131, msg=said, count=0, for_s=20.0
        )
        scene.leave()
        await scene.until(lambda: refused.done >= 1)
        assert scene.stops, "the backstop at the venue"
        await scene.until(lambda: scene.clean)
        assert scene.exchange.venue.now_s() < refused.ends_s, "while they are still refused"
        (name,) = scene.placed(Purpose.EXIT)
        sent = scene.engine.orders.get(name).approved  # type: ignore[union-attr]
        assert (sent.type, sent.time_in_force, sent.reduce_only) == (OrderType.LIMIT, TimeInForce.IOC, True)

    running(script, tmp_path)
