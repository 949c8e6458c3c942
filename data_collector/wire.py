"""Bytes to rows in one compiled pass, for the streams that make 99.9 % of all frames.

``decode`` accepts ``aggTrade``, ``trade``, ``depthUpdate``, ``bookTicker`` (USD-M and the spot forms) and
``markPriceUpdate``, raw or in the combined envelope, with the keys in any order as long as symbol, ids and times stand
before the levels; unknown keys with simple values are skipped. It accepts a frame or hands it over, it never judges:
whatever it does not understand, or finds wrong, goes to ``data_collector.twin``, which names the reason: one place for
reasons. The three smallest and most frequent events are first tried in their usual layout (``data_collector.shapes``).

Source of the shapes: venue reference §2.1 to §2.7.
"""

from __future__ import annotations

import numpy as np

from core.kernels.kernel import kernel
from data_collector.layout import (
    _E_KEY,
    _E_PRICE,
    _E_QUANTITY,
    AGGREGATE,
    DEPTH,
    ENTRY_WORDS,
    FRAME_BYTES_MAX,
    FRAME_ROWS_MAX,
    INFO_EVENT,
    INFO_EVENT_NS,
    INFO_FIRST,
    INFO_INSTRUMENT,
    INFO_LAST,
    INFO_OCCURRED_NS,
    INFO_PREVIOUS,
    INFO_ROWS,
    MARK,
    QUOTE_EVENT,
    TABLE_HEAD,
    TRADE,
    _find,
    _put_row,
)
from data_collector.scan import (
    BRACE_END,
    BRACKET,
    BRACKET_END,
    COLON,
    COMMA,
    MINUS,
    NINE,
    NOT_UNDERSTOOD,
    PLACES_MAX,
    POINT,
    QUOTE,
    TIME_MS_MAX,
    ZERO,
    _decimal,
    _eight,
    _integer,
    _on_grid,
    _string_end,
    load1,
    load2,
    load4,
    load8,
    store8,
)
from data_collector.shapes import _usual
from models.rows import NO_LEVEL, ROW_BYTES, UNKNOWN_NS, Flag, Kind

HAND_OVER = -1
"""Return value of ``decode``: not understood, the twin decides."""

_INTS, _TEXTS, _TRUES, _FALSES, _LISTS, _COUNT, _ENTRY, _BIDS = range(8, 16)
_SLOT = 16
# One slot for each known key; slot 0 takes the values of keys nobody asks for.
_KEYS = ("", "e", "E", "T", "s", "U", "u", "pu", "a", "b", "A", "B", "t", "p", "q", "nq", "X", "m", "st", "i", "r")
(_, _e, _E, _T, _s, _U, _u, _pu, _a, _b, _A, _B, _t, _p, _q, _nq, _X, _m, _st, _i, _r) = range(len(_KEYS))
_SLOTS = np.zeros(128, dtype=np.int64)
for _number, _key_text in enumerate(_KEYS):
    if len(_key_text) == 1:
        _SLOTS[ord(_key_text)] = _number
_BEFORE_LEVELS = 1 << _e | 1 << _E | 1 << _T | 1 << _s | 1 << _U | 1 << _u | 1 << _pu
_LEVEL_IDS = 1 << _E | 1 << _U | 1 << _u


def _word(text: str) -> int:
    return int.from_bytes(text.encode().ljust(8, b"\0")[:8], "little", signed=True)


_STREAM_HEAD, _DATA_HEAD = _word('{"stream'), _word('","data"')
_AGG_TRADE, _DEPTH_UPDATE, _BOOK_TICKER, _TRADE_WORD = (
    _word("aggTrade"),
    _word("depthUpd"),
    _word("bookTick"),
    _word("trade"),
)
_MARK_PRICE, _PRICE_UPDATE = _word("markPric"), _word("ceUpdate")
_MARKET, _TRUE, _FALSE, _NULL = _word("MARKET"), _word("true"), _word("alse"), _word("null")
_OPEN_LEVEL, _NEXT_TEXT = _word('["'), _word('","')
_LEVEL_COMMA, _LEVEL_LAST, _COLON_QUOTE = _word('"],'), _word('"]]'), _word('":')
_DATA_TAIL = _word(":{")

