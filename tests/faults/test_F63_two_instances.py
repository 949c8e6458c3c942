"""F63: a second instance on the same account: in the same folder, and in another one as on another host."""

from __future__ import annotations

from pathlib import Path

import pytest
import uvloop

from core.risk.mode import Cause
from models.error import LockedError
from models.order import Purpose
from storage.cold.instance import InstanceLock
from tests.faults.real_run import Bot, Scene, exchange


def test_the_same_folder_lets_one_in(tmp_path: Path) -> None:
    """The second one is refused before it asks anything, with the number of the first, exit code 8."""
    with InstanceLock(tmp_path / "testnet", started="now"), pytest.raises(LockedError, match="pid") as refused:
        InstanceLock(tmp_path / "testnet", started="now")
    assert refused.value.exit_code == 8


def test_two_folders_do_not_both_enter(tmp_path: Path) -> None:
    """Two bots on one account, neither aware of the other: the first entry of one blocks the other by name, whatever it
    wishes; the position can still be left, and nothing of either remains."""

    async def run() -> None:
        async with (
            exchange(speed=10.0) as venue,
            Bot(venue, tmp_path / "a", speed=10.0) as bot_a,
            Bot(venue, tmp_path / "b", speed=10.0) as bot_b,
        ):
            first, second = Scene(venue, bot_a), Scene(venue, bot_b)
            await first.normal()
            await second.normal()
            await first.entered()
            await second.until(lambda: Cause.INSTANCE in second.causes, "the other one named")
            assert not second.enter()
            assert len(first.placed(Purpose.ENTRY)) == 1
            first.leave()
            await first.until(lambda: first.clean and second.clean, "flat and clean on all sides")
            assert not second.enter() and second.refusal.startswith(("INSTANCE", "P30"))
            assert len(first.placed(Purpose.ENTRY)) == 1

    uvloop.run(run())
