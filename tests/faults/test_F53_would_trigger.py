"""F53: the price has moved through the stop before it could be placed (-2021)."""

from __future__ import annotations

from pathlib import Path

from core.custody import SECOND_NS
from models.order import Purpose
from tests.faults.real_run import Scene, running


def test_a_stop_that_would_trigger_is_a_stop_that_triggered(tmp_path: Path) -> None:
    """The position is closed reduce-only within a second; no second stop with a wider distance is tried."""

    async def script(scene: Scene) -> None:
        scene.counting("POST /fapi/v1/algoOrder")
        scene.arm("error", "POST /fapi/v1/algoOrder", status=400, code=-2021, msg="Order would immediately trigger.")
        await scene.entered()
        await scene.until(lambda: scene.records("trades") and scene.clean, "flat and clean")
        assert scene.calls("POST /fapi/v1/algoOrder") == 1
        (leaving,) = [one for one in scene.journaled("Submit") if one.order.purpose is Purpose.EXIT]
        (stop,) = [one for one in scene.journaled("Submit") if one.order.purpose is Purpose.STOP]
        assert leaving.order.reduce_only and leaving.at_ns - stop.at_ns < SECOND_NS * 5
        refused = [one for one in scene.journaled("OrderReport") if one.client_id == stop.order.client_id]
        assert leaving.at_ns - refused[-1].at_ns < SECOND_NS
        await scene.normal()

    running(script, tmp_path)
