"""The harness of the faults on the order path: a bot on an exchange, opened, closed, killed and started again."""

from __future__ import annotations

from pathlib import Path

import uvloop

from models.order import Purpose
from tests.faults.real_run import Bot, Scene, exchange, running


def test_a_run_opens_protects_and_closes(tmp_path: Path) -> None:
    """An entry provoked by hand is filled and its stop rests at the exchange; the exit leaves nothing behind."""

    async def script(scene: Scene) -> None:
        name = await scene.open()
        assert scene.placed(Purpose.ENTRY) == [name]
        scene.leave()
        await scene.until(lambda: scene.clean)
        assert len(scene.placed(Purpose.EXIT)) == len(scene.placed(Purpose.STOP)) == 1

    running(script, tmp_path)


def test_a_killed_bot_is_followed_by_another(tmp_path: Path) -> None:
    """A bot that ends without a word leaves its position with its stop; the next one on the same folder has both."""

    async def run() -> None:
        async with exchange() as venue:
            async with Bot(venue, tmp_path) as bot:
                before = Scene(venue, bot)
                await before.open()
                lots, stop = before.lots, before.trader.stop_id
            async with Bot(venue, tmp_path) as bot:
                scene = Scene(venue, bot)
                await scene.until(lambda: scene.protected)
                assert (scene.lots, scene.trader.stop_id) == (lots, stop)
                scene.check(before)

    uvloop.run(run())
