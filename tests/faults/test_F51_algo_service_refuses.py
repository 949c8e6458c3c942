"""F51: the venue takes no stop: the order route sends conditional orders away, or the algo route is broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.risk.mode import Cause
from models.order import Purpose
from tests.faults.real_run import Scene, running

ALGO = "POST /fapi/v1/algoOrder"


@pytest.mark.parametrize(
    "answer", [{"status": 400, "code": -4120}, {"status": 404, "code": -5000}, {"status": 400, "code": -5021}]
)
def test_without_a_stop_nothing_is_held_and_nothing_more_entered(tmp_path: Path, answer: dict[str, Any]) -> None:
    """A position whose stop is refused leaves at once; after the second refusal no entry is made until a person says
    so. Stops go to the algo route only."""

    async def script(scene: Scene) -> None:
        scene.counting("POST /fapi/v1/order")
        scene.arm("error", ALGO, count=0, msg="no stop here", **answer)
        for _ in range(2):
            await scene.entered()
            await scene.until(lambda: scene.records("trades") and scene.clean, "flat and clean")
        await scene.until(lambda: Cause.UNPROTECTED in scene.causes, "entries blocked")
        assert not scene.enter() and scene.refusal.startswith("P25")
        assert scene.calls("POST /fapi/v1/order") == len(scene.placed(Purpose.ENTRY)) + len(scene.placed(Purpose.EXIT))
        assert scene.placed(Purpose.STOP) == []
        assert scene.engine.custody.unprotected_ns < 3_000_000_000

    running(script, tmp_path)
