"""Questions to the naive engine: plain walks over its dicts, whole histories and exact fractions."""

from __future__ import annotations

from fractions import Fraction

from tests.naive.book import Book, book_top
from tests.naive.engine import QUOTES_KEPT, Engine
from tests.naive.price_windows import GRID_NS, MID_BOUND


def _book(engine: Engine, instrument: int) -> Book:
    return engine.markets[instrument].book


def collar_walk(engine: Engine, instrument: int, side: int, lots: int) -> int:
    """Take level after level of the proven book until ``lots`` are filled; the last level's tick, 0 when it ends."""
    book = _book(engine, instrument)
    if side == 0:
        levels = sorted((tick, size) for tick, size in book.asks.items() if tick <= book.known_high)
    else:
        levels = sorted(((tick, size) for tick, size in book.bids.items() if tick >= book.known_low), reverse=True)
    taken = 0
    for tick, size in levels:
        taken += size
        if taken >= lots:
            return tick
    return 0


def mid_before(engine: Engine, instrument: int, at_ns: int) -> int:
    """The mid of the grid slot of ``at_ns``; 0 before the first one heard and beyond what is kept."""
    windows, slot = engine.markets[instrument].windows, at_ns // GRID_NS
    if not windows.mids or slot < min(windows.mids) or max(windows.mids) - slot >= MID_BOUND:
        return 0
    return windows.mid_at(slot)


def depth_within(engine: Engine, instrument: int, bps: int) -> tuple[int, int]:
    """Proven lots whose price is within ``bps`` of the mid, and whether a tick inside the bounds is not proven."""
    book = _book(engine, instrument)
    if not book.bids or not book.asks:
        return 0, 1
    mid = Fraction(book.best_bid + book.best_ask, 2)
    low, high = mid * Fraction(10_000 - bps, 10_000), mid * Fraction(10_000 + bps, 10_000)
    bids = sum(lots for tick, lots in book.bids.items() if tick >= low and tick >= book.known_low)
    asks = sum(lots for tick, lots in book.asks.items() if tick <= high and tick <= book.known_high)
    return bids + asks, int(book.known_low - 1 >= low or book.known_high + 1 <= high)


def depth_top(engine: Engine, instrument: int, levels: int) -> tuple[int, int]:
    """Lots of the best ``levels`` levels of each side."""
    return book_top(_book(engine, instrument), levels)


def quote_gap(engine: Engine, instrument: int) -> tuple[int, int]:
    """The touch against the newest kept quote that is not newer than the book, and whether a newer one is known."""
    book, heard = _book(engine, instrument), engine.markets[instrument].quotes_heard[-QUOTES_KEPT:]
    if not heard:
        return -1, 0
    final = int(heard[-1][0] >= book.update_id)
    known = [quote for quote in heard if quote[0] <= book.update_id]
    if not known:
        return -1, final
    _, bid, _, ask, _ = known[-1]
    return max(abs(bid - book.best_bid), abs(ask - book.best_ask)), final
