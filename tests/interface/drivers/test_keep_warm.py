"""The scratch bot that keeps a decision in the caches, and cannot do anything else."""

from __future__ import annotations

import asyncio
import hashlib

import wiring
from config.settings import Settings
from interface.drivers.keep_warm import KeepWarm, keep_warm
from models.action import Submit

BEATS = 900  # two and a quarter chains


def beaten(warm: KeepWarm, beats: int) -> KeepWarm:
    """The bot after some rounds."""
    for _ in range(beats):
        warm.beat()
    return warm


def test_nearly_every_beat_decides_an_entry() -> None:
    """Frame, conditions, gate, order: the whole path, or there would be nothing to keep warm."""
    warm = beaten(wiring.keep_warm_bot(Settings()), BEATS)
    assert warm.beats == BEATS
    assert warm.entries > 0.9 * BEATS


def test_nothing_grows() -> None:
    """After thousands of beats no order is alive, no entry is blocked, and what limits count is bounded."""
    warm = beaten(wiring.keep_warm_bot(Settings()), 3 * BEATS)
    engine = warm.engine
    assert engine.orders.none_alive and not engine.mode.causes
    assert len(engine.ledger.entries) < 200 and len(engine.ledger.messages) <= 2


def test_live_state_is_not_touched() -> None:
    """Another engine in the same process keeps every byte while the scratch bot beats."""
    parts = wiring.Scratch(Settings())
    before = hashlib.sha256(parts.engine.memory.markets.tobytes()).hexdigest()
    beaten(wiring.keep_warm_bot(Settings()), 50)
    assert hashlib.sha256(parts.engine.memory.markets.tobytes()).hexdigest() == before


def test_it_beats_until_cancelled() -> None:
    """As a task it runs beside others and ends quietly."""

    async def scene() -> int:
        warm = wiring.keep_warm_bot(Settings())
        task = asyncio.create_task(keep_warm(warm))
        while warm.beats < 5:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task)
        return warm.beats

    assert asyncio.run(scene()) >= 5


def test_each_entry_is_rehearsed() -> None:
    """What journal and venue do to an order is done to every entry of the scratch bot."""
    rehearsed: list[Submit] = []
    warm = beaten(wiring.keep_warm_bot(Settings(), rehearsed.append), 50)
    assert len(rehearsed) == warm.entries > 40
