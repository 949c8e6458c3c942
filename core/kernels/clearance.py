"""How much an entry may take of the market as it stands, in one call: size by the prepared money, then P08, P09, P10.

The same comparisons, in the same arithmetic, as ``core.risk.limits`` makes one by one. It gives a size or «look
closer», never no: what is not plainly clear goes through the limits, which name what is broken.
"""

from __future__ import annotations

import numpy as np
from numba import carray

from core.kernels.book import LADDER_MASK, NO_ASK, NO_BID, book_top
from core.kernels.kernel import door, pointer_to
from core.kernels.probe import mid_before, quote_gap
from core.kernels.state import pointer_to_engine, pointer_to_market

ALLOWANCE = np.dtype(
    [
        # what the account allows, prepared when it changes
        ("from_ns", "i8"),  # not before: P12, P14, P15, P17
        ("budget_e8", "i8"),  # value of the largest entry by every bound of money: P02, P03, P05, P06
        ("value_max_e8", "i8"),  # P04, and the value up to which stop and liquidation keep their distances (P07)
        # constants of the instrument
        ("unit_e8", "i8"), ("tick_e8", "i8"), ("lots_min", "i8"), ("lots_max", "i8"), ("notional_min_e8", "i8"),
        # limits on the market, in the units of the settings
        ("quote_gap_ns", "i8"), ("mark_fresh_ns", "i8"), ("quote_gap_ticks", "i8"), ("depth_levels", "i8"),
        ("fresh_ms", "f8"), ("lag_max_ms", "f8"), ("mark_gap_pct", "f8"), ("move_pct", "f8"), ("spread_bps", "f8"),
        ("depth_multiple", "f8"), ("collar_mid_bps", "f8"),
    ]
)  # fmt: skip
"""Everything one instrument's entry is measured against, for ``clear_entry``."""

_pointer_to_allowance = pointer_to(ALLOWANCE)
_SECOND_NS = 1_000_000_000


@door
def clear_entry(engine_address, instrument, side, at_ns, allowance_address):
    """Lots of an entry on ``side`` (0 buys), when every limit holds and the touch alone fills them; else 0."""
    engine = carray(pointer_to_engine(engine_address), (1,))[0]
    market = carray(pointer_to_market(engine.markets_at), (engine.instruments,))[instrument]
    allowed = carray(_pointer_to_allowance(allowance_address), (1,))[0]
    if at_ns < allowed.from_ns:
        return 0
    book = market.book
    bid = book.best_bid
    ask = book.best_ask
    if book.valid == 0 or bid == NO_BID or ask == NO_ASK or bid >= ask:
        return 0
    touch = ask if side == 0 else bid
    if touch <= 0:
        return 0
    lots = min(allowed.budget_e8 // (touch * allowed.unit_e8), allowed.lots_max)
    value_e8 = touch * allowed.unit_e8 * lots
    if lots < allowed.lots_min or value_e8 < allowed.notional_min_e8 or value_e8 > allowed.value_max_e8:
        return 0
    if (at_ns - book.received_ns) / 1e6 > allowed.fresh_ms or market.event_lag_ns / 1e6 > allowed.lag_max_ms:
        return 0
    gap, final = quote_gap(engine_address, instrument)
    settled = final == 1 or at_ns - market.quote_received_ns > allowed.quote_gap_ns
    if settled and gap > allowed.quote_gap_ticks:
        return 0
    if market.mark_e8 > 0 and market.last_price > 0 and market.mark_received_ns > at_ns - allowed.mark_fresh_ns:
        last_e8 = market.last_price * allowed.tick_e8
        if abs(last_e8 - market.mark_e8) * 100 / market.mark_e8 > allowed.mark_gap_pct:
            return 0
    before = mid_before(engine_address, instrument, at_ns - _SECOND_NS)
    if before > 0 and abs(bid + ask - before) * 100 / before > allowed.move_pct:
        return 0
    if (ask - bid) * 20_000 / (ask + bid) > allowed.spread_bps:
        return 0
    bid_depth, ask_depth = book_top(book, allowed.depth_levels)
    if (ask_depth if side == 0 else bid_depth) < allowed.depth_multiple * lots:
        return 0
    held = book.asks[ask & LADDER_MASK] if side == 0 else book.bids[bid & LADDER_MASK]
    if held < lots or touch > book.known_high or touch < book.known_low:
        return 0
    if abs(2 * touch - bid - ask) * 10_000 / (bid + ask) > allowed.collar_mid_bps:
        return 0
    return lots
