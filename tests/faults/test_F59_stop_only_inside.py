"""F59: the bot is killed with a position open; only what the venue holds can protect it."""

from __future__ import annotations

from pathlib import Path

import uvloop

from models.order import Purpose
from tests.faults.real_run import Bot, Scene, exchange
from tests.faults.venue_hands import trigger


def test_without_the_bot_the_stop_closes(tmp_path: Path) -> None:
    """Killed while holding: the price reaches the stop and nobody is needed; the next run finds it flat and clean, with
    the stop's fill in its books."""

    async def run() -> None:
        async with exchange(speed=10.0) as venue:
            async with Bot(venue, tmp_path, speed=10.0) as bot:
                scene = Scene(venue, bot)
                await scene.open()
            trigger(scene)
            assert scene.held == 0
            async with Bot(venue, tmp_path, speed=10.0) as bot:
                scene = Scene(venue, bot)
                await scene.normal()
                assert scene.clean and scene.placed(Purpose.EXIT) == []
                assert scene.engine.ledger.wallet_e8 == scene.account.wallet_e8

    uvloop.run(run())
