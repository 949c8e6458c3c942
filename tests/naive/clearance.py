"""The limits on an entry, one after the other, as the documents word them."""

from __future__ import annotations

from typing import Any

from tests.naive.engine import Engine
from tests.naive.probe import mid_before, quote_gap


def clear_entry(engine: Engine, instrument: int, side: int, at_ns: int, allowed: Any) -> int:
    """The lots, when every limit holds and the touch alone fills them; else 0."""
    market: Any = engine.markets[instrument]
    book = market.book
    if not book.valid or not book.bids or not book.asks or book.best_bid >= book.best_ask:
        return 0
    bid, ask = book.best_bid, book.best_ask
    gap, final = quote_gap(engine, instrument)
    before = mid_before(engine, instrument, at_ns - 1_000_000_000)
    own = sorted(book.asks.items()) if side == 0 else sorted(book.bids.items(), reverse=True)
    touch, held = own[0]
    if touch <= 0:
        return 0
    lots = min(allowed["budget_e8"] // (touch * allowed["unit_e8"]), allowed["lots_max"])
    broken = [
        at_ns < allowed["from_ns"],
        lots < allowed["lots_min"],
        touch * allowed["unit_e8"] * lots < allowed["notional_min_e8"],
        touch * allowed["unit_e8"] * lots > allowed["value_max_e8"],
        (at_ns - book.received_ns) / 1e6 > allowed["fresh_ms"],
        market.event_lag_ns / 1e6 > allowed["lag_max_ms"],
        (final == 1 or at_ns - market.quote_received_ns > allowed["quote_gap_ns"]) and gap > allowed["quote_gap_ticks"],
        bool(before) and abs(bid + ask - before) * 100 / before > allowed["move_pct"],
        (ask - bid) * 20_000 / (ask + bid) > allowed["spread_bps"],
        sum(lots_at for _, lots_at in own[: int(allowed["depth_levels"])]) < allowed["depth_multiple"] * lots,
        held < lots,
        not book.known_low <= touch <= book.known_high,
        abs(2 * touch - bid - ask) * 10_000 / (bid + ask) > allowed["collar_mid_bps"],
    ]
    if market.mark_e8 > 0 and market.last_price > 0 and market.mark_received_ns > at_ns - allowed["mark_fresh_ns"]:
        last_e8 = market.last_price * allowed["tick_e8"]
        broken.append(abs(last_e8 - market.mark_e8) * 100 / market.mark_e8 > allowed["mark_gap_pct"])
    return 0 if any(broken) else lots
