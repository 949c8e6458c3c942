"""The tick-ladder book: two int64 ladders indexed by ``tick & LADDER_MASK``, a window that follows the price.

A ladder of 65,536 ticks takes 0.5 MB a side and costs 6 ns a level against 99–558 ns for dict books (latency notes).
The window is ``[base, base + LADDER_TICKS)``; because the index is the tick modulo the size, moving the window only
clears the slots that leave it. Levels outside the proven range are unknown, not empty (F11): a snapshot proves bids
from ``known_low`` up and asks up to ``known_high``. Moving the window narrows the range; the touch widens it where it
walks, because no ask rests at or below the best bid and no bid at or above the best ask.

Money units: prices are ticks, quantities lots. ``NO_BID`` and ``NO_ASK`` order correctly against every real tick, so
«crossed» is always ``best_bid >= best_ask``.
"""

from __future__ import annotations

import numpy as np

from core.kernels.kernel import kernel

LADDER_TICKS = 1 << 16
LADDER_MASK = LADDER_TICKS - 1
LADDER_QUARTER = LADDER_TICKS // 4
NO_BID = 0
NO_ASK = 1 << 62

BOOK = np.dtype(
    [
        ("base", "i8"),  # lowest tick of the window
        ("best_bid", "i8"),
        ("best_ask", "i8"),
        ("known_low", "i8"),  # proven range, both ends included
        ("known_high", "i8"),
        ("update_id", "i8"),  # u of the last applied frame
        ("occurred_ns", "i8"),  # venue time of the last applied frame
        ("received_ns", "i8"),
        ("valid", "i8"),  # 1 from a snapshot until the chain breaks
        ("outside", "i8"),  # levels that fell outside the window, counted
        ("crossed", "i8"),  # frames that left the book crossed, counted
        ("moves", "i8"),  # window moves, counted
        ("bids", "i8", (LADDER_TICKS,)),
        ("asks", "i8", (LADDER_TICKS,)),
    ],
    align=True,
)

# Row words and bits as plain integers, which kernels take as constants (models.rows names them).
_PRICE, _QUANTITY = 3, 4
_FIRST = 1 << 8
_LAST = 2 << 8
_SNAPSHOT = 2


@kernel
def book_clear(book, centre):
    """Forget every level and centre the window on tick ``centre``; nothing is known until levels arrive."""
    book.bids[:] = 0
    book.asks[:] = 0
    book.base = centre - (LADDER_TICKS >> 1)
    book.best_bid = NO_BID
    book.best_ask = NO_ASK
    book.known_low = centre
    book.known_high = centre
    book.valid = 0


@kernel
def book_move(book, centre):
    """Centre the window on tick ``centre``: clear the slots that leave it and narrow the known range to it."""
    base = centre - (LADDER_TICKS >> 1)
    old = book.base
    shift = base - old
    if shift >= LADDER_TICKS or shift <= -LADDER_TICKS:
        book.bids[:] = 0
        book.asks[:] = 0
        book.best_bid = NO_BID
        book.best_ask = NO_ASK
        book.known_low = centre
        book.known_high = centre
    else:
        low, high = (old, base) if shift > 0 else (base + LADDER_TICKS, old + LADDER_TICKS)
        for tick in range(low, high):
            book.bids[tick & LADDER_MASK] = 0
            book.asks[tick & LADDER_MASK] = 0
        book.known_low = max(book.known_low, base)
        book.known_high = min(book.known_high, base + LADDER_TICKS - 1)
    book.base = base
    book.moves += 1
    # A touch that left the window is found again among what stayed in it.
    end = base + LADDER_TICKS
    if book.best_bid != NO_BID and (book.best_bid < base or book.best_bid >= end):
        book.best_bid = _bid_below(book, min(book.best_bid, end - 1))
    if book.best_ask != NO_ASK and (book.best_ask < base or book.best_ask >= end):
        book.best_ask = _ask_above(book, max(book.best_ask, base))


@kernel
def _bid_below(book, tick):
    """The highest occupied bid at or below ``tick``, which lies below the window's end; ``NO_BID`` when none."""
    base = book.base
    while tick >= base and book.bids[tick & LADDER_MASK] == 0:
        tick -= 1
    return tick if tick >= base else NO_BID


@kernel
def _ask_above(book, tick):
    """The lowest occupied ask at or above ``tick``, which lies above the window's start; ``NO_ASK`` when none."""
    end = book.base + LADDER_TICKS
    while tick < end and book.asks[tick & LADDER_MASK] == 0:
        tick += 1
    return tick if tick < end else NO_ASK


