"""F57: a triggered stop becomes another order, and its events come in any order; or the trigger is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.order import Purpose
from tests.faults.real_run import Scene, running
from tests.faults.venue_hands import still, trigger


@pytest.mark.parametrize("disorder", [None, ("reorder", {"window": 5}), ("duplicate", {}), ("drop", {})])
def test_the_fill_of_a_triggered_stop_counts_once(tmp_path: Path, disorder: tuple[str, dict[str, int]] | None) -> None:
    """However the events of the trigger come, doubled, in another order or not at all: the position is closed once, by
    its stop, nothing else is sent, and the books agree."""

    async def script(scene: Scene) -> None:
        await scene.open()
        still(scene)
        if disorder is not None:
            scene.arm(disorder[0], "user:*", count=0, for_s=2.0, **disorder[1])
        trigger(scene)
        await scene.until(lambda: scene.clean, "flat and clean")
        (trade,) = scene.records("trades")
        assert trade["exit_reason"] == "stoploss_on_exchange"
        assert scene.placed(Purpose.EXIT) == []
        await scene.until(lambda: scene.engine.ledger.wallet_e8 == scene.account.wallet_e8, "equal books")
        assert len(scene.records("fills")) == 2

    running(script, tmp_path)


def test_a_stop_refused_at_its_trigger_is_no_stop(tmp_path: Path) -> None:
    """Triggered and refused by the engine, the position is without protection and leaves by our own exit."""

    async def script(scene: Scene) -> None:
        await scene.open()
        (algo,) = scene.account.watched_algos()
        algo.quantity_e8 = 0  # what the engine refuses at the trigger
        trigger(scene)
        await scene.until(lambda: scene.clean, "flat and clean")
        assert len(scene.placed(Purpose.EXIT)) == 1
        assert scene.records("trades")[-1]["exit_reason"] == "emergency_exit"

    running(script, tmp_path)
