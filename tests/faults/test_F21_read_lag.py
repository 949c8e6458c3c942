"""F21: an order that was just placed is not found yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.risk.mode import Cause
from models.order import Purpose
from tests.faults.real_run import Scene, running


@pytest.mark.parametrize("lag_s", [0.3, 2.0, 5.0])
def test_not_found_is_no_evidence_while_the_venue_lags(tmp_path: Path, lag_s: float) -> None:
    """A lost reply, a mute stream and «no such order» for seconds: the order is neither forgotten nor placed again."""

    async def script(scene: Scene) -> None:
        await scene.normal()
        scene.arm("drop", "user:*", count=0, for_s=lag_s + 3.0)
        scene.arm("hide", "POST /fapi/v1/order", s=lag_s)
        scene.arm("drop_reply", "POST /fapi/v1/order")
        name = await scene.entered()
        await scene.until(lambda: Cause.UNKNOWN in scene.causes)
        await scene.until(lambda: scene.protected)
        assert scene.placed(Purpose.ENTRY) == [name]
        assert not [one for one in scene.records("orders") if one["client_id"] == name and one["status"] == "REJECTED"]
        scene.leave()
        await scene.until(lambda: scene.clean)

    running(script, tmp_path)
