"""F26: a reduce-only order is refused (-2022, -4118): there is nothing left to reduce, or others use it up."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.order import Purpose
from tests.faults.real_run import Scene, running

EXITS = {"reduceOnly": "true"}


@pytest.mark.parametrize("heard", [True, False])
def test_closed_by_hand_just_before_our_exit(tmp_path: Path, heard: bool) -> None:
    """Our exit finds nothing to reduce: the account is read, we are flat here too, and our stop is taken back."""

    async def script(scene: Scene) -> None:
        await scene.open()
        lots = scene.lots
        scene.counting("POST /fapi/v1/order")
        if not heard:
            scene.arm("drop", "user:*", count=0, for_s=4.0)
        scene.arm("hand_trade", "POST /fapi/v1/order", where=EXITS, side="SELL", lots=lots)
        scene.leave()
        await scene.until(lambda: scene.clean)
        assert scene.placed(Purpose.EXIT) == [] and scene.held == 0
        assert scene.calls("POST /fapi/v1/order") <= 6, "never in a loop"

    running(script, tmp_path)


def test_refused_while_the_position_is_still_there(tmp_path: Path) -> None:
    """-4118 with the position open: the exit stays wanted and closes when the venue takes it; never a bigger one."""

    async def script(scene: Scene) -> None:
        await scene.open()
        lots = scene.lots
        scene.arm("error", "POST /fapi/v1/order", where=EXITS, code=-4118, msg="ReduceOnly Order is rejected.", count=3)
        scene.leave()
        await scene.until(lambda: scene.clean)
        exits = [one for one in scene.account.orders.values() if one.client_id in scene.placed(Purpose.EXIT)]
        assert [one.quantity_e8 // scene.parts.instruments[0].lot_e8 for one in exits] == [lots]

    running(script, tmp_path)
