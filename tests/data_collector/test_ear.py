"""From message to session: numbered, recorded, heard; one by one, through the hot path and in bulk with one result."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_collector import continuity
from data_collector import ear as ears
from data_collector.ear import Ear
from data_collector.hearing import Hearing
from models.action import EDGE
from models.control import Decision
from models.error import DataError
from models.recording import RecordKind
from storage.cold.recording import Recording, RecordingWriter
from tests.core.desk import MID
from tests.data_collector import frames
from tests.data_collector.frames import packed, records
from tests.data_collector.streams import Item, stream
from tests.fakes.bot import Bot, around

SEEDS = range(4)


def facts(bot: Bot) -> tuple[object, ...]:
    """Everything a run leaves behind."""
    return bot.engine.memory.hash(), bot.notes, bot.hearing.counts, bot.wanted, bot.session.events, bot.session.actions


def one_by_one(bot: Bot, items: list[Item], *, hot: bool) -> Bot:
    for kind, connection, payload, received_ns in items:
        if hot and kind == RecordKind.FRAME:
            bot.ear.frame(connection, payload, received_ns)
        else:
            bot.ear.take(kind, connection, payload, received_ns)
    return bot


@pytest.mark.parametrize("seed", SEEDS)
def test_hot_path_slow_path_and_bulk_are_one(seed: int) -> None:
    """Frames in one compiled call, in two steps, and whole chunks leave the same state, notes, wishes and counters."""
    items = stream(seed, 900, damage=0.2)
    hot = one_by_one(Bot(frames.INSTRUMENTS), items, hot=True)
    slow = one_by_one(Bot(frames.INSTRUMENTS), items, hot=False)
    bulk = Bot(frames.INSTRUMENTS)
    assert bulk.ear.chunk(records(items))
    assert facts(hot) == facts(slow) == facts(bulk)
    assert hot.hearing.counts.gaps and "DATA_CROSSED" in str(hot.decisions)
    assert not hot.hearing.invalidated


def test_without_direct_memory_frames_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where bytes cannot be read in place the ear takes the slow path by itself, with the same result."""
    items = stream(2, 300, damage=0.2)
    direct = one_by_one(Bot(frames.INSTRUMENTS), items, hot=True)
    monkeypatch.setattr(ears, "DIRECT", False)
    monkeypatch.setattr(continuity, "DIRECT", False)
    assert facts(one_by_one(Bot(frames.INSTRUMENTS), items, hot=True)) == facts(direct)


def test_every_message_is_numbered_and_recorded(tmp_path: Path) -> None:
    """What was heard, bad frames and silence included, stands in the recording in order, and can be heard again."""
    items = stream(3, 400, damage=0.4)
    bot = Bot(frames.INSTRUMENTS)
    with RecordingWriter(tmp_path / "heard", meta={}, wait=True) as writer:
        bot.ear = Ear(bot.hearing, bot.session, writer.record)
        bot.session.resync = bot.ear.resync
        one_by_one(bot, items, hot=True)
        bot.ear.tick(items[-1][3] + 1)
    found = [
        (one.number, one.kind, one.connection, one.payload) for one in Recording.open(tmp_path / "heard").records()
    ]
    expected = [(number, *item[:3]) for number, item in enumerate(items, 1)]
    assert found == [*expected, (401, RecordKind.TICK, 0, b"")] and bot.ear.number == 401
    again = Bot(frames.INSTRUMENTS)
    for chunk in Recording.open(tmp_path / "heard").chunks():
        again.ear.chunk(chunk)
    assert facts(again) == facts(bot)


def test_a_lost_book_is_told_behind_the_rows_before_it() -> None:
    """A gap reaches the engine with the very frame that shows it: no entry is made on the book from before."""
    bot = Bot().started()
    bot.frame(bot.depth(previous=bot.last + 7))
    assert (bot.decision, bot.reason, bot.wanted) == (Decision.HALTED, "DATA_GAP", {0: "GAP"})
    assert bot.entry() == "DATA_GAP: the book is not in sequence"


def test_an_impossible_book_is_told_before_the_next_message() -> None:
    """When the engine finds the book crossed, hearing gives it up and the engine knows at once, on every path."""
    for way in ("hot", "slow", "bulk"):
        bot = Bot().started()
        message = packed(bot.depth(bids=[(MID + 3, 5)]))
        at_ns = bot.now_ns + 1
        if way == "hot":
            bot.ear.frame(0, message, at_ns)
        elif way == "slow":
            bot.ear.take(RecordKind.FRAME, 0, message, at_ns)
        else:
            bot.ear.chunk(records([(RecordKind.FRAME, 0, message, at_ns)]))
        assert (bot.reason, bot.wanted) == ("DATA_GAP", {0: "DATA_CROSSED"})
        assert not bot.engine.memory.book(0)["valid"] and not bot.hearing.synced(0)
        assert [reason for _, reason in bot.decisions][-2:] == [
            f"DATA_CROSSED: bid {MID + 3} >= ask {MID + 1} ticks", "DATA_GAP: the book is not in sequence",
        ]  # fmt: skip


def test_near_the_edge_the_book_stays_while_a_new_one_is_fetched() -> None:
    """A wish for a wider range asks for a snapshot and loses nothing; where nobody can answer it is not even asked."""
    for renewed in (True, False):
        bot = Bot().started()
        bot.ear = Ear(bot.hearing, bot.session, None, renewed=renewed)
        bot.ear.resync(0, EDGE, bot.now_ns)
        assert bot.wanted == ({0: EDGE} if renewed else {})
        bot.frame(bot.depth(bids=[(MID - 5, 1)]))
        assert (bot.decision, bot.hearing.synced(0)) == (Decision.ALLOWED, True)
        if renewed:
            bot.snapshot(sides=around(levels=100))
            assert bot.levels()[0, MID - 100] == 1_000 and bot.wanted == {} and bot.decision is Decision.ALLOWED


def test_a_chunk_stops_before_the_time_it_is_given() -> None:
    """Records from ``until_ns`` on are not heard, and the caller is told that there were some."""
    bot = Bot().started()
    items = [(RecordKind.FRAME, 0, packed(bot.depth()), 10**18 * 2 + number) for number in range(5)]
    frames_before = bot.hearing.counts.rows["depth"]
    assert not bot.ear.chunk(records(items), 10**18 * 2 + 3)
    assert bot.hearing.counts.rows["depth"] - frames_before == 3


def test_a_damaged_chunk_is_refused_with_its_place() -> None:
    """What is whole is heard; then an error names the byte where no record stands."""
    bot = Bot()
    chunk = records([(RecordKind.TICK, 0, b"", bot.now_ns + number) for number in range(3)])
    with pytest.raises(DataError, match="byte 64 of a chunk of 95"):
        bot.ear.chunk(chunk[:-1])
    assert bot.hearing.counts.rows["tick"] == 2


def test_silence_is_a_message_too() -> None:
    """A tick passes through hearing to the engine and moves its time."""
    bot = Bot().started()
    bot.ear.tick(bot.now_ns + 77)
    assert bot.engine.memory.now_ns == bot.now_ns + 77
    assert isinstance(bot.ear.hearing, Hearing) and bot.hearing.counts.rows["tick"] == 1
