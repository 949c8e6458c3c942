"""The market's limits on an entry, one after the other, as the documents word them."""

from __future__ import annotations

from typing import Any

from tests.naive.engine import Engine
from tests.naive.probe import mid_before, quote_gap

FRESH_MS, LAG_MAX_MS, QUOTE_GAP_NS, QUOTE_GAP_TICKS, MARK_FRESH_NS, MARK_GAP_PCT = range(6)
MOVE_PCT, SPREAD_BPS, DEPTH_LEVELS, DEPTH_MULTIPLE, COLLAR_MID_BPS, TICK_E8 = range(6, 12)


def clear_market(engine: Engine, instrument: int, side: int, lots: int, at_ns: int, limits: list[float]) -> int:
    """The touch, when every limit holds and the touch alone fills the order; else 0."""
    market: Any = engine.markets[instrument]
    book = market.book
    if not book.valid or not book.bids or not book.asks or book.best_bid >= book.best_ask:
        return 0
    bid, ask = book.best_bid, book.best_ask
    gap, final = quote_gap(engine, instrument)
    before = mid_before(engine, instrument, at_ns - 1_000_000_000)
    own = sorted(book.asks.items()) if side == 0 else sorted(book.bids.items(), reverse=True)
    touch, held = own[0]
    broken = [
        (at_ns - book.received_ns) / 1e6 > limits[FRESH_MS],
        market.event_lag_ns / 1e6 > limits[LAG_MAX_MS],
        (final == 1 or at_ns - market.quote_received_ns > limits[QUOTE_GAP_NS]) and gap > limits[QUOTE_GAP_TICKS],
        bool(before) and abs(bid + ask - before) * 100 / before > limits[MOVE_PCT],
        (ask - bid) * 20_000 / (ask + bid) > limits[SPREAD_BPS],
        sum(lots_at for _, lots_at in own[: int(limits[DEPTH_LEVELS])]) < limits[DEPTH_MULTIPLE] * lots,
        held < lots,
        not book.known_low <= touch <= book.known_high,
        abs(2 * touch - bid - ask) * 10_000 / (bid + ask) > limits[COLLAR_MID_BPS],
    ]
    if market.mark_e8 > 0 and market.last_price > 0 and market.mark_received_ns > at_ns - limits[MARK_FRESH_NS]:
        last_e8 = market.last_price * int(limits[TICK_E8])
        broken.append(abs(last_e8 - market.mark_e8) * 100 / market.mark_e8 > limits[MARK_GAP_PCT])
    return 0 if any(broken) else touch
