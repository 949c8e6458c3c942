"""F10: a level crosses the other side; the book is invalid, is made anew, and nobody trades the «arbitrage»."""

from __future__ import annotations

import random

import pytest

from models.control import Decision
from tests.core.desk import MID
from tests.data_collector import frames
from tests.fakes.bot import Bot

CROSSINGS = {
    "bid above ask": {"bids": [(MID + 3, 5)]}, "ask below bid": {"asks": [(MID - 3, 5)]},
    "bid at ask": {"bids": [(MID + 1, 5)]}, "ask at bid": {"asks": [(MID - 1, 5)]},
    "both through each other": {"bids": [(MID + 9, 5)], "asks": [(MID - 9, 5)]},
}  # fmt: skip


@pytest.mark.parametrize("levels", CROSSINGS.values(), ids=CROSSINGS)
def test_a_crossed_book_is_invalid_at_once_and_made_anew(levels: dict[str, list[tuple[int, int]]]) -> None:
    """The frame that crosses the book halts decisions, is counted and wishes a snapshot; then entries return."""
    bot = Bot().started()
    bot.frame(bot.depth(**levels))
    book = bot.engine.memory.book(0)
    assert (bot.decision, book["valid"], book["crossed"], bot.wanted) == (Decision.HALTED, 0, 1, {0: "DATA_CROSSED"})
    assert any(str(reason).startswith("DATA_CROSSED: bid") for _, reason in bot.decisions)
    assert (bot.entry() or "").startswith("DATA_") and bot.session.actions == 0
    bot.frame(bot.depth()).snapshot()
    assert bot.touch() == (MID - 1, MID + 1) and bot.decision is Decision.HALTED
    for _ in range(12):
        bot.wait(100).frame(bot.depth())
    assert bot.decision is Decision.ALLOWED and bot.entry() is None


def test_a_crossed_book_feeds_no_window() -> None:
    """Neither mid nor imbalance nor depth know of a book that cannot be."""
    bot = Bot().started()
    before = bot.engine.memory.view(0).kept()
    bot.frame(bot.depth(bids=[(MID + 500, 10_000)]))
    after = bot.engine.memory.view(0)
    for name in ("mid2", "bid_lots", "imbalance_bid", "depth_frames", "depth_lots", "mid_slot"):
        assert after.get(name) == before.get(name), name


def test_a_frame_that_ends_uncrossed_is_no_fault() -> None:
    """Within one frame levels may pass each other: only its end counts, because the venue changed them at once."""
    bot = Bot().started()
    asks = [(MID + n, 0) for n in range(1, 4)]
    bot.frame(bot.depth(bids=[(MID + 3, 5)], asks=asks))
    assert bot.touch() == (MID + 3, MID + 4) and bot.decision is Decision.ALLOWED and bot.wanted == {}


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_heard_entries_see_an_ordered_book(seed: int) -> None:
    """Over thousands of random levels, after each frame best bid is below best ask or nothing may enter."""
    dice, bot, crossed = random.Random(seed), Bot().started(), 0
    for number in range(1_500):
        level = [(MID + dice.choice((-1, 1)) * dice.randrange(1, 30), dice.randrange(3)) for _ in range(2)]
        bids = [(min(tick, MID + 1), lots) for tick, lots in level]
        bot.frame(bot.depth(bids=bids if number % 2 else (), asks=() if number % 2 else level[:1]))
        bid, ask = bot.touch()
        assert bid < ask or bot.decision is Decision.HALTED
        if bot.wanted:
            crossed += 1
            assert bot.decision is Decision.HALTED
            bot.snapshot()
    assert crossed > 20 and bot.engine.memory.book(0)["crossed"] >= crossed


def test_crossed_quotes_and_snapshots_are_refused_before_they_are_rows() -> None:
    """A quote or a REST book whose sides cross is quarantined; the standing book stays."""
    bot = Bot().started()
    bot.frame({**frames.quote(3), "b": "77000.10", "a": "77000.00"})
    bot.snapshot(sides=([(MID + 5, 1)], [(MID + 5, 1)]))
    assert bot.hearing.counts.reasons == {"CROSSED": 2}
    assert bot.touch() == (MID - 1, MID + 1) and bot.decision is Decision.ALLOWED
