"""F73: commands that were given before a restart are obeyed again after it. Shown for the journal, which has them all;
no command comes from outside the machine yet."""

from __future__ import annotations

from pathlib import Path

import uvloop

from core.risk.mode import Cause
from models.event import Command
from models.order import Purpose
from storage.cold.keeper import kept
from tests.faults.real_run import Bot, Scene, exchange


def test_a_command_counts_once_and_its_effect_stays(tmp_path: Path) -> None:
    """Flattened, then killed: the next run does not flatten again what a hand has opened meanwhile, but entries are
    still held back as they were, until somebody allows them anew."""

    async def run() -> None:
        async with exchange(speed=10.0) as venue:
            async with Bot(venue, tmp_path, speed=10.0) as bot:
                scene = Scene(venue, bot)
                await scene.open()
                scene.command("flatten")
                await scene.until(lambda: scene.clean, "flat and clean")
                exits, before = scene.placed(Purpose.EXIT), scene._path()
            assert [one.name for _, one in kept(before) if isinstance(one, Command)].count("flatten") == 1
            venue.venue.hands.pull("hand_trade", {"account": "main", "symbol": "BTCUSDT", "side": "BUY", "lots": 2})
            async with Bot(venue, tmp_path, speed=10.0) as bot:
                scene = Scene(venue, bot)
                await scene.until(lambda: scene.protected and scene.engine.custody.ready, "the position protected")
                await scene.passes(2.0)
                assert scene.protected and scene.placed(Purpose.EXIT) == exits
                assert [one.name for one in scene.journaled("Command")] == ["start"]
                assert scene.causes[Cause.OPERATOR].endswith("(of a run before)")
                scene.command("allow_entries")
                await scene.until(lambda: Cause.OPERATOR not in scene.causes, "allowed anew")

    uvloop.run(run())
