"""Questions that a decision asks the compiled state by address: price collar, mid some time ago, depth, quotes."""

from __future__ import annotations

from numba import carray

from core.kernels.book import LADDER_MASK, NO_ASK, NO_BID, book_depth, book_top
from core.kernels.kernel import kernel
from core.kernels.state import QUOTE_RING, pointer_to_engine, pointer_to_market


@kernel
def collar_walk(engine_address, instrument, side, lots):
    """The worst tick that ``lots`` reach on the book they take from (side 0 buys asks); 0 beyond the known range."""
    engine = carray(pointer_to_engine(engine_address), (1,))[0]
    book = carray(pointer_to_market(engine.markets_at), (engine.instruments,))[instrument].book
    left = lots
    if side == 0:
        tick = book.best_ask
        if tick == NO_ASK:
            return 0
        while tick <= book.known_high:
            left -= book.asks[tick & LADDER_MASK]
            if left <= 0:
                return tick
            tick += 1
        return 0
    tick = book.best_bid
    if tick == NO_BID:
        return 0
    while tick >= book.known_low:
        left -= book.bids[tick & LADDER_MASK]
        if left <= 0:
            return tick
        tick -= 1
    return 0


@kernel
def mid_before(engine_address, instrument, at_ns):
    """The mid (bid + ask) in force at ``at_ns`` by the 100 ms grid; 0 when the grid does not reach there."""
    engine = carray(pointer_to_engine(engine_address), (1,))[0]
    market = carray(pointer_to_market(engine.markets_at), (engine.instruments,))[instrument]
    slot = at_ns // 100_000_000
    if market.mid_first_slot == 0 or slot < market.mid_first_slot or slot <= market.mid_slot - 1024:
        return 0
    return market.mid_ring[min(slot, market.mid_slot) % 1024]


@kernel
def depth_within(engine_address, instrument, bps):
    """Lots within ``bps`` of the mid, both sides together, and 1 when a bound lies outside the known range (A.2)."""
    engine = carray(pointer_to_engine(engine_address), (1,))[0]
    market = carray(pointer_to_market(engine.markets_at), (engine.instruments,))[instrument]
    book = market.book
    if book.best_bid == NO_BID or book.best_ask == NO_ASK:
        return 0, 1
    mid2 = book.best_bid + book.best_ask
    # price >= mid·(1 − bps/1e4) and price <= mid·(1 + bps/1e4), whole ticks inside the bounds
    low = -((mid2 * (bps - 10_000)) // 20_000)
    high = (mid2 * (10_000 + bps)) // 20_000
    bid_lots, ask_lots, truncated = book_depth(book, low, high)
    return bid_lots + ask_lots, truncated


@kernel
def depth_top(engine_address, instrument, levels):
    """Lots on the best ``levels`` occupied ticks of each side: ``(bid_lots, ask_lots)``."""
    engine = carray(pointer_to_engine(engine_address), (1,))[0]
    book = carray(pointer_to_market(engine.markets_at), (engine.instruments,))[instrument].book
    return book_top(book, levels)


@kernel
def quote_gap(engine_address, instrument):
    """How far the touch is from the newest quote that is not newer than the book: ``(ticks, final)``.

    ``ticks`` is the larger difference of both sides, -1 when no such quote is kept. ``final`` is 1 when the quote
    stream has reached the book's update id, so that no quote still on its way can change the answer.
    """
    engine = carray(pointer_to_engine(engine_address), (1,))[0]
    market = carray(pointer_to_market(engine.markets_at), (engine.instruments,))[instrument]
    book = market.book
    head = market.quote_head
    if head == 0:
        return -1, 0
    final = 1 if market.quote_ring[(head - 1) % QUOTE_RING, 0] >= book.update_id else 0
    for back in range(min(head, QUOTE_RING)):
        slot = (head - 1 - back) % QUOTE_RING
        if market.quote_ring[slot, 0] <= book.update_id:
            bid_gap = abs(market.quote_ring[slot, 1] - book.best_bid)
            ask_gap = abs(market.quote_ring[slot, 3] - book.best_ask)
            return max(bid_gap, ask_gap), final
    return -1, final
