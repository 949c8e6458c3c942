"""A run on real sockets: primed, traded, stopped in either way, against the embedded exchange in this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

import wiring
from config.settings import Settings
from core.kernels.state import Ready
from core.risk.mode import Cause
from exchange.emulator.generator import Generator
from interface.drivers import sockets
from interface.drivers.parts import Parts
from models.action import Note
from models.control import Operating
from models.error import VenueUnreachableError
from models.order import Purpose
from tests.exchange.emulator.client import running
from utils.clock import RunClock, wall_ns

SPEED = 20.0
WITHIN_S = 30.0


def settings(data: Path, rest: str = "http://127.0.0.1:9", streams: str = "ws://127.0.0.1:9", **feed: Any) -> Settings:
    """The defaults against an exchange of ours, with files below ``data``."""
    base = Settings()
    feed = {"rest_url": rest, "stream_url": streams, "deliver_timeout_s": 10.0, **feed}
    return msgspec.structs.replace(
        base,
        app=msgspec.structs.replace(base.app, data_dir=str(data)),
        feed=msgspec.structs.replace(base.feed, **feed),
        execution=msgspec.structs.replace(base.execution, keep_warm=False),
    )


class Scene:
    """A run's parts, its stop, and what it noted."""

    def __init__(self, parts: Parts, stop: asyncio.Event, now_ns: Callable[[], int]) -> None:
        self.parts, self.stop, self.now_ns = parts, stop, now_ns

    async def until(self, met: Callable[[], bool]) -> None:
        """Wait for a state of the run; a minute without it is a failure."""
        async with asyncio.timeout(WITHIN_S):
            while not met():
                await asyncio.sleep(0.001)


def played(
    data: Path, script: Callable[[Scene], Awaitable[None]], *, duration_s: float | None = None, protect: bool = False,
    **feed: Any,
) -> tuple[Parts, list[Note]]:  # fmt: skip
    """One run while ``script`` plays beside it; ends when the script has set the stop, or after ``duration_s``."""
    notes: list[Note] = []

    async def doing(talk: Any) -> Parts:
        wanted = settings(data, talk.exchange.rest_url, talk.exchange.stream_url, **feed)
        clock = RunClock(wall_ns(), SPEED)
        stop = asyncio.Event()
        async with contextlib.AsyncExitStack() as stack:
            venue = await wiring.choose_venue(stack, wanted, "binance", clock, [])
            parts = wiring.paper_sockets(
                wanted, venue, seed=7, started_ns=clock.anchor_ns, speed=SPEED, observer=notes.append
            )
            task = asyncio.ensure_future(script(Scene(parts, stop, clock.now_ns)))
            await sockets.drive(
                parts, venue.line, venue.feed, venue.market, clock.now_ns, stop, rate=SPEED, duration_s=duration_s,
                protect=protect,
            )  # fmt: skip
            await asyncio.wait_for(task, WITHIN_S)
            for close in parts.closing:
                close()
        return parts

    market = Generator(7, wall_ns(), ("BTCUSDT",))
    return running(doing, market, speed=SPEED), notes


async def nothing(scene: Scene) -> None:
    """A script that leaves the run alone."""


def open_position(scene: Scene) -> bool:
    """Whether an entry has been filled and its stop rests."""
    trader = scene.parts.engine.traders[0]
    return bool(trader.position.lots) and not scene.parts.engine.account.on_the_way()


def test_windows_are_full_at_the_first_frame(tmp_path: Path) -> None:
    """Primed from the exchange's recent trades, volume and momentum are ready when the run begins to hear."""
    seen: list[int] = []

    async def script(scene: Scene) -> None:
        await scene.until(lambda: scene.parts.engine.memory.book(0)["valid"] == 1)
        seen.append(scene.parts.engine.memory.view(0).get("ready"))
        scene.stop.set()

    played(tmp_path, script)
    assert seen == [Ready.ALL]


def test_a_finite_run_ends_flat(tmp_path: Path) -> None:
    """When its time is over a run enters nothing more and closes what is open."""
    parts, notes = played(tmp_path, nothing, duration_s=1.5)
    assert parts.flat
    assert parts.engine.mode.state is Operating.REDUCING
    assert {note.file for note in notes} >= {"decisions", "state_transitions"}


