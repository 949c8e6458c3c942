"""F46: a restart meets a position of any age, with its journal, without it, or with one that is behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import uvloop

from models.event import Inherited
from models.order import Purpose
from tests.faults.real_run import Bot, Scene, exchange
from tests.faults.venue_hands import still

HAND = {"account": "main", "symbol": "BTCUSDT"}


@pytest.mark.parametrize(("journal", "hand"), [("kept", 0), ("missing", 0), ("kept", -2), ("kept", -5)])
def test_the_venue_says_what_is_held(tmp_path: Path, journal: str, hand: int) -> None:
    """Killed with a position, changed by ``hand`` while down: the next run holds what the venue holds, one stop covers
    it, no exit was sent, and nothing was entered before."""

    async def run() -> None:
        async with exchange(speed=10.0) as venue:
            async with Bot(venue, tmp_path / "a", speed=10.0) as bot:
                scene = Scene(venue, bot)
                await scene.open()
                still(scene)
                before, stop = scene.held, scene.stops
            if hand:
                venue.venue.hands.pull("hand_trade", HAND | {"side": "BUY" if hand > 0 else "SELL", "lots": abs(hand)})
            async with Bot(venue, tmp_path / ("a" if journal == "kept" else "b"), speed=10.0) as bot:
                scene = Scene(venue, bot)
                await scene.until(lambda: scene.engine.custody.ready, "the account read")
                assert scene.held == before + hand
                if scene.held:
                    await scene.until(lambda: scene.protected, "the position protected")
                    (rests,) = scene.account.watched_algos()
                    assert rests.quantity_e8 >= abs(scene.held) * scene.parts.instruments[0].lot_e8
                    assert rests.side * scene.held < 0
                    assert scene.stops == stop or hand
                else:
                    await scene.until(lambda: scene.clean, "flat and clean")
                assert scene.placed(Purpose.EXIT) == []
                assert len(scene.placed(Purpose.ENTRY)) == 1
                assert bool(scene.journaled("Inherited")) == (journal == "kept")
                assert all(isinstance(one, Inherited) for one in scene.journaled("Inherited"))
                assert scene.engine.ledger.wallet_e8 == scene.account.wallet_e8

    uvloop.run(run())
