"""The compiled pass over market rows: books, tape, bars, windows, conditions.

``advance`` takes integers only and returns ``index << 8 | wake bits``: the index after the frame that met a condition
(the frame is consumed), or of the first frame received after the deadline (it is not). The rows of one frame are one
unit: the deadline is judged on its first row, features and conditions on its last. All state stands in the records of
``state.py``, so that cutting the rows anywhere, inside a frame included, changes nothing.
"""

from __future__ import annotations

from numba import carray

from core.kernels.bar_windows import bars_depth, bars_trade
from core.kernels.book import NO_ASK, NO_BID, book_follow_touch, book_rows, book_top
from core.kernels.conditions import (
    conditions_edge,
    conditions_entry,
    conditions_exit,
    conditions_fresh,
    conditions_second,
    conditions_violated,
)
from core.kernels.kernel import kernel, rows_at
from core.kernels.price_windows import imbalance_add, mid_add, second_due
from core.kernels.state import LIQUIDATION_RING, QUOTE_RING, TAPE_ROWS, pointer_to_engine, pointer_to_market

_OCCURRED, _RECEIVED, _PRICE, _QUANTITY, _SEQUENCE, _EXTRA, _FRAME = 1, 2, 3, 4, 5, 6, 7
_FIRST, _LAST, _FILLED, _OFF_MARKET = 1 << 8, 2 << 8, 8 << 8, 16 << 8
_DEPTH, _SNAPSHOT, _QUOTE, _TRADE, _MARK, _LIQUIDATION, _KLINE, _TICK = 1, 2, 3, 4, 5, 6, 7, 8
_WAKE_DEADLINE, _WAKE_TRUST, _WAKE_ASK = 1, 2, 32
_QUOTE_MASK = QUOTE_RING - 1
_TAPE_MASK = TAPE_ROWS - 1
_LIQUIDATION_MASK = LIQUIDATION_RING - 1


@kernel
def _after_depth(engine, market, rows, last, snapshot):
    """Features and conditions after the last row of a depth or snapshot frame; returns wake bits."""
    book = market.book
    book.update_id = rows[last, _SEQUENCE]
    book.occurred_ns = rows[last, _OCCURRED]
    now = rows[last, _RECEIVED]
    book.received_ns = now
    if snapshot:
        book.valid = 1
    elif book.valid == 0:  # a broken chain feeds no window until a snapshot mends it
        return conditions_violated(market, now)
    bid = book.best_bid
    ask = book.best_ask
    if bid >= ask:
        book.crossed += 1
        return conditions_violated(market, now)
    book_follow_touch(book)
    market.depth_frames += 1
    if book.occurred_ns >= 0:  # else nobody told the time
        market.event_lag_ns = now + engine.clock_offset_ns - book.occurred_ns
    if bid == NO_BID or ask == NO_ASK:
        return conditions_violated(market, now)
    _compare_quote(market, book)
    market.mid2 = bid + ask
    market.bid = bid
    market.ask = ask
    market.bid_lots, market.ask_lots = book_top(book, market.imbalance_levels)
    imbalance_add(market, now)
    mid_add(market, now, bid + ask)
    bits = bars_depth(market, book.occurred_ns)
    if second_due(market, now):
        conditions_second(market, now)
    bits |= conditions_violated(market, now)
    bits |= conditions_edge(market, now)
    bits |= conditions_exit(market, now)
    return bits | conditions_entry(market, now)


@kernel
def _compare_quote(market, book):
    """Compare the touch with the quote of the same update id, when one of the last ones has it."""
    head = market.quote_head
    update_id = book.update_id
    for back in range(min(head, QUOTE_RING)):
        slot = (head - 1 - back) & _QUOTE_MASK
        quote_id = market.quote_ring[slot, 0]
        if quote_id <= update_id:
            if quote_id == update_id:
                market.quotes_compared += 1
                if (
                    market.quote_ring[slot, 1] == book.best_bid
                    and market.quote_ring[slot, 3] == book.best_ask
                    and market.quote_ring[slot, 2] == book.bids[book.best_bid & 0xFFFF]
                    and market.quote_ring[slot, 4] == book.asks[book.best_ask & 0xFFFF]
                ):
                    market.quotes_equal += 1
            return


@kernel
def _take_quote(market, rows, i):
    """Keep one quote row; the ask row, which comes second, completes the quote. Both add to the order flow (A.4)."""
    price = rows[i, _PRICE]
    lots = rows[i, _QUANTITY]
    if (rows[i, 0] >> 16) & 0xFF == 0:
        if market.quotes > 0:
            if price >= market.quote_bid:
                market.flow_lots += lots
            if price <= market.quote_bid:
                market.flow_lots -= market.quote_bid_lots
        market.quote_bid = price
        market.quote_bid_lots = lots
        return
    if market.quotes > 0:
        if price <= market.quote_ask:
            market.flow_lots -= lots
        if price >= market.quote_ask:
            market.flow_lots += market.quote_ask_lots
    market.quote_ask = price
    market.quote_ask_lots = lots
    market.quote_id = rows[i, _SEQUENCE]
    market.quote_occurred_ns = rows[i, _OCCURRED]
    market.quote_received_ns = rows[i, _RECEIVED]
    market.quotes += 1
    slot = market.quote_head & _QUOTE_MASK
    market.quote_ring[slot, 0] = market.quote_id
    market.quote_ring[slot, 1] = market.quote_bid
    market.quote_ring[slot, 2] = market.quote_bid_lots
    market.quote_ring[slot, 3] = market.quote_ask
    market.quote_ring[slot, 4] = market.quote_ask_lots
    market.quote_head += 1


