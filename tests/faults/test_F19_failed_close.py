"""F19: closing fails, for seconds on end."""

from __future__ import annotations

from pathlib import Path

from core.decision import PositionState
from core.risk.mode import Cause
from models.order import Purpose
from tests.faults.real_run import Scene, running

EXITS = {"reduceOnly": "true"}


def test_an_exit_stays_wanted_until_the_venue_is_flat(tmp_path: Path) -> None:
    """Through twelve seconds of refused exits the position stays EXITING, protected and unchanged; then it closes."""

    async def script(scene: Scene) -> None:
        await scene.open()
        stop, lots = scene.stops, scene.lots
        refusing = scene.arm("busy", "POST /fapi/v1/order", text="unavailable", where=EXITS, count=0, for_s=12.0)
        scene.leave()
        await scene.until(lambda: Cause.EXIT_LATE in scene.causes, "the word that the exit is late")
        await scene.until(lambda: scene.exchange.venue.now_s() >= refusing.ends_s - 1.0)
        assert (scene.lots, scene.held, scene.stops) == (lots, lots, stop)
        assert scene.trader.state in (PositionState.EXITING, PositionState.OPEN) and scene.trader.exit_reason
        await scene.until(lambda: scene.clean)
        await scene.until(lambda: Cause.EXIT_LATE not in scene.causes and scene.can_enter)
        assert 4 <= refusing.done <= 60, "tried again and again, and not in a loop"

    running(script, tmp_path, speed=10.0)


def test_with_one_call_in_three_an_exit_is_through_in_ten_seconds(tmp_path: Path) -> None:
    """Invariant 18: when two of three exits fail the third closes, long before ten seconds are over."""

    async def script(scene: Scene) -> None:
        for text in ("unavailable", "unknown"):
            await scene.open()
            scene.arm("busy", "POST /fapi/v1/order", text=text, where=EXITS, count=2)
            began_ns = scene.bot.clock.now_ns()
            scene.leave()
            await scene.until(lambda: not scene.held)
            assert scene.bot.clock.now_ns() - began_ns < 10_000_000_000
            await scene.until(lambda: scene.clean)
        assert scene.records("trades")[-1]["exit_reason"] == "test"
        assert len(scene.placed(Purpose.EXIT)) == 2

    running(script, tmp_path)