def test_a_stop_leaves_a_position_with_its_stop_order(tmp_path: Path) -> None:
    """With ``protect`` the position stays, its stop rests at the exchange, and no entry is on its way."""

    async def script(scene: Scene) -> None:
        await scene.until(lambda: open_position(scene))
        scene.stop.set()

    parts, _ = played(tmp_path, script, protect=True)
    engine = parts.engine
    assert engine.traders[0].position.lots != 0
    assert [order.approved.purpose for order in engine.orders.alive(0)] == [Purpose.STOP]
    assert list(engine.mode.causes) == [Cause.HANDOVER]


def test_a_stop_closes_a_position_when_asked_to(tmp_path: Path) -> None:
    """Without ``protect`` the same stop ends flat, with the reason in the trade."""

    async def script(scene: Scene) -> None:
        await scene.until(lambda: open_position(scene))
        scene.stop.set()

    parts, notes = played(tmp_path, script)
    assert parts.flat and not parts.engine.traders[0].position.lots
    assert [note.record["exit_reason"] for note in notes if note.file == "trades"][-1] == "force_exit"


def test_a_journal_that_cannot_keep_blocks_entries(tmp_path: Path) -> None:
    """F62: from the look after the failure on no entry is made; the run goes on."""

    async def script(scene: Scene) -> None:
        await scene.until(lambda: scene.parts.engine.memory.book(0)["valid"] == 1)
        scene.parts.keeper._journal.failed = "the disk is gone"
        await scene.until(lambda: Cause.OPERATOR in scene.parts.engine.mode.causes)
        scene.stop.set()

    parts, _ = played(tmp_path, script)
    assert parts.engine.mode.causes[Cause.OPERATOR].startswith("journal")


def test_a_lost_book_is_fetched_again(tmp_path: Path) -> None:
    """A book declared impossible is asked for by REST and valid again, while the run goes on."""

    async def script(scene: Scene) -> None:
        ear = scene.parts.ear
        await scene.until(lambda: scene.parts.engine.memory.book(0)["valid"] == 1)
        before = ear.hearing.counts.snapshots
        ear.resync(0, "TEST", scene.now_ns())
        ear.pass_on(0)
        assert scene.parts.engine.memory.book(0)["valid"] == 0
        await scene.until(lambda: scene.parts.engine.memory.book(0)["valid"] == 1)
        assert ear.hearing.counts.snapshots == before + 1
        scene.stop.set()

    parts, _ = played(tmp_path, script)
    assert parts.ear.hearing.counts.quarantined == 0


def test_missing_trades_are_asked_for(tmp_path: Path) -> None:
    """A gap in the aggregate ids is filled from REST; what was missing is heard once."""

    async def script(scene: Scene) -> None:
        hearing = scene.parts.ear.hearing
        await scene.until(lambda: scene.parts.engine.memory.view(0).get("trades") > 50)
        last = scene.parts.engine.memory.view(0).get("last_trade_id")
        answers = hearing.counts.answers
        hearing.trades_wanted[0] = (last - 5, last - 1)  # as after a gap
        await scene.until(lambda: hearing.counts.answers > answers)
        scene.stop.set()

    parts, _ = played(tmp_path, script)
    assert parts.ear.hearing.counts.quarantined == 0


def test_the_session_is_on_record(tmp_path: Path) -> None:
    """Journal, recording and records of the run lie where the conventions say, and nothing was dropped."""
    parts, _ = played(tmp_path, nothing, duration_s=1.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["market", "paper"]
    assert (tmp_path / "paper" / "journal" / f"{parts.run_id}.journal").is_file()
    assert (tmp_path / "market" / parts.run_id / "index.json").is_file()
    assert (parts.writer.dropped, parts.writer.problem) == (0, "")


def test_a_venue_that_does_not_answer_is_named(tmp_path: Path) -> None:
    """With no choice left, the sentence says who did not deliver, for how long, and what would be right."""

    async def asked() -> None:
        async with contextlib.AsyncExitStack() as stack:
            await wiring.choose_venue(
                stack, settings(tmp_path, deliver_timeout_s=0.3), "binance", RunClock(wall_ns()), []
            )

    with pytest.raises(VenueUnreachableError, match=r"ws://127\.0\.0\.1:9 did not deliver market data within 0\.3 s"):
        asyncio.run(asked())
