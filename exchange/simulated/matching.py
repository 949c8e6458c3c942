"""The compiled part of the simulated exchange: its own book, how rows pass over it, and the walk of a taking order.

The state is one flat int64 block at ``SimulatedExchange.address``: ``HEADER_WORDS`` words for the exchange, then
``LANE_WORDS`` for each instrument. A fused loop may read ``PROOF_NS``, ``DUE_NS`` and ``ALIVE``: with ``ALIVE`` 0
(no order under way or resting, no position) ``follow`` may come late and in bulk; nothing can happen before it.

``follow`` only carries the book and the last prices forward. At anything rare it stops, leaves the reason in
``REASON`` and Python does the matching; what makes it stop depends on rows and orders alone, never on the cut.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray

from core.kernels.book import (
    BOOK,
    LADDER_MASK,
    LADDER_TICKS,
    NO_ASK,
    NO_BID,
    book_apply,
    book_follow_touch,
    book_rows,
)
from core.kernels.kernel import address_of, kernel, pointer_to, pointer_to_words, rows_at

# Words of the exchange.
PROOF_NS = 0  # smallest venue arrival among orders waiting for proof, FAR_NS when none
DUE_NS = 1  # when the earliest report becomes visible to us, FAR_NS when none
ALIVE = 2  # orders under way, resting orders, stops and open positions, counted
REASON = 3  # why ``follow`` returned before ``stop``: the REASON_ bits, 0 when it did not
OFFSET_NS = 4  # venue clock minus our receive clock
LAG_BOUND_NS = 5
COUNT = 6  # instruments
BOOKS = 7  # address of the exchange's books
BEFORE = 8  # lots at the touched level before the row (REASON_LEVEL)
HEADER_WORDS = 16  # the rest is free for a fused loop (venue.py)

# Words of an instrument (its lane).
LANE_PROOF_NS = 0
LANE_WATCH = 1  # the WATCH_ bits
LANE_MARK_E8 = 2  # 0 until a mark row came
LANE_FUNDING_MS = 3  # next settlement announced by the last mark row
LANE_RATE_E8 = 4
LANE_LAST = 5  # last trade, ticks; 0 until one came
LANE_BUY_LOW = 6  # our resting buys lie in [BUY_LOW, BUY_HIGH]; the range is empty when none rests
LANE_BUY_HIGH = 7
LANE_SELL_LOW = 8
LANE_SELL_HIGH = 9
LANE_STOP_BUY = 10  # lowest trigger of our buy stops, FAR when none
LANE_STOP_SELL = 11  # highest trigger of our sell stops, 0 when none
LANE_MID_LOW = 12  # bid + ask at or below it may liquidate a long while no mark is known; 0 when not watched
LANE_MID_HIGH = 13
LANE_MARK_NS = 14  # venue time of the last mark row
LANE_WORDS = 16

WATCH_TRADES = 1  # a resting kind of order is under way: every trade is kept until it arrives
WATCH_LEVELS = 2  # orders rest: their levels and crossings matter
WATCH_MARKS = 4  # a position or a stop on the mark
WATCH_MIDS = 8  # a position and no mark yet

REASON_PROOF = 1  # before the row: it proves arrivals of its instrument
REASON_SILENCE = 2  # before the row: a tick that proves arrivals by the lag bound
REASON_LEVEL = 4  # after the row: the level of a resting order changed
REASON_END = 8  # after the row: the frame ends and resting orders or mids need a look
REASON_TRADE = 16  # after the row
REASON_MARK = 32  # after the row; the lane still holds the mark before it

_FIRST, _LAST = 1 << 8, 2 << 8
_OUTSIDE = (8 | 16) << 8  # FILLED, OFF_MARKET: no market event of now
_DEPTH, _SNAPSHOT, _TRADE, _MARK, _TICK = 1, 2, 4, 5, 8
_OCCURRED, _RECEIVED, _PRICE, _QUANTITY, _SEQUENCE, _EXTRA = 1, 2, 3, 4, 5, 6

_books_at = pointer_to(BOOK)


def empty_books(count: int) -> np.ndarray:
    """``count`` books that know nothing, dtype ``BOOK``."""
    books = np.zeros(count, dtype=BOOK)
    books["best_bid"] = NO_BID
    books["best_ask"] = NO_ASK
    books["base"] = -(LADDER_TICKS >> 1)
    return books


@kernel
def _watched_rows(state: np.ndarray, lane: int, book: Any, rows: np.ndarray, start: int, stop: int) -> int:
    """Depth rows one by one while orders rest: stops after the first that touches the level of one."""
    i = start
    while i < stop:
        head = rows[i, 0]
        tick = rows[i, _PRICE]
        buys = (head >> 16) & 0xFF == 0
        low = state[lane + LANE_BUY_LOW] if buys else state[lane + LANE_SELL_LOW]
        high = state[lane + LANE_BUY_HIGH] if buys else state[lane + LANE_SELL_HIGH]
        touched = head & 0xFF == _DEPTH and low <= tick <= high and rows[i, _QUANTITY] >= 0
        if touched:
            state[REASON] = REASON_LEVEL
            state[BEFORE] = 0
            if book.base <= tick < book.base + LADDER_TICKS:
                state[BEFORE] = book.bids[tick & LADDER_MASK] if buys else book.asks[tick & LADDER_MASK]
        i = book_rows(book, rows, i, i + 1)
        if touched or head & _LAST:
            return i
    return i


@kernel
def _frame_end(state: np.ndarray, lane: int, book: Any, rows: np.ndarray, last: int) -> None:
    """What follows the last row of a depth frame: times, window, and whether orders or mids need a look."""
    book.occurred_ns = rows[last, _OCCURRED]
    book.received_ns = rows[last, _RECEIVED]
    book.update_id = rows[last, _SEQUENCE]
    snapshot = rows[last, 0] & 0xFF == _SNAPSHOT
    if snapshot:
        book.valid = 1
    book_follow_touch(book)
    watch = state[lane + LANE_WATCH]
    if watch & (WATCH_LEVELS | WATCH_MIDS) == 0:
        return
    bid = book.best_bid
    ask = book.best_ask
    if watch & WATCH_LEVELS and (snapshot or ask <= state[lane + LANE_BUY_HIGH] or bid >= state[lane + LANE_SELL_LOW]):
        state[REASON] |= REASON_END
    if watch & WATCH_MIDS and bid != NO_BID and ask != NO_ASK:
        middle = bid + ask
        if middle <= state[lane + LANE_MID_LOW] or middle >= state[lane + LANE_MID_HIGH]:
            state[REASON] |= REASON_END


@kernel
def _trade_or_mark(state: np.ndarray, lane: int, rows: np.ndarray, i: int) -> None:
    """A trade or mark row: keep its price; set the reason when an order or position may care."""
    head = rows[i, 0]
    if head & 0xFF == _TRADE:
        if head & _OUTSIDE:
            return
        price = rows[i, _PRICE]
        state[lane + LANE_LAST] = price
        if (
            state[lane + LANE_WATCH] & WATCH_TRADES
            or price <= state[lane + LANE_BUY_HIGH]
            or price >= state[lane + LANE_SELL_LOW]
            or price >= state[lane + LANE_STOP_BUY]
            or price <= state[lane + LANE_STOP_SELL]
        ):
            state[REASON] = REASON_TRADE
    elif state[lane + LANE_WATCH] & WATCH_MARKS:
        state[REASON] = REASON_MARK
    else:
        state[lane + LANE_MARK_E8] = rows[i, _PRICE]
        state[lane + LANE_FUNDING_MS] = rows[i, _SEQUENCE]
        state[lane + LANE_RATE_E8] = rows[i, _EXTRA]
        state[lane + LANE_MARK_NS] = rows[i, _OCCURRED]


@kernel
def follow(state_address: int, rows_address: int, start: int, stop: int) -> int:
    """Consume rows ``[start, stop)`` at ``rows_address`` in received order; returns the index to go on from.

    ``REASON`` 0: all is consumed. ``REASON_PROOF``/``REASON_SILENCE``: the row at the returned index waits until the
    proven arrivals are executed. Any other: the row before the returned index was consumed and wants matching.
    """
    state = carray(pointer_to_words(state_address), (HEADER_WORDS,))
    count = state[COUNT]
    state = carray(pointer_to_words(state_address), (HEADER_WORDS + count * LANE_WORDS,))
    books = carray(_books_at(state[BOOKS]), (count,))
    rows = rows_at(rows_address, stop)
    state[REASON] = 0
    i = start
    while i < stop:
        head = rows[i, 0]
        kind = head & 0xFF
        instrument = (head >> 32) & 0xFFFF
        if kind == _TICK:
            if rows[i, _RECEIVED] + state[OFFSET_NS] - state[LAG_BOUND_NS] >= state[PROOF_NS]:
                state[REASON] = REASON_SILENCE
                return i
            i += 1
            continue
        if instrument >= count:
            i += 1
            continue
        lane = HEADER_WORDS + instrument * LANE_WORDS
        if kind <= _SNAPSHOT and head & _FIRST and rows[i, _OCCURRED] > state[lane + LANE_PROOF_NS]:
            state[REASON] = REASON_PROOF
            return i
        if kind <= _SNAPSHOT:
            book = books[instrument]
            if state[lane + LANE_WATCH] & WATCH_LEVELS:
                i = _watched_rows(state, lane, book, rows, i, stop)
            else:
                i = book_rows(book, rows, i, stop)
            if rows[i - 1, 0] & _LAST:
                _frame_end(state, lane, book, rows, i - 1)
        else:
            if kind in (_TRADE, _MARK):
                _trade_or_mark(state, lane, rows, i)
            i += 1
        if state[REASON] != 0:
            return i
    return i


@kernel
def walk(
    books_address: int, index: int, side: int, lots: int, limit: int, take: int, out_address: int, capacity: int
) -> int:
    """Levels that an order of ``lots`` on ``side`` (0 buys) meets up to tick ``limit``, best first.

    Writes ``(tick, lots)`` pairs to ``out_address`` (room for ``capacity``) and returns their number; with ``take`` 1
    the levels lose what was taken, until depth refreshes them. Stops at the end of the known range: what lies beyond
    is unknown, not empty. An invalid book gives nothing.
    """
    books = carray(_books_at(books_address), (index + 1,))
    book = books[index]
    out = carray(pointer_to_words(out_address), (2 * capacity,))
    count = 0
    if book.valid == 0:
        return 0
    step = 1 if side == 0 else -1
    tick = book.best_ask if side == 0 else book.best_bid
    last = min(limit, book.known_high) if side == 0 else max(limit, book.known_low)
    while lots > 0 and count < capacity and (last - tick) * step >= 0:
        shown = book.asks[tick & LADDER_MASK] if side == 0 else book.bids[tick & LADDER_MASK]
        if shown > 0:
            taken = min(shown, lots)
            out[2 * count] = tick
            out[2 * count + 1] = taken
            count += 1
            lots -= taken
            if take == 1:
                book_apply(book, 1 - side, tick, shown - taken)
        tick += step
    return count


def warm() -> None:
    """Compile or load every kernel of the exchange on scratch memory, before the first order needs one."""
    state = np.zeros(HEADER_WORDS + LANE_WORDS, dtype=np.int64)
    books, out = empty_books(1), np.zeros(2, dtype=np.int64)
    state[COUNT], state[BOOKS] = 1, address_of(books)
    follow(address_of(state), address_of(out), 0, 0)
    walk(address_of(books), 0, 0, 1, NO_ASK, 1, address_of(out), 1)
