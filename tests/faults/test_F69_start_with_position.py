"""F69: a start with a position open and a history that cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import uvloop

from core.risk.mode import Cause
from tests.faults.real_run import Bot, Scene, exchange
from tests.faults.venue_hands import still


def spoilt(data: bytes) -> bytes:
    """A journal whose middle is gone although it was on the disk."""
    at = len(data) // 3
    return data[:at] + bytes(64) + data[at + 64 :]


@pytest.mark.parametrize("change", [spoilt, lambda data: b"no journal"])
def test_a_spoilt_journal_stops_entries_and_nothing_else(tmp_path: Path, change: Any) -> None:
    """The run before left a journal that is spoilt, or something else in its place: the position is protected from what
    the venue says, entries wait for a person, and the run goes on."""

    async def run() -> None:
        async with exchange(speed=10.0) as venue:
            async with Bot(venue, tmp_path, speed=10.0) as bot:
                scene = Scene(venue, bot)
                await scene.open()
                still(scene)
                path = scene._path()
                await scene.until(bot.parts.keeper._journal.sync, "the journal on the disk")
            path.write_bytes(change(path.read_bytes()))
            async with Bot(venue, tmp_path, speed=10.0) as bot:
                scene = Scene(venue, bot)
                await scene.until(lambda: scene.protected and scene.engine.custody.ready, "the position protected")
                assert len(scene.stops) == 1
                await scene.until(lambda: list(scene.causes) == [Cause.OPERATOR], "nothing else in the way")
                assert (
                    scene.causes[Cause.OPERATOR].startswith("journal: ") and path.name in scene.causes[Cause.OPERATOR]
                )
                scene.command("allow_entries")
                await scene.until(lambda: not scene.causes, "allowed by hand")

    uvloop.run(run())


def test_rows_without_a_position_and_an_empty_history_start(tmp_path: Path) -> None:
    """Rows of nothing, and trades and incomes that cannot be read: the start needs neither."""

    async def run() -> None:
        async with exchange(speed=10.0) as venue:
            for call in ("GET /fapi/v1/userTrades", "GET /fapi/v1/income", "GET /fapi/v1/allOrders"):
                venue.venue.faults.arm("answer", call, count=0, text="[]")
            venue.venue.accounts["main"].position("BTCUSDT")
            async with Bot(venue, tmp_path, speed=10.0) as bot:
                scene = Scene(venue, bot)
                await scene.normal()
                assert scene.clean

    uvloop.run(run())
