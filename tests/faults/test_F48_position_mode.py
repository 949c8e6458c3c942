"""F48: the position mode is not what was assumed: switched between orders, and told wrongly by the event."""

from __future__ import annotations

from pathlib import Path

from core.risk.mode import Cause
from models.order import Purpose
from tests.faults.real_run import Scene, running


def test_a_switched_mode_blocks_entries_until_it_is_switched_back(tmp_path: Path) -> None:
    """Hedge mode by hand while flat: entries stop with the reason, whatever the event says; one-way again, they go on;
    we never switch it ourselves."""

    async def script(scene: Scene) -> None:
        await scene.normal()
        scene.counting("POST /fapi/v1/positionSide/dual")
        scene.arm("edit_frame", "user:ACCOUNT_CONFIG_UPDATE", count=0, set={"ai.j": False})
        scene.pull("position_mode", {"account": "main", "hedge": True})
        await scene.until(lambda: Cause.SHAPE in scene.causes, "the shape seen")
        assert "hedge" in scene.causes[Cause.SHAPE]
        assert not scene.enter() and scene.refusal.startswith("P31")
        scene.pull("position_mode", {"account": "main", "hedge": False})
        await scene.normal()
        assert scene.calls("POST /fapi/v1/positionSide/dual") == 0
        assert scene.placed(Purpose.ENTRY) == []

    running(script, tmp_path, speed=15.0)
