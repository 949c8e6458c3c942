"""F09: the venue answers with snapshots from before everything that was buffered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from data_collector.book_sync import FRAMES_MAX, ROWS_MAX
from models.control import Decision
from models.rows import BID
from tests.builders import SECOND
from tests.core.desk import MID
from tests.fakes.bot import Bot
from tests.fakes.disturbed import Frame, check_true, run
from wiring import VIRTUAL_START_NS


def late(lag_ns: int, frames: Iterable[Frame]) -> Iterator[Frame]:
    """Somebody connects when the market has been running for ``lag_ns``."""
    return (frame for frame in frames if frame[0] >= VIRTUAL_START_NS + lag_ns)


@pytest.mark.parametrize("lag_s", [1, 5, 30])
def test_a_venue_that_lags_is_waited_for(lag_s: int) -> None:
    """With snapshots from 1, 5 and 30 s ago the book is in sequence once one reaches the buffer, and it is true."""
    lag_ns = lag_s * SECOND
    bot, source = run(lag_s + 3.0, lambda frames: late(lag_ns, frames), snapshot_lag_ns=lag_ns)
    counts = bot.hearing.counts
    assert bot.hearing.synced(0) and (counts.snapshots, counts.gaps) == (1, 0)
    assert counts.snapshots_old == source.snapshots - 1 > 5 * lag_s
    check_true(bot, source)
    decisions = [note for note in bot.notes if note.file == "decisions"]
    assert [note.record["action"] for note in decisions][:1] == ["RESUME"]
    assert decisions[0].at_ns >= VIRTUAL_START_NS + 2 * lag_ns - SECOND // 5, "nothing was allowed before"


def test_an_old_snapshot_changes_nothing_and_is_asked_for_again() -> None:
    """The buffer stays, entries stay blocked, and the wish says why."""
    bot = Bot()
    bot.last = 100
    for number in range(5):
        bot.frame(bot.depth(bids=[(MID - 1, number + 1)]))
    bot.wanted.clear()  # somebody asks the venue
    bot.snapshot(50)
    assert (bot.wanted, bot.hearing._syncs[0].buffered) == ({0: "SNAPSHOT_OLD"}, 5)
    assert bot.decision is Decision.HALTED and bot.entry() is not None and bot.levels() == {}
    bot.snapshot(101)
    assert bot.hearing.synced(0) and bot.levels()[BID, MID - 1] == 5 and bot.wanted == {}


def test_the_buffer_is_bounded_however_long_the_venue_lags() -> None:
    """Of ten thousand diffs the newest stay, in frames and in rows; a snapshot that reaches them ends the waiting."""
    bot = Bot()
    bot.last = 100
    wide = [(MID - 1 - step, 1) for step in range(60)]
    for _ in range(10_000):
        bot.frame(bot.depth(bids=wide))
    sync = bot.hearing._syncs[0]
    assert 0 < sync.buffered <= FRAMES_MAX and sync.buffered * len(wide) <= ROWS_MAX
    kept = sync.buffered
    bot.snapshot(bot.last - 5 * (kept + 1))
    assert not bot.hearing.synced(0) and sync.buffered == kept
    bot.snapshot(bot.last - 5 * kept)
    assert bot.hearing.synced(0) and sync.buffered == 0


def test_a_late_answer_never_replaces_a_younger_book() -> None:
    """A snapshot from before the book in sequence is counted as old, asks for nothing and changes no level."""
    bot = Bot().started()
    bot.frame(bot.depth(bids=[(MID - 1, 7)]))
    before = bot.levels()
    bot.snapshot(bot.last - 10)
    assert bot.levels() == before and bot.wanted == {} and bot.hearing.synced(0)
    assert bot.hearing.counts.snapshots_old == 1 and bot.decision is Decision.ALLOWED
