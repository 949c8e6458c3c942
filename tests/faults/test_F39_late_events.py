"""F39: private events come minutes late."""

from __future__ import annotations

from pathlib import Path

import pytest

from exchange.binance.user_stream import StreamLimits
from models.order import Purpose
from tests.faults.real_run import Scene, bounds, running


@pytest.mark.parametrize("lag_s", [0.3, 2.0])
def test_late_truth_is_merged(tmp_path: Path, lag_s: float) -> None:
    """Events up to forty seconds late: the order is asked for meanwhile, and what comes late changes nothing."""

    async def script(scene: Scene) -> None:
        scene.arm("lag", "user:*", count=0, s=lag_s)  # real seconds: times twenty
        name = await scene.open()
        scene.leave()
        await scene.until(lambda: scene.clean)
        await scene.until(lambda: scene.venue.stats().stream.frames >= 8, "what comes late")
        await scene.until(lambda: scene.clean and scene.can_enter)
        assert scene.placed(Purpose.ENTRY) == [name]
        assert len(scene.records("fills")) == len(scene.account.trades)
        assert scene.engine.ledger.wallet_e8 == scene.account.wallet_e8

    patient = bounds(20.0, stream=StreamLimits(silence_s=60.0))  # else the silence gets another socket: F40
    running(script, tmp_path, speed=20.0, bot={"limits": patient})


def test_an_order_without_any_word_is_asked_for(tmp_path: Path) -> None:
    """No answer and no event: two seconds after sending, the order is queried by its id, and found."""

    async def script(scene: Scene) -> None:
        await scene.normal()
        scene.arm("drop", "user:*", count=0, for_s=6.0)
        scene.arm("reply_delay", "POST /fapi/v1/order", s=5.0)
        scene.counting("GET /fapi/v1/order")
        name = await scene.entered()
        await scene.until(lambda: scene.protected)
        assert scene.calls("GET /fapi/v1/order") >= 1 and scene.placed(Purpose.ENTRY) == [name]

    running(script, tmp_path)
