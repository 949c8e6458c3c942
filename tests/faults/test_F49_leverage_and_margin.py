"""F49: leverage or margin type differ from the settings, or cannot be set."""

from __future__ import annotations

from pathlib import Path

import uvloop

from core.risk.mode import Cause
from tests.faults.real_run import Bot, Scene, exchange, running

BTC = {"account": "main", "symbol": "BTCUSDT"}


def test_a_changed_leverage_blocks_entries_and_not_protection(tmp_path: Path) -> None:
    """Set to 20 by hand with a position open: entries stop, the position keeps its stop and can be left; set back, all
    is allowed again, and a margin type changed while flat is seen as well."""

    async def script(scene: Scene) -> None:
        await scene.open()
        scene.pull("leverage", BTC | {"leverage": 20})
        await scene.until(lambda: Cause.SHAPE in scene.causes, "the leverage seen")
        assert "20x instead of 10x" in scene.causes[Cause.SHAPE] and scene.protected
        scene.leave()
        await scene.until(lambda: scene.clean, "flat and clean")
        scene.pull("leverage", BTC | {"leverage": 10})
        await scene.normal()
        scene.pull("margin_type", BTC | {"margin_type": "CROSSED"})
        await scene.until(lambda: "cross margin" in scene.causes.get(Cause.SHAPE, ""), "the margin type seen")
        scene.pull("margin_type", BTC | {"margin_type": "ISOLATED"})
        await scene.normal()

    running(script, tmp_path, speed=15.0)


def test_a_refused_setting_is_no_refused_protection(tmp_path: Path) -> None:
    """The venue refuses to set the leverage at the start: the bot starts all the same, enters nothing, and protects a
    position that it finds."""

    async def run() -> None:
        async with exchange(speed=10.0) as venue:
            venue.venue.faults.arm("error", "POST /fapi/v1/leverage", count=0, status=400, code=-4161, msg="no")
            venue.venue.hands.pull("hand_trade", BTC | {"side": "BUY", "lots": 1})
            async with Bot(venue, tmp_path, speed=10.0) as bot:
                scene = Scene(venue, bot)
                await scene.until(lambda: scene.protected, "the position protected")
                assert Cause.SHAPE in scene.causes

    uvloop.run(run())