# Head words of rows without side and instrument; a kernel sees plain integers only.
_FIRST, _LAST = Flag.FIRST << 8, Flag.LAST << 8
_DEPTH_HEAD, _QUOTE_HEAD = int(Kind.DEPTH), int(Kind.QUOTE)
_TRADE_HEAD, _MARK_HEAD = Kind.TRADE | _FIRST | _LAST, Kind.MARK | _FIRST | _LAST


@kernel
def _counted(at: int, end: int, grid: int) -> int:
    """The decimal text at ``at`` in units of the grid of an entry; negative when not understood or off it."""
    value, _, places, stop = _decimal(at, end)
    if stop < 0:
        return NOT_UNDERSTOOD
    return _on_grid(value, load8(grid + 16 * places), load8(grid + 16 * places + 8))


@kernel
def _measured(at: int, end: int, grid: int) -> tuple[int, int, int, int, int, int, int, int, int]:
    """A decimal text read digit by digit, and its layout for the texts that follow.

    (units of the grid or negative, closing quote, place of the point, of the quote, mask of the places, mask of the
    whole digits, shift between them, multiplier, divisor). A layout without a point or with more than eight digits
    has no short cut: its point and quote fall on one place, which no text fits.
    """
    value, whole, places, close = _decimal(at, end)
    if close < 0:
        return NOT_UNDERSTOOD, at, 0, 0, 0, 0, 0, 1, 1
    multiplier, divisor = load8(grid + 16 * places), load8(grid + 16 * places + 8)
    units = _on_grid(value, multiplier, divisor)
    if places == 0 or whole + places > 8:
        return units, close, 0, 0, 0, 0, 0, 1, 1
    low = -1 << (64 - 8 * places)
    high = (-1 << (64 - 8 * (whole + places))) & ~low if whole + places < 8 else ~low
    return units, close, whole, whole + 1 + places, low, high, 8 * places, multiplier, divisor


