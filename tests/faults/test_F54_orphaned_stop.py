"""F54: a stop survives its position: the answer to its cancel is lost, or it is still on its way when all is closed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models.order import Purpose
from tests.faults.real_run import Scene, running

CANCEL, PLACE = "DELETE /fapi/v1/algoOrder", "POST /fapi/v1/algoOrder"


@pytest.mark.parametrize(
    ("lever", "call", "options"),
    [
        ("drop_reply", CANCEL, {"hang": True}),
        ("busy", CANCEL, {"text": "unknown", "placed": False, "count": 2}),
        ("cut_request", CANCEL, {"at_byte": 10}),
    ],
)
def test_flat_means_that_no_stop_is_left(tmp_path: Path, lever: str, call: str, options: dict[str, Any]) -> None:
    """Whatever becomes of the first cancel, no stop of ours outlives the position, and the next one gets a stop of its
    own."""

    async def script(scene: Scene) -> None:
        await scene.open()
        scene.arm(lever, call, **options)
        scene.leave()
        await scene.until(lambda: scene.clean, "flat and clean")
        await scene.open()
        assert len(scene.stops) == 1

    running(script, tmp_path)


def test_a_stop_that_comes_after_the_close_is_taken_back(tmp_path: Path) -> None:
    """The position is closed while its stop is still on its way: whether it is refused or rests, none is left."""

    async def script(scene: Scene) -> None:
        scene.arm("delay", PLACE, s=0.3)
        await scene.entered()
        await scene.until(lambda: scene.held and scene.lots == scene.held, "filled")
        assert not scene.stops
        scene.leave()
        await scene.until(lambda: scene.records("trades"), "closed")
        await scene.passes(4.0)
        await scene.until(lambda: scene.clean, "flat and clean")
        assert len(scene.placed(Purpose.STOP)) <= 1

    running(script, tmp_path)
