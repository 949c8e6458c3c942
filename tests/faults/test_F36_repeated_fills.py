"""F36: fills come twice, or old events come again."""

from __future__ import annotations

from pathlib import Path

from tests.faults.real_run import Scene, running


def test_every_event_twice_is_every_event_once(tmp_path: Path) -> None:
    """With all private events doubled, at once and several events later, position, fees and result are the venue's."""

    async def script(scene: Scene) -> None:
        for later in (0, 2, 5):
            scene.arm("duplicate", "user:*", count=0, later=later)
        for _ in range(3):
            await scene.open()
            scene.leave()
            await scene.until(lambda: scene.clean and scene.can_enter)
        assert len(scene.records("fills")) == len(scene.account.trades) == 6
        assert scene.engine.ledger.wallet_e8 == scene.account.wallet_e8

    running(script, tmp_path)


def test_old_events_after_a_round_trip_change_nothing(tmp_path: Path) -> None:
    """The whole past of the stream comes again while a new position is open: the position and the money stay."""

    async def script(scene: Scene) -> None:
        await scene.open()
        scene.leave()
        await scene.until(lambda: scene.clean)
        await scene.open()
        lots, wallet_e8, stop = scene.lots, scene.engine.ledger.wallet_e8, scene.trader.stop_id
        frames = scene.venue.stats().stream.frames
        scene.pull("repeat_events", {"account": "main", "n": 100})
        await scene.until(lambda: scene.venue.stats().stream.frames >= frames + 8)
        assert (scene.lots, scene.engine.ledger.wallet_e8, scene.trader.stop_id) == (lots, wallet_e8, stop)
        assert scene.protected and len(scene.records("fills")) == 3
        scene.leave()
        await scene.until(lambda: scene.clean)
        assert scene.engine.ledger.wallet_e8 == scene.account.wallet_e8

    running(script, tmp_path)
