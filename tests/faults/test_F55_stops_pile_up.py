"""F55: cancels of stops get lost again and again: stops must not pile up at the venue."""

from __future__ import annotations

from pathlib import Path

from models.order import Purpose
from tests.faults.real_run import Scene, running


def test_there_are_never_three_stops(tmp_path: Path) -> None:
    """Four round trips, every second cancel lost: at no instant more than two stops, and none at the end."""

    async def script(scene: Scene) -> None:
        most = 0
        desk = scene.exchange.venue.desk
        told = desk._pit.tell_algo

        def counted(algo: object) -> None:
            nonlocal most
            told(algo)
            most = max(most, len(scene.account.watched_algos()))

        desk._pit.tell_algo = counted
        scene.arm("drop_reply", "DELETE /fapi/v1/algoOrder", count=0, probability=0.5, hang=True)
        scene.arm("busy", "DELETE /fapi/v1/algoOrder", count=0, probability=0.3, text="unknown", placed=False)

        def opened() -> bool:
            if scene.can_enter:  # an entry on a line that a hung cancel has taken down is lost: another one
                scene.enter()
            return scene.protected

        for _ in range(4):
            await scene.until(opened, "a protected position")
            scene.leave()
            await scene.until(lambda: not scene.held and not scene.lots, "flat")
        await scene.until(lambda: scene.clean, "clean")
        assert most in (1, 2)
        assert len(scene.placed(Purpose.STOP)) == 4

    running(script, tmp_path)
