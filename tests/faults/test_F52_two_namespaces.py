"""F52: the ordinary calls do not see conditional orders, and their ids are numbers of another kind."""

from __future__ import annotations

from pathlib import Path

from models.order import Purpose
from tests.faults.real_run import Scene, running

PLAIN = ("GET /fapi/v1/order", "DELETE /fapi/v1/order")


def test_a_stop_is_looked_for_where_it_is(tmp_path: Path) -> None:
    """Over readings of half a minute the stop is seen standing, no second one is placed, no ordinary call asks for it,
    and it is taken back by the call of its kind."""

    async def script(scene: Scene) -> None:
        await scene.open()
        seen: list[str] = []
        for name in (*PLAIN, "DELETE /fapi/v1/algoOrder"):
            scene.arm("headers", name, count=0, where={"origClientOrderId": "sc????????s*"}, set={})
        scene.counting("GET /fapi/v1/openAlgoOrders", "GET /fapi/v1/openOrders", "DELETE /fapi/v1/algoOrder")
        await scene.passes(30.0)
        seen += scene.stops
        assert len(seen) == 1 and scene.placed(Purpose.STOP) == seen
        assert scene.calls("GET /fapi/v1/openAlgoOrders") == scene.calls("GET /fapi/v1/openOrders") >= 2
        scene.leave()
        await scene.until(lambda: scene.clean, "flat and clean")
        assert scene.calls("DELETE /fapi/v1/algoOrder") >= 1
        armed = scene.exchange.venue.faults.armed["call"]
        assert [one.met for one in armed if one.fault.where and one.fault.when in PLAIN] == [0, 0]

    running(script, tmp_path, speed=20.0)
