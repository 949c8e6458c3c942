"""F23: our clock and the venue's part (-1021)."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.risk.mode import Cause
from models.order import Purpose
from tests.faults.real_run import Scene, running


@pytest.mark.parametrize("skew_ms", [-120_000, -2_500, 700, 2_500])
def test_a_stepped_venue_clock_costs_one_measurement(tmp_path: Path, skew_ms: int) -> None:
    """With a position open the venue's clock jumps: the clock is measured anew and the exit leaves and closes."""

    async def script(scene: Scene) -> None:
        await scene.open()
        before_ns = scene.venue.clock.offset.offset_ns  # type: ignore[union-attr]
        scene.pull("clock_skew", {"ms": skew_ms, "ppm": 0.0})
        scene.leave()
        await scene.until(lambda: scene.clean)
        after_ns = scene.venue.clock.offset.offset_ns  # type: ignore[union-attr]
        if abs(skew_ms) > 1_000:
            assert abs(after_ns - before_ns - skew_ms * 1_000_000) < 500_000_000
        assert len(scene.placed(Purpose.EXIT)) == 1

    running(script, tmp_path, speed=2.0)


def test_a_drifting_clock_is_followed(tmp_path: Path) -> None:
    """At 100 ppm, and a thousand times that, the measurement of each minute keeps orders inside the window."""

    async def script(scene: Scene) -> None:
        scene.pull("clock_skew", {"ms": 0, "ppm": 100_000.0})
        for _ in range(3):
            await scene.open()
            scene.leave()
            await scene.until(lambda: scene.clean)
            await scene.venue.resync()
        assert len(scene.placed(Purpose.ENTRY)) == 3

    running(script, tmp_path)


def test_a_clock_that_nobody_knows_blocks_entries(tmp_path: Path) -> None:
    """After a step, answers about the time that take seconds leave it uncertain above 800 ms: P11, until quick ones."""

    async def script(scene: Scene) -> None:
        await scene.normal()
        slow = scene.arm("reply_delay", "GET /fapi/v1/time", s=0.5, count=0)  # real seconds: 2.5 of the venue
        await scene.venue.resync()
        assert "800 ms" in scene.causes[Cause.CLOCK]
        assert not scene.enter() and "P11" in scene.refusal
        slow.off = True
        await scene.venue.resync()
        assert Cause.CLOCK not in scene.causes
        await scene.open()

    running(script, tmp_path)


def test_lopsided_answers_make_a_known_clock_no_worse(tmp_path: Path) -> None:
    """When only the way back is slow the middle is wrong by more than the window; what was known before still signs."""

    async def script(scene: Scene) -> None:
        await scene.open()
        scene.arm("reply_delay", "GET /fapi/v1/time", s=0.5, count=0)
        await scene.venue.resync(anew=False)
        scene.counting("POST /fapi/v1/order")
        scene.leave()
        await scene.until(lambda: scene.clean)
        assert scene.calls("POST /fapi/v1/order") == 1

    running(script, tmp_path)


def test_what_was_signed_too_long_ago_is_not_sent_again(tmp_path: Path) -> None:
    """When measuring the clock outlasts an exit's window, that exit ends as not placed and a fresh one closes."""

    async def script(scene: Scene) -> None:
        await scene.open()
        scene.arm("reply_delay", "GET /fapi/v1/time", s=0.1, count=0)  # five probes: 2.5 s of the venue
        scene.pull("clock_skew", {"ms": -2_500, "ppm": 0.0})
        scene.counting("POST /fapi/v1/order")
        scene.leave()
        await scene.until(lambda: scene.clean)
        wished = [one for one in scene.journaled("Submit") if one.order.purpose is Purpose.EXIT]
        assert scene.calls("POST /fapi/v1/order") <= len(wished) + 1 and len(scene.placed(Purpose.EXIT)) == 1

    running(script, tmp_path)