@kernel
def _take_trade(engine, market, rows, i):
    """One trade row into tape, bars and, when filled in, the mid window; returns wake bits of bars closed by it."""
    head = rows[i, 0]
    if head & _OFF_MARKET:
        return 0
    side = (head >> 16) & 0xFF
    price = rows[i, _PRICE]
    lots = rows[i, _QUANTITY]
    occurred = rows[i, _OCCURRED]
    first = market.tape_count & _TAPE_MASK
    for place in (first, first + TAPE_ROWS):
        market.tape[0, place] = rows[i, _RECEIVED]
        market.tape[1, place] = occurred
        market.tape[2, place] = price
        market.tape[3, place] = lots if side == 0 else -lots
        market.tape[4, place] = rows[i, _SEQUENCE]
    market.tape_count += 1
    if side == 0:
        market.bought_lots += lots
    else:
        market.sold_lots += lots
    market.trades += 1
    market.last_price = price
    market.last_lots = lots
    market.last_side = side
    market.last_trade_id = rows[i, _SEQUENCE]
    market.last_trade_ns = occurred
    market.last_trade_received_ns = rows[i, _RECEIVED]
    if head & _FILLED:
        # Asked for afterwards: its own time stands for the receive time, its price for the mid nobody heard.
        then = occurred - engine.clock_offset_ns
        mid_add(market, then, 2 * price)
        if second_due(market, then):
            conditions_second(market, then)
    return bars_trade(market, side, price, lots, occurred)


@kernel
def _take_other(market, rows, i):
    """A mark or liquidation row."""
    kind = rows[i, 0] & 0xFF
    if kind == _MARK:
        market.mark_e8 = rows[i, _PRICE]
        market.index_e8 = rows[i, _QUANTITY]
        market.funding_next_ms = rows[i, _SEQUENCE]
        market.funding_e8 = rows[i, _EXTRA]
        market.mark_received_ns = rows[i, _RECEIVED]
    elif kind == _LIQUIDATION:
        market.liquidation_ring[market.liquidation_head & _LIQUIDATION_MASK] = rows[i, _RECEIVED]
        market.liquidation_head += 1
        market.liquidation_recent = min(market.liquidation_recent + 1, LIQUIDATION_RING)
        market.liquidations += 1


@kernel
def _other_frame(engine, market, rows, i, stop):
    """Rows of a quote, trade, mark, liquidation, bar or tick frame from ``i`` on: ``(next index, wake bits)``."""
    bits = 0
    head = 0
    while i < stop and head & _LAST == 0:
        head = rows[i, 0]
        kind = head & 0xFF
        if kind == _TRADE:
            bits |= _take_trade(engine, market, rows, i)
        elif kind == _QUOTE:
            _take_quote(market, rows, i)
        elif kind in (_MARK, _LIQUIDATION):
            _take_other(market, rows, i)
        elif kind != _TICK and kind != _KLINE:
            engine.unknown_rows += 1
        i += 1
    if head & _LAST == 0:
        return i, bits
    kind = head & 0xFF
    now = rows[i - 1, _RECEIVED]
    if kind != _TICK and kind != _LIQUIDATION:
        bits |= conditions_fresh(market, now)
        if kind == _TRADE and head & _FILLED == 0:
            bits |= conditions_exit(market, now)
            bits |= conditions_entry(market, now)
    else:
        if kind == _TICK:
            bits |= bars_depth(market, now + engine.clock_offset_ns)
            if market.mid2 > 0:
                mid_add(market, now, market.mid2)
                if second_due(market, now):
                    conditions_second(market, now)
        bits |= conditions_violated(market, now)
        bits |= conditions_exit(market, now)
    return i, bits


@kernel
def advance(engine_address, rows_address, start, stop):
    """Run the rows ``[start, stop)`` at ``rows_address`` through the engine until it must wake somebody."""
    engine = carray(pointer_to_engine(engine_address), (1,))[0]
    markets = carray(pointer_to_market(engine.markets_at), (engine.instruments,))
    rows = rows_at(rows_address, stop)
    i = start
    while i < stop:
        head = rows[i, 0]
        if head & _FIRST:
            if rows[i, _RECEIVED] > engine.deadline_ns:
                engine.rows += i - start
                return i << 8 | _WAKE_DEADLINE
            engine.now_ns = rows[i, _RECEIVED]
            engine.frame = rows[i, _FRAME]
            engine.frames += 1
        instrument = (head >> 32) & 0xFFFF
        if instrument >= engine.instruments:
            engine.unknown_rows += 1
            i += 1
            continue
        market = markets[instrument]
        kind = head & 0xFF
        bits = 0
        if kind in (_DEPTH, _SNAPSHOT):
            i = book_rows(market.book, rows, i, stop)
            if rows[i - 1, 0] & _LAST:
                bits = _after_depth(engine, market, rows, i - 1, kind == _SNAPSHOT)
        else:
            i, bits = _other_frame(engine, market, rows, i, stop)
        if rows[i - 1, 0] & _LAST == 0:
            engine.frame_bits |= bits  # cut inside the frame: its wake waits for its last row
            break
        bits |= engine.frame_bits
        engine.frame_bits = 0
        if market.ask_every_frame:
            bits |= _WAKE_ASK
        if bits:
            engine.wake_instrument = instrument
            engine.rows += i - start
            return i << 8 | bits
    engine.rows += stop - start
    return stop << 8
