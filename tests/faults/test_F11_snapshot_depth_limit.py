"""F11: the snapshot has few levels and the price walks out of them; what was never seen is unknown, not empty."""

from __future__ import annotations

from core.kernels.probe import depth_within
from core.kernels.state import Condition
from models.control import Decision
from models.rows import ASK, BID
from tests.core.desk import MID
from tests.fakes.bot import Bot, Levels

TICKS = 200
STEP_MS = 200  # 40 s for the walk: the wish for a wider range comes at most every 15 s


class Market:
    """A ladder with lots on every tick, whose mid walks up."""

    def __init__(self) -> None:
        self.mid = MID

    def lots(self, tick: int) -> int:
        return 1_000 + tick % 7

    def book(self, levels: int) -> tuple[Levels, Levels]:
        bids = [(tick, self.lots(tick)) for tick in range(self.mid - 1, self.mid - 1 - levels, -1)]
        return bids, [(tick, self.lots(tick)) for tick in range(self.mid + 1, self.mid + 1 + levels)]

    def step(self) -> tuple[Levels, Levels]:
        """One tick up: the best ask is taken, bids follow. What changed, as a diff tells it."""
        self.mid += 1
        bid = self.mid - 1
        return [(bid, self.lots(bid))], [(self.mid, 0)]


def begun(levels: int) -> tuple[Bot, Market]:
    """A bot that knows ``levels`` of each side."""
    bot, market = Bot(), Market()
    bot.frame(bot.depth()).snapshot(sides=market.book(levels)).frame(bot.depth())
    return bot, market


def check_known(bot: Bot, market: Market) -> None:
    """Inside the proven range the book is the market's, and the touch is inside it."""
    book, (bid, ask) = bot.engine.memory.book(0), bot.touch()
    low, high = int(book["known_low"]), int(book["known_high"])
    assert (bid, ask) == (market.mid - 1, market.mid + 1) and low <= bid and ask <= high
    known = {(BID, tick): market.lots(tick) for tick in range(low, bid + 1)}
    known |= {(ASK, tick): market.lots(tick) for tick in range(ask, high + 1)}
    assert {key: lots for key, lots in bot.levels().items() if low <= key[1] <= high} == known


def test_the_range_is_renewed_before_the_price_leaves_it() -> None:
    """From 5 levels the price walks 200 ticks: near each edge a wider book is wished, the standing one stays valid."""
    bot, market = begun(5)
    wished = 0
    for _ in range(TICKS):
        bot.wait(STEP_MS).frame(bot.depth(*market.step()))
        if bot.wanted:
            wished += 1
            assert bot.wanted == {0: "EDGE"} and bot.decision is Decision.ALLOWED
            answer, asked = market.book(100), bot.last
            if wished > 1:  # the market goes on while the answer is on its way
                bot.frame(bot.depth(*market.step()))
            bot.snapshot(asked, answer)
        check_known(bot, market)
        assert bot.decision is Decision.ALLOWED
    assert 3 <= wished <= 1 + 4 * TICKS * STEP_MS // 60_000
    assert bot.hearing.counts.gaps == 0 and not any(action == "HALT" for action, _ in bot.decisions)


def test_without_an_answer_the_end_of_the_known_book_blocks_entries() -> None:
    """When the last known ask is taken the book has no ask that anybody proved: HALTED, not a thin market."""
    bot, market = begun(5)
    for _ in range(5):
        assert bot.decision is Decision.ALLOWED
        bot.frame(bot.depth(*market.step()))
    assert bot.wanted == {0: "EDGE"} and bot.decision is Decision.HALTED
    assert (bot.entry() or "").startswith("DATA_GAP") and bot.session.actions == 0
    bot.snapshot(sides=market.book(100))
    check_known(bot, market)


def test_an_unproven_touch_says_so() -> None:
    """A touch heard beyond the snapshot's levels is no proven touch: the condition RANGE names it."""
    bot, market = begun(5)
    bot.frame(bot.depth(asks=[(tick, 0) for tick in range(market.mid + 1, market.mid + 6)] + [(market.mid + 50, 9)]))
    assert bot.touch() == (market.mid - 1, market.mid + 50)
    assert bot.engine.memory.view(0).get("violated") & Condition.RANGE and bot.wanted == {0: "EDGE"}


def test_depth_counts_the_proven_range_only() -> None:
    """Levels beyond the range are no part of depth, which then is a lower bound and says so."""
    bot, market = begun(5)
    bot.frame(bot.depth(bids=[(MID - 30, 1_000_000)], asks=[(MID + 30, 1_000_000)]))
    proven = sum(lots for side in market.book(5) for _, lots in side)
    assert depth_within(bot.engine.memory.address, 0, 5) == (proven, 1)
    bot.snapshot(sides=market.book(1_000))
    inside = sum(market.lots(tick) for tick in range(MID - 385, MID + 386) if tick != MID)
    assert depth_within(bot.engine.memory.address, 0, 5) == (inside, 0)
