"""F41: somebody trades, closes or cancels on the account by hand, or from another program."""

from __future__ import annotations

from pathlib import Path

from core.risk.mode import Cause
from models.order import Purpose
from tests.faults.real_run import Scene, running


def by_hand(scene: Scene, side: str, lots: int) -> None:
    scene.pull("hand_trade", {"account": "main", "symbol": "BTCUSDT", "side": side, "lots": lots})


def test_what_a_hand_does_is_taken_over(tmp_path: Path) -> None:
    """Closed by hand it is flat here too and nothing is sent against it; opened by hand it gets a stop and entries wait
    until it is gone; flipped by hand the stop changes sides."""

    async def script(scene: Scene) -> None:
        await scene.open()
        by_hand(scene, "SELL", scene.lots)
        await scene.until(lambda: scene.clean, "flat and clean")
        await scene.until(lambda: not scene.causes, "entries allowed again")

        by_hand(scene, "BUY", 3)
        await scene.until(lambda: scene.lots == 3 and scene.protected, "the foreign position protected")
        assert Cause.EXTERNAL in scene.causes
        assert not scene.enter()

        by_hand(scene, "SELL", 5)
        await scene.until(lambda: scene.lots == -2 and scene.protected, "the flipped position protected")
        assert len(scene.stops) == 1
        by_hand(scene, "BUY", 2)
        await scene.until(lambda: scene.clean and not scene.causes, "flat, clean and allowed")
        assert scene.placed(Purpose.EXIT) == []

    running(script, tmp_path, speed=15.0)
