"""F64: the process stands still and goes on; the wall clock is stepped by a day."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from core.risk.mode import Cause
from tests.faults.real_run import Scene, running

DAY_S = 86_400.0


def test_after_a_standstill_everything_is_read_anew(tmp_path: Path) -> None:
    """Held for more than a second, with a close by hand in the dark: the market is connected anew, the account is read,
    no entry leaves before, and then all is normal."""

    async def script(scene: Scene) -> None:
        await scene.open()
        reasons = len(scene.journaled("AccountTruth"))
        scene.arm("drop", "user:*", count=0, for_s=60.0)
        scene.pull("hand_trade", {"account": "main", "symbol": "BTCUSDT", "side": "SELL", "lots": scene.lots})
        end_s = time.monotonic() + 1.3
        while time.monotonic() < end_s:  # standing still is the fault
            pass
        await scene.until(lambda: Cause.STREAM in scene.causes, "the streams in doubt")
        await scene.until(lambda: len(scene.journaled("AccountTruth")) > reasons, "the account read")
        states = [one for one in scene.journaled("StreamState") if one.stream == "user" and not one.alive]
        assert "the process stood still" in [one.reason for one in states]
        await scene.until(lambda: scene.clean, "flat and clean")
        await scene.normal()

    running(script, tmp_path)


@pytest.mark.parametrize("step_s", [DAY_S, -DAY_S])
def test_a_step_of_the_wall_clock_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step_s: float
) -> None:
    """Stepped by a day in a run: nothing changes state, signed orders are still taken, no deadline passes."""
    wall, wall_ns = time.time, time.time_ns

    async def script(scene: Scene) -> None:
        await scene.open()
        moves = len(scene.records("state_transitions"))
        monkeypatch.setattr(time, "time", lambda: wall() + step_s)
        monkeypatch.setattr(time, "time_ns", lambda: wall_ns() + int(step_s * 1e9))
        await scene.passes(3.0)
        assert scene.protected and not scene.causes
        scene.leave()
        await scene.until(lambda: scene.clean, "flat and clean")
        await scene.open()
        market = [one for one in scene.records("state_transitions")[moves:] if "STREAM" in str(one.get("trigger"))]
        assert market == [] and not scene.causes
        assert scene.venue.stats().failed_reads == 0

    running(script, tmp_path)
    monkeypatch.undo()
