"""F08: a diff is missing, repeated or out of its place; the book is invalid at once, and is made anew."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

import pytest

from data_collector.book_sync import Phase
from models.control import Decision
from models.rows import BID
from tests.core.desk import MID
from tests.fakes.bot import Bot, around
from tests.fakes.disturbed import Frame, check_true, run

SECONDS = 6.0
DEPTH_FRAMES = range(8, 45)  # of about 60 in six seconds: the first few are before the snapshot


def disturbed(lever: str, at: int, frames: Iterable[Frame]) -> Iterator[Frame]:
    """The market with one accident at its depth frame number ``at``."""
    number, held = 0, None
    for frame in frames:
        if "@depth" in frame[1]:
            number += 1
            if number == at and lever == "drop":
                continue
            if number == at and lever == "swap":
                held = frame
                continue
            if number == at and lever == "duplicate":
                yield frame
            if held is not None and number == at + 1:
                yield frame
                yield held
                held = None
                continue
        yield frame


@pytest.mark.parametrize("lever", ["drop", "swap", "duplicate"])
def test_one_accident_at_any_offset_ends_in_the_true_book(lever: str) -> None:
    """After a dropped, swapped or repeated diff at random places, the book is in the end that of the market."""
    dice = random.Random(lever)
    for at in dice.sample(DEPTH_FRAMES, 4):
        bot, source = run(SECONDS, lambda frames, at=at: disturbed(lever, at, frames))  # type: ignore[misc]
        counts = bot.hearing.counts
        assert counts.gaps == (lever != "duplicate") and source.snapshots == 1 + counts.gaps
        assert bot.hearing.synced(0)
        check_true(bot, source)
        assert ("HALT", "DATA_GAP: the book is not in sequence") in bot.decisions or lever == "duplicate"


def test_a_gap_blocks_entries_with_the_frame_that_shows_it() -> None:
    """``pu`` is not the last ``u``: before anything else is heard the decision is HALTED and a snapshot wanted."""
    bot = Bot().started()
    bot.frame(bot.depth(bids=[(MID - 1, 7)], previous=bot.last + 3))
    assert (bot.decision, bot.reason, bot.wanted) == (Decision.HALTED, "DATA_GAP", {0: "GAP"})
    assert bot.entry() == "DATA_GAP: the book is not in sequence"
    assert bot.levels()[BID, MID - 1] == 1_000, "continuity is checked before anything is applied"


def test_a_first_event_behind_the_snapshot_is_a_gap() -> None:
    """A diff whose ``pu`` lies behind the snapshot's id does not join it: what lies between is missing."""
    bot = Bot()
    bot.frame(bot.depth())
    bot.snapshot()
    assert bot.hearing.synced(0)
    bot.frame(bot.depth(previous=bot.last + 3))
    assert (bot.decision, bot.wanted, bot.hearing.counts.gaps) == (Decision.HALTED, {0: "GAP"}, 1)


def test_no_signal_reads_the_book_while_it_is_invalid() -> None:
    """Neither quotes, trades nor diffs move a window of the book until the snapshot has come."""
    bot = Bot().started()
    bot.frame(bot.depth(previous=bot.last + 3))
    before = bot.engine.memory.view(0).kept()
    for number in range(20):
        bot.frame(bot.depth(bids=[(MID - 1, number)]))
    after = bot.engine.memory.view(0)
    for name in ("depth_frames", "mid2", "bid_lots", "imbalance_bid", "imbalance_head", "mid_slot", "signals"):
        assert after.get(name) == before.get(name), name


def test_the_snapshot_joins_what_was_buffered_and_entries_come_back() -> None:
    """Diffs heard since the gap are applied behind the snapshot that they join; relief comes after a second."""
    bot = Bot().started()
    bot.frame(bot.depth(previous=bot.last + 3))
    middle = bot.last
    bot.frame(bot.depth(bids=[(MID - 1, 7)])).frame(bot.depth(asks=[(MID + 1, 9)]))
    assert bot.hearing._syncs[0].buffered == 3
    bot.snapshot(middle)
    assert bot.levels()[BID, MID - 1] == 7 and bot.wanted == {}
    assert bot.decision is Decision.HALTED and (bot.entry() or "").startswith("DATA_GAP")
    for _ in range(12):
        bot.wait(100).frame(bot.depth())
    assert bot.decision is Decision.ALLOWED and bot.entry() is None


def test_a_gap_of_one_symbol_blocks_that_symbol() -> None:
    """Each instrument has its own chain and its own decision."""
    from tests.data_collector.frames import BTC, ETH

    bot = Bot((BTC, ETH))
    for index in range(2):
        bot.last = 100 * (index + 1)
        bot.frame(bot.depth(index=index)).snapshot(index=index, sides=around(200_000)).frame(bot.depth(index=index))
    bot.frame(bot.depth(previous=999, index=1))
    assert [trader.machine.now.decision for trader in bot.engine.traders] == [Decision.ALLOWED, Decision.HALTED]
    assert [sync.phase for sync in bot.hearing._syncs] == [Phase.CHAINED, Phase.WAITING]