@kernel
def _levels(at: int, end: int, out: int, capacity: int, info: int, side: int, received: int, frame: int) -> int:
    """The rows of one list of levels, ``at`` behind its bracket; the position behind the closing bracket or negative.

    Neighbouring levels nearly always have the same layout. It is guessed and checked, so that the place of the next
    level does not wait for the digits of this one: 6 ns a level instead of 15.
    """
    entry, row = load8(info + 8 * _ENTRY), out + ROW_BYTES * load8(info + 8 * _COUNT)
    if at < end and load1(at) == BRACKET_END:
        return at + 1
    head = _DEPTH_HEAD | side << 16 | load8(entry + 8 * _E_KEY) << 32
    ints, limit = load8(info + 8 * _INTS), out + ROW_BYTES * capacity
    occurred = load8(info + 8 * (_SLOT + (_T if ints >> _T & 1 else _E))) * 1_000_000
    sequence = load8(info + 8 * (_SLOT + _u))
    extra = load8(info + 8 * (_SLOT + _pu)) if ints >> _pu & 1 else -1
    p_point, p_close, p_low, p_high, p_shift, p_times, p_over, p_scale = 0, 0, 0, 0, 0, 1, 1, 1.0
    q_point, q_close, q_low, q_high, q_shift, q_times, q_over, q_scale = 0, 0, 0, 0, 0, 1, 1, 1.0
    while row < limit and at + 2 <= end and load2(at) == _OPEN_LEVEL:
        at += 2
        close, price = at + p_close, NOT_UNDERSTOOD
        if close + 4 <= end and load1(at + p_point) == POINT and load1(close) == QUOTE:
            text = _eight(load8(close - 8) & p_low | load8(at + p_point - 8) >> p_shift & p_high, p_low | p_high)
            count = int(text * p_scale + 0.5)
            price = count * p_times if count * p_over == text else NOT_UNDERSTOOD
        if price < 0:
            price, close, p_point, p_close, p_low, p_high, p_shift, p_times, p_over = _measured(
                at, end, entry + 8 * _E_PRICE
            )
            p_scale = 1.0 / p_over
        if price <= 0 or close + 4 > end or load4(close) & 0xFFFFFF != _NEXT_TEXT:
            return NOT_UNDERSTOOD
        at = close + 3
        close, lots = at + q_close, NOT_UNDERSTOOD
        if close + 4 <= end and load1(at + q_point) == POINT and load1(close) == QUOTE:
            text = _eight(load8(close - 8) & q_low | load8(at + q_point - 8) >> q_shift & q_high, q_low | q_high)
            count = int(text * q_scale + 0.5)
            lots = count * q_times if count * q_over == text else NOT_UNDERSTOOD
        if lots < 0:
            lots, close, q_point, q_close, q_low, q_high, q_shift, q_times, q_over = _measured(
                at, end, entry + 8 * _E_QUANTITY
            )
            q_scale = 1.0 / q_over
        if lots < 0 or close + 4 > end:
            return NOT_UNDERSTOOD
        _put_row(row, head, occurred, received, price, lots, sequence, extra, frame)
        row += ROW_BYTES
        at, tail = close + 3, load4(close) & 0xFFFFFF
        if tail == _LEVEL_LAST:
            store8(info + 8 * _COUNT, (row - out) // ROW_BYTES)
            return at
        if tail != _LEVEL_COMMA:
            return NOT_UNDERSTOOD
    return NOT_UNDERSTOOD


@kernel
def _key(at: int, end: int) -> tuple[int, int]:
    """The slot of the key at ``at`` and the position of its value, before ``end``; or a negative position."""
    if at + 5 > end or load1(at) != QUOTE:
        return 0, NOT_UNDERSTOOD
    word = load4(at)
    if word >> 16 == _COLON_QUOTE:
        letter = word >> 8 & 0xFF
        if letter < 0x20 or letter >= 0x7F or letter == 0x5C or letter == QUOTE:
            return 0, NOT_UNDERSTOOD
        return _SLOTS[letter], at + 4
    close = _string_end(at + 1, end)
    if close < 0 or close + 2 >= end or load1(close + 1) != COLON:
        return 0, NOT_UNDERSTOOD
    slot = 0
    if close == at + 3:
        letters = load2(at + 1)
        if letters == 0x7570:
            slot = _pu
        elif letters == 0x716E:
            slot = _nq
        elif letters == 0x7473:
            slot = _st
    return slot, close + 2


@kernel
def _mark(info: int, mask_word: int, slot: int) -> None:
    """Note that ``slot`` holds a value of the type whose mask is ``mask_word``."""
    store8(info + 8 * mask_word, load8(info + 8 * mask_word) | 1 << slot)


@kernel
def _value(at: int, end: int, slot: int, info: int) -> int:
    """Take a number, string or literal into ``slot``; the position behind it or negative."""
    character = load1(at)
    if character >= ZERO and character <= NINE:
        value, at = _integer(at, end)
        store8(info + 8 * (_SLOT + slot), value)
        _mark(info, _INTS, slot)
        return at
    if character == QUOTE:
        close = _string_end(at + 1, end)
        store8(info + 8 * (_SLOT + slot), at + 1)
        store8(info + 8 * (_SLOT + 24 + slot), close - at - 1)
        _mark(info, _TEXTS, slot)
        return close + 1 if close > 0 else NOT_UNDERSTOOD
    if at + 5 > end:
        return NOT_UNDERSTOOD
    word = load4(at)
    if word == _TRUE:
        _mark(info, _TRUES, slot)
        return at + 4
    if character == 0x66 and load4(at + 1) == _FALSE:
        _mark(info, _FALSES, slot)
        return at + 5
    if word == _NULL and slot == 0:
        return at + 4
    return NOT_UNDERSTOOD


@kernel
def _list(
    at: int, end: int, slot: int, out: int, capacity: int, info: int, table: int, received: int, frame: int
) -> int:
    """Take a list of levels; the position behind it or negative. Symbol, ids and times must be known by now."""
    ints, lists = load8(info + 8 * _INTS), load8(info + 8 * _LISTS)
    if lists == 0:
        if ints & _LEVEL_IDS != _LEVEL_IDS or not load8(info + 8 * _TEXTS) >> _s & 1:
            return NOT_UNDERSTOOD
        symbol = load8(info + 8 * (_SLOT + _s))
        entry = _find(table, symbol, load8(info + 8 * (_SLOT + 24 + _s)), end)
        if entry == 0:
            return NOT_UNDERSTOOD
        store8(info + 8 * _ENTRY, entry)
    if slot == _a and not lists >> _b & 1:
        return NOT_UNDERSTOOD  # bids come first in the rows
    side = 1 if slot == _a else 0
    at = _levels(at + 1, end, out, capacity, info, side, received, frame)
    _mark(info, _LISTS, slot)
    if side == 0:
        store8(info + 8 * _BIDS, load8(info + 8 * _COUNT))
    return at


@kernel
def _scan(at: int, end: int, out: int, capacity: int, info: int, table: int, received: int, frame: int) -> int:
    """Take the members of one object, ``at`` behind its brace, into the slots; the position behind it or negative."""
    for word in range(_INTS, _SLOT):
        store8(info + 8 * word, 0)
    seen = 0
    while True:
        slot, at = _key(at, end)
        if at < 0:
            return NOT_UNDERSTOOD
        if slot != 0:
            if seen >> slot & 1:
                return NOT_UNDERSTOOD  # a key twice: the twin knows which one counts
            seen |= 1 << slot
        if load1(at) == BRACKET and slot in (_a, _b):
            at = _list(at, end, slot, out, capacity, info, table, received, frame)
        else:
            if 1 << slot & _BEFORE_LEVELS and load8(info + 8 * _LISTS):
                return NOT_UNDERSTOOD
            at = _value(at, end, slot, info)
        if at < 0 or at >= end:
            return NOT_UNDERSTOOD
        character = load1(at)
        at += 1
        if character == BRACE_END:
            return at
        if character != COMMA:
            return NOT_UNDERSTOOD


@kernel
def _body(source: int, end: int) -> tuple[int, int]:
    """Where the event's members start, and how many closing braces follow them; negative when neither framing fits."""
    if end - source < 24 or load1(source) != 0x7B:
        return NOT_UNDERSTOOD, 0
    if load8(source) != _STREAM_HEAD:
        return source + 1, 0
    if load2(source + 8) != 0x3A22 or load1(source + 10) != QUOTE:
        return NOT_UNDERSTOOD, 0
    close = _string_end(source + 11, end)
    if close < 0 or close + 10 > end or load8(close) != _DATA_HEAD or load2(close + 8) != _DATA_TAIL:
        return NOT_UNDERSTOOD, 0
    return close + 10, 1


@kernel
def _event(info: int, end: int) -> int:
    """Which event the slots hold, 0 when none of ours: judged by ``e``, or by the members of a spot bookTicker."""
    texts = load8(info + 8 * _TEXTS)
    quote = 1 << _s | 1 << _b | 1 << _B | 1 << _a | 1 << _A
    seen = texts | load8(info + 8 * _INTS) | load8(info + 8 * _TRUES) | load8(info + 8 * _FALSES)
    if not seen >> _e & 1:
        return QUOTE_EVENT if texts & quote == quote else 0
    name, length = load8(info + 8 * (_SLOT + _e)), load8(info + 8 * (_SLOT + 24 + _e))
    if not texts >> _e & 1 or not load8(info + 8 * _INTS) >> _E & 1 or name + 8 > end:
        return 0
    word = load8(name)
    if length == 10 and word == _BOOK_TICKER and load2(name + 8) == 0x7265:
        return QUOTE_EVENT
    if length == 5 and word & 0xFFFFFFFFFF == _TRADE_WORD:
        return TRADE
    if length == 8 and word == _AGG_TRADE:
        return AGGREGATE
    if length == 11 and word == _DEPTH_UPDATE and load2(name + 8) == 0x7461 and load1(name + 10) == 0x65:
        return DEPTH
    if length == 15 and word == _MARK_PRICE and load8(name + 7) == _PRICE_UPDATE:
        return MARK
    return 0


@kernel
def _facts(info: int, event: int, table: int, end: int) -> bool:
    """Fill the facts that all events share; False when a time, the symbol or the market is not as it should be."""
    ints = load8(info + 8 * _INTS)
    occurred = UNKNOWN_NS
    event_ns = UNKNOWN_NS
    others = load8(info + 8 * _TEXTS) | load8(info + 8 * _TRUES) | load8(info + 8 * _FALSES)
    if others & (1 << _E | 1 << _T | 1 << _st | 1 << _pu) or not load8(info + 8 * _TEXTS) >> _s & 1:
        return False
    if ints >> _E & 1:
        event_ns = load8(info + 8 * (_SLOT + _E))
        if event_ns >= TIME_MS_MAX:
            return False
        event_ns *= 1_000_000
        occurred = event_ns
    if ints >> _T & 1:
        occurred = load8(info + 8 * (_SLOT + _T))
        if occurred >= TIME_MS_MAX:
            return False
        occurred *= 1_000_000
    if ints >> _st & 1 and load8(info + 8 * (_SLOT + _st)) != 1:
        return False
    entry = _find(table, load8(info + 8 * (_SLOT + _s)), load8(info + 8 * (_SLOT + 24 + _s)), end)
    store8(info + 8 * _ENTRY, entry)
    store8(info + 8 * INFO_EVENT, event)
    store8(info + 8 * INFO_INSTRUMENT, (entry - table - 8 * TABLE_HEAD) // (8 * ENTRY_WORDS))
    for word in range(INFO_FIRST, INFO_PREVIOUS + 1):
        store8(info + 8 * word, -1)
    store8(info + 8 * INFO_EVENT_NS, event_ns)
    store8(info + 8 * INFO_OCCURRED_NS, occurred)
    return entry != 0


@kernel
def _depth(info: int, out: int, received: int, frame: int) -> int:
    """Close the rows of a depthUpdate and check its ids; the number of rows or HAND_OVER."""
    ints, lists = load8(info + 8 * _INTS), load8(info + 8 * _LISTS)
    if ints & _LEVEL_IDS != _LEVEL_IDS or lists != (1 << _a | 1 << _b):
        return HAND_OVER
    first, last = load8(info + 8 * (_SLOT + _U)), load8(info + 8 * (_SLOT + _u))
    previous = load8(info + 8 * (_SLOT + _pu)) if ints >> _pu & 1 else -1
    if first > last or previous > last:
        return HAND_OVER
    store8(info + 8 * INFO_FIRST, first)
    store8(info + 8 * INFO_LAST, last)
    store8(info + 8 * INFO_PREVIOUS, previous)
    count = load8(info + 8 * _COUNT)
    if count == 0:
        head = _DEPTH_HEAD | load8(load8(info + 8 * _ENTRY) + 8 * _E_KEY) << 32
        _put_row(out, head, load8(info + 8 * INFO_OCCURRED_NS), received, 0, NO_LEVEL, last, previous, frame)
        count = 1
    final = out + ROW_BYTES * (count - 1)
    store8(out, load8(out) | _FIRST)
    store8(final, load8(final) | _LAST)
    return count


@kernel
def _trade(info: int, event: int, out: int, end: int, received: int, frame: int) -> int:
    """The row of an aggTrade or trade; 1 or HAND_OVER."""
    ints, texts = load8(info + 8 * _INTS), load8(info + 8 * _TEXTS)
    seller = load8(info + 8 * _TRUES) >> _m & 1
    known = 1 << _a | 1 << _T if event == AGGREGATE else 1 << _t | 1 << _T
    if ints & known != known or texts & (1 << _p | 1 << _q) != (1 << _p | 1 << _q):
        return HAND_OVER
    if seller == 0 and not load8(info + 8 * _FALSES) >> _m & 1:
        return HAND_OVER
    entry = load8(info + 8 * _ENTRY)
    price = _counted(load8(info + 8 * (_SLOT + _p)), end, entry + 8 * _E_PRICE)
    lots = _counted(load8(info + 8 * (_SLOT + _q)), end, entry + 8 * _E_QUANTITY)
    if price <= 0 or lots <= 0:
        return HAND_OVER
    number, extra = load8(info + 8 * (_SLOT + (_a if event == AGGREGATE else _t))), -1
    others = ints | load8(info + 8 * _TRUES) | load8(info + 8 * _FALSES)
    if event == AGGREGATE:
        if others >> _nq & 1:
            return HAND_OVER
        if texts >> _nq & 1:
            extra = _counted(load8(info + 8 * (_SLOT + _nq)), end, entry + 8 * _E_QUANTITY)
            if extra < 0:
                return HAND_OVER
    elif texts >> _X & 1:
        name = load8(info + 8 * (_SLOT + _X))
        if load8(info + 8 * (_SLOT + 24 + _X)) != 6 or name + 8 > end or load8(name) & 0xFFFFFFFFFFFF != _MARKET:
            return HAND_OVER
    elif others >> _X & 1:
        return HAND_OVER
    store8(info + 8 * INFO_LAST, number)
    head = _TRADE_HEAD | seller << 16 | load8(entry + 8 * _E_KEY) << 32
    _put_row(out, head, load8(info + 8 * INFO_OCCURRED_NS), received, price, lots, number, extra, frame)
    return 1


@kernel
def _quote(info: int, out: int, end: int, received: int, frame: int) -> int:
    """The two rows of a bookTicker; 2 or HAND_OVER."""
    quote = 1 << _b | 1 << _B | 1 << _a | 1 << _A
    if load8(info + 8 * _TEXTS) & quote != quote or not load8(info + 8 * _INTS) >> _u & 1:
        return HAND_OVER
    entry, last = load8(info + 8 * _ENTRY), load8(info + 8 * (_SLOT + _u))
    occurred = load8(info + 8 * INFO_OCCURRED_NS)
    bid = _counted(load8(info + 8 * (_SLOT + _b)), end, entry + 8 * _E_PRICE)
    ask = _counted(load8(info + 8 * (_SLOT + _a)), end, entry + 8 * _E_PRICE)
    bid_lots = _counted(load8(info + 8 * (_SLOT + _B)), end, entry + 8 * _E_QUANTITY)
    ask_lots = _counted(load8(info + 8 * (_SLOT + _A)), end, entry + 8 * _E_QUANTITY)
    if bid <= 0 or ask <= bid or bid_lots < 0 or ask_lots < 0:
        return HAND_OVER
    store8(info + 8 * INFO_LAST, last)
    head = _QUOTE_HEAD | load8(entry + 8 * _E_KEY) << 32
    _put_row(out, head | _FIRST, occurred, received, bid, bid_lots, last, 0, frame)
    _put_row(out + ROW_BYTES, head | _LAST | 1 << 16, occurred, received, ask, ask_lots, last, 0, frame)
    return 2


@kernel
def _money(at: int, end: int) -> tuple[bool, int]:
    """Whether a decimal text stands at ``at``, and its value at 1e-8."""
    value, _, places, close = _decimal(at, end)
    for _ in range(PLACES_MAX - places):
        value *= 10
    return close > 0, value


@kernel
def _mark_price(info: int, out: int, end: int, received: int, frame: int) -> int:
    """The row of a markPriceUpdate; 1 or HAND_OVER. ``T`` is the next funding time, so the frame's time is ``E``."""
    known = 1 << _p | 1 << _i | 1 << _r
    if load8(info + 8 * _TEXTS) & known != known or not load8(info + 8 * _INTS) >> _T & 1:
        return HAND_OVER
    good, price = _money(load8(info + 8 * (_SLOT + _p)), end)
    if not good or price == 0:
        return HAND_OVER
    good, index = _money(load8(info + 8 * (_SLOT + _i)), end)
    if not good:
        return HAND_OVER
    rate, at = 0, load8(info + 8 * (_SLOT + _r))
    if load8(info + 8 * (_SLOT + 24 + _r)) > 0:
        minus = load1(at) == MINUS
        good, rate = _money(at + 1 if minus else at, end)
        if not good:
            return HAND_OVER
        rate = -rate if minus else rate
    occurred = load8(info + 8 * INFO_EVENT_NS)
    store8(info + 8 * INFO_OCCURRED_NS, occurred)
    head = _MARK_HEAD | load8(load8(info + 8 * _ENTRY) + 8 * _E_KEY) << 32
    _put_row(out, head, occurred, received, price, index, load8(info + 8 * (_SLOT + _T)), rate, frame)
    return 1


@kernel
def decode(
    source: int, length: int, received_ns: int, frame: int, table: int, out: int, capacity: int, info: int
) -> int:
    """Rows of the frame of ``length`` bytes at address ``source``, written at ``out``; their number, or ``HAND_OVER``.

    ``table`` is the address of ``instruments_table``, ``capacity`` (at least 2) the rows that fit at ``out``, ``info``
    an ``int64[INFO_WORDS]`` that holds the frame's facts afterwards. On ``HAND_OVER`` both hold nothing of value.
    Reads nothing outside the frame.
    """
    end = source + length
    at, braces = _body(source, end)
    if at < 0 or length > FRAME_BYTES_MAX:
        return HAND_OVER
    usual = _usual(at, end, braces, table, out, info, received_ns, frame)
    if usual > 0:
        return usual
    at = _scan(at, end, out, min(capacity, FRAME_ROWS_MAX), info, table, received_ns, frame)
    if at < 0 or at + braces != end or (braces == 1 and load1(at) != BRACE_END):
        return HAND_OVER
    event = _event(info, end)
    if event == 0 or not _facts(info, event, table, end):
        return HAND_OVER
    if event == DEPTH:
        count = _depth(info, out, received_ns, frame)
    elif event == MARK:
        count = _mark_price(info, out, end, received_ns, frame)
    elif event == QUOTE_EVENT:
        count = _quote(info, out, end, received_ns, frame)
    else:
        count = _trade(info, event, out, end, received_ns, frame)
    store8(info + 8 * INFO_ROWS, count)
    return count
