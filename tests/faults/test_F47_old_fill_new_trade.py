"""F47: the stop of an old trade fills while the bot is down, and somebody reverses the position at once."""

from __future__ import annotations

from pathlib import Path

import uvloop

from models.order import Purpose
from tests.faults.real_run import Bot, Scene, exchange
from tests.faults.venue_hands import still, trigger


def test_an_old_stop_fill_stays_with_the_old_trade(tmp_path: Path) -> None:
    """The stop's fill is not booked on the position that stands there now: that one keeps its size, gets a stop of its
    own side, and the wallet is the venue's to the last digit."""

    async def run() -> None:
        async with exchange(speed=10.0) as venue:
            async with Bot(venue, tmp_path, speed=10.0) as bot:
                scene = Scene(venue, bot)
                await scene.open()
                still(scene)
                (old,) = scene.stops
            trigger(scene)
            venue.venue.hands.pull("hand_trade", {"account": "main", "symbol": "BTCUSDT", "side": "SELL", "lots": 3})
            async with Bot(venue, tmp_path, speed=10.0) as bot:
                scene = Scene(venue, bot)
                await scene.until(lambda: scene.protected and scene.engine.custody.ready, "the short protected")
                await scene.passes(3.0)
                assert (scene.lots, scene.held) == (-3, -3)
                assert len(scene.stops) == 1 and scene.stops != [old]
                order = scene.engine.orders.get(old)
                assert order is not None and not order.alive
                assert scene.placed(Purpose.EXIT) == []
                assert scene.engine.ledger.wallet_e8 == scene.account.wallet_e8
                scene.leave()
                await scene.until(lambda: scene.clean, "flat and clean")

    uvloop.run(run())
