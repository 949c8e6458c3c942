"""F30: key, address or permission are gone while a position is open (-2015)."""

from __future__ import annotations

from pathlib import Path

from core.risk.mode import Cause
from models.order import Purpose
from tests.faults.real_run import Scene, running

ALL = ["READ", "TRADE"]


def revoke(scene: Scene, allowed: list[str]) -> None:
    scene.pull("permissions", {"account": "main", "allowed": allowed})


def test_a_revoked_key_blocks_entries_and_leaves_the_stop(tmp_path: Path) -> None:
    """The first refused call blocks entries; after half a minute unread the state is called blind; the stop stays."""

    async def script(scene: Scene) -> None:
        await scene.open()
        revoke(scene, [])
        await scene.until(lambda: "account" in scene.causes.get(Cause.STREAM, ""), "the loss of the account")
        await scene.until(lambda: Cause.BLIND in scene.causes)
        assert scene.lots == scene.held and scene.stops == [scene.trader.stop_id]
        assert "30 s" in scene.causes[Cause.BLIND] and not scene.enter()

    running(script, tmp_path, speed=15.0)


def test_a_key_that_comes_back_is_taken_again(tmp_path: Path) -> None:
    """An exit wanted meanwhile is tried on; when the key works again the position closes and entries are allowed."""

    async def script(scene: Scene) -> None:
        await scene.open()
        revoke(scene, [])
        scene.leave()
        await scene.until(lambda: Cause.STREAM in scene.causes)
        await scene.passes(2.0)
        assert scene.held == scene.lots != 0
        revoke(scene, ALL)
        await scene.until(lambda: scene.clean)
        await scene.open()
        assert len(scene.placed(Purpose.EXIT)) == 1

    running(script, tmp_path)