@kernel
def book_apply(book, side, tick, lots):
    """Set one level: ``lots`` absolute, 0 removes. A level beyond the far end of the window is counted, not kept.

    A level on the near end (a bid above the window, an ask below it) means that the touch has jumped: the window moves.
    """
    base = book.base
    if tick < base or tick >= base + LADDER_TICKS:
        if lots == 0 or (tick < base) == (side == 0):
            book.outside += 1
            return
        book_move(book, tick)
    if side == 0:
        book.bids[tick & LADDER_MASK] = lots
        best = book.best_bid
        if lots > 0:
            if tick > best:
                book.best_bid = tick
        elif tick == best:
            book.best_bid = _bid_below(book, tick)
    else:
        book.asks[tick & LADDER_MASK] = lots
        best = book.best_ask
        if lots > 0:
            if tick < best:
                book.best_ask = tick
        elif tick == best:
            book.best_ask = _ask_above(book, tick)


@kernel
def book_follow_touch(book):
    """Widen the proven range to the touch and move the window when the touch has left its middle half.

    Call after the last row of a frame that left the book uncrossed.
    """
    bid = book.best_bid
    ask = book.best_ask
    if bid > book.known_high:
        book.known_high = bid
    if ask < book.known_low:
        book.known_low = ask
    if bid != NO_BID and ask != NO_ASK:
        offset = ((bid + ask) >> 1) - book.base
        if offset < LADDER_QUARTER or offset >= 3 * LADDER_QUARTER:
            book_move(book, book.base + offset)


@kernel
def book_rows(book, rows, start, stop):
    """Apply the depth or snapshot rows of one frame from ``start`` on; ``rows`` is ``int64[n, 8]`` (models.rows).

    Returns the index after the frame's last row, or ``stop`` when the frame is cut there; a later call goes on. A
    snapshot's first row empties the book; its rows widen the known range.
    """
    base = book.base
    bids = book.bids
    asks = book.asks
    best_bid = book.best_bid
    best_ask = book.best_ask
    i = start
    head = 0
    while i < stop and head & _LAST == 0:
        head = rows[i, 0]
        tick = rows[i, _PRICE]
        lots = rows[i, _QUANTITY]
        i += 1
        if head & 0xFF == _SNAPSHOT:
            if head & _FIRST:
                book_clear(book, tick)
            if lots > 0:
                book_apply(book, (head >> 16) & 0xFF, tick, lots)
                book.known_low = max(min(book.known_low, tick), book.base)
                book.known_high = min(max(book.known_high, tick), book.base + LADDER_TICKS - 1)
            base = book.base
            best_bid = book.best_bid
            best_ask = book.best_ask
            continue
        if lots < 0:  # NO_LEVEL: an empty depth frame
            continue
        # The common case, best prices in locals: a level inside the window that is not the removed touch.
        if base <= tick < base + LADDER_TICKS:
            if (head >> 16) & 0xFF == 0:
                if lots > 0 or tick != best_bid:
                    bids[tick & LADDER_MASK] = lots
                    if lots > 0 and tick > best_bid:
                        best_bid = tick
                    continue
            elif lots > 0 or tick != best_ask:
                asks[tick & LADDER_MASK] = lots
                if lots > 0 and tick < best_ask:
                    best_ask = tick
                continue
        book.best_bid = best_bid
        book.best_ask = best_ask
        book_apply(book, (head >> 16) & 0xFF, tick, lots)
        base = book.base
        best_bid = book.best_bid
        best_ask = book.best_ask
    book.best_bid = best_bid
    book.best_ask = best_ask
    return i


@kernel
def book_top(book, levels):
    """Lots on the best ``levels`` occupied ticks of each side that the window holds: ``(bid_lots, ask_lots)``.

    Levels heard beyond the proven range count: leaving them out would turn a touch that walks out of a snapshot into an
    imbalance of one. That the touch itself is proven is a decision condition (``Condition.RANGE``).
    """
    bid_lots = 0
    ask_lots = 0
    tick = book.best_bid
    if tick != NO_BID:
        low = book.base
        left = levels
        while left > 0 and tick >= low:
            lots = book.bids[tick & LADDER_MASK]
            if lots > 0:
                bid_lots += lots
                left -= 1
            tick -= 1
    tick = book.best_ask
    if tick != NO_ASK:
        end = book.base + LADDER_TICKS
        left = levels
        while left > 0 and tick < end:
            lots = book.asks[tick & LADDER_MASK]
            if lots > 0:
                ask_lots += lots
                left -= 1
            tick += 1
    return bid_lots, ask_lots


@kernel
def book_depth(book, low, high):
    """Lots on bids at or above tick ``low`` and asks at or below ``high``: ``(bid_lots, ask_lots, truncated)``.

    ``truncated`` is 1 when either bound lies outside the known range: the value is then a lower bound (quant A.2).
    """
    truncated = 1 if low < book.known_low or high > book.known_high else 0
    bid_lots = 0
    if book.best_bid != NO_BID:
        for tick in range(max(low, book.known_low), book.best_bid + 1):
            bid_lots += book.bids[tick & LADDER_MASK]
    ask_lots = 0
    if book.best_ask != NO_ASK:
        for tick in range(book.best_ask, min(high, book.known_high) + 1):
            ask_lots += book.asks[tick & LADDER_MASK]
    return bid_lots, ask_lots, truncated
