"""Whether the market as it stands lets an entry pass, in one call: the limits P08, P09 and P10 on the compiled state.

The same comparisons, in the same arithmetic, as ``core.risk.limits`` makes one by one. It says yes or «look closer»,
never no: what is not plainly clear goes through the limits, which name what is broken.
"""

from __future__ import annotations

from numba import carray

from core.kernels.book import LADDER_MASK, NO_ASK, NO_BID, book_top
from core.kernels.kernel import door, pointer_to_doubles
from core.kernels.probe import mid_before, quote_gap
from core.kernels.state import pointer_to_engine, pointer_to_market

# Words of the limits: float64[LIMIT_WORDS], in the units of the settings. Whole numbers below 2**53 are exact.
FRESH_MS, LAG_MAX_MS, QUOTE_GAP_NS, QUOTE_GAP_TICKS, MARK_FRESH_NS, MARK_GAP_PCT = range(6)
MOVE_PCT, SPREAD_BPS, DEPTH_LEVELS, DEPTH_MULTIPLE, COLLAR_MID_BPS, TICK_E8 = range(6, 12)
LIMIT_WORDS = 12
_SECOND_NS = 1_000_000_000


@door
def clear_market(engine_address, instrument, side, lots, at_ns, limits_address):
    """The touch that an order for ``lots`` on ``side`` (0 buys) takes, when every limit on the market holds and the
    touch alone fills the order; else 0.
    """
    engine = carray(pointer_to_engine(engine_address), (1,))[0]
    market = carray(pointer_to_market(engine.markets_at), (engine.instruments,))[instrument]
    limits = carray(pointer_to_doubles(limits_address), (LIMIT_WORDS,))
    book = market.book
    bid = book.best_bid
    ask = book.best_ask
    if book.valid == 0 or bid == NO_BID or ask == NO_ASK or bid >= ask:
        return 0
    if (at_ns - book.received_ns) / 1e6 > limits[FRESH_MS] or market.event_lag_ns / 1e6 > limits[LAG_MAX_MS]:
        return 0
    gap, final = quote_gap(engine_address, instrument)
    settled = final == 1 or at_ns - market.quote_received_ns > limits[QUOTE_GAP_NS]
    if settled and gap > limits[QUOTE_GAP_TICKS]:
        return 0
    if market.mark_e8 > 0 and market.last_price > 0 and market.mark_received_ns > at_ns - limits[MARK_FRESH_NS]:
        last_e8 = market.last_price * int(limits[TICK_E8])
        if abs(last_e8 - market.mark_e8) * 100 / market.mark_e8 > limits[MARK_GAP_PCT]:
            return 0
    before = mid_before(engine_address, instrument, at_ns - _SECOND_NS)
    if before > 0 and abs(bid + ask - before) * 100 / before > limits[MOVE_PCT]:
        return 0
    if (ask - bid) * 20_000 / (ask + bid) > limits[SPREAD_BPS]:
        return 0
    bid_depth, ask_depth = book_top(book, int(limits[DEPTH_LEVELS]))
    if (ask_depth if side == 0 else bid_depth) < limits[DEPTH_MULTIPLE] * lots:
        return 0
    touch = ask if side == 0 else bid
    held = book.asks[ask & LADDER_MASK] if side == 0 else book.bids[bid & LADDER_MASK]
    if held < lots or touch > book.known_high or touch < book.known_low:
        return 0
    if abs(2 * touch - bid - ask) * 10_000 / (bid + ask) > limits[COLLAR_MID_BPS]:
        return 0
    return touch
