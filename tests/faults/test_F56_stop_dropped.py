"""F56: the venue drops a stop without a word."""

from __future__ import annotations

from pathlib import Path

from core.risk.mode import Cause
from models.control import Operating
from tests.faults.real_run import Scene, running

MAIN = {"account": "main", "client_id": ""}


def test_a_stop_that_vanished_is_missed(tmp_path: Path) -> None:
    """Cancelled with an event the position leaves at once; silently, when two readings miss it; twice in ten minutes
    and the bot works towards flat until a person looks."""

    async def script(scene: Scene) -> None:
        for silent in (False, True):
            await scene.open()
            scene.pull("cancel_stop", MAIN | {"silent": silent})
            await scene.until(lambda: scene.clean, "flat and clean")
            assert scene.records("trades")[-1]["exit_reason"] == "emergency_exit"
            assert (Cause.UNPROTECTED in scene.causes) == silent
        assert scene.engine.mode.state is Operating.REDUCING

    running(script, tmp_path, speed=20.0)
