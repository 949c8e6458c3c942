"""The venue's usual layouts, matched in one go: ``bookTicker``, ``aggTrade`` and ``trade`` with their keys in the order
in which the venue writes them.

These three are nine frames of ten. The general scan of ``data_collector.wire`` takes keys in any order, at 30 ns a key
and 450 ns for a small frame; here constants are compared eight bytes at a time and numbers read without a loop, 60 to
90 ns. The answer is all or nothing: a frame that differs anywhere goes to the general scan, unharmed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from core.kernels.kernel import kernel
from data_collector.layout import (
    _E_KEY,
    _E_PRICE,
    _E_QUANTITY,
    AGGREGATE,
    ENTRY_WORDS,
    INFO_EVENT,
    INFO_EVENT_NS,
    INFO_FIRST,
    INFO_INSTRUMENT,
    INFO_LAST,
    INFO_OCCURRED_NS,
    INFO_PREVIOUS,
    INFO_ROWS,
    QUOTE_EVENT,
    TABLE_HEAD,
    TRADE,
    _put_row,
)
from data_collector.scan import (
    BRACE_END,
    COMMA,
    NINE,
    NOT_UNDERSTOOD,
    POINT,
    QUOTE,
    TIME_MS_MAX,
    ZERO,
    load1,
    load2,
    load4,
    load8,
    store8,
)
from models.rows import ROW_BYTES, Flag, Kind

_EIGHT_ZEROS = 0x3030303030303030
_TO_HIGH_BIT = 0x7676767676767676
_HIGH_BITS = -0x7F7F7F7F7F7F7F80
_PAIRS = 0x000000FF000000FF
_TENS = np.array([10**power for power in range(9)], dtype=np.int64)
_USUAL_BYTES_MIN = 100  # shorter than any of the three: so every read of eight bytes in the first members stays inside


def _word(text: str) -> int:
    return int.from_bytes(text.encode().ljust(8, b"\0")[:8], "little", signed=True)


_E_QUOTE, _E_AGGREGATE, _E_TRADE = _word('"e":"boo'), _word('"e":"agg'), _word('"e":"tra')
_QUOTE_1, _QUOTE_2 = _word('kTicker"'), _word(',"u":')
_AGGREGATE_1, _TRADE_1, _TRADE_2 = _word('gTrade",'), _word('trade","'), _word('E":')
_AGGREGATE_2 = _word('"E":')
_SYMBOL, _PAIR = _word(',"s":"'), _word('"ps":"')
_BID, _BID_SIZE, _ASK, _ASK_SIZE = _word('"b":"'), _word(',"B":"'), _word(',"a":"'), _word(',"A":"')
_TIME, _EVENT_TIME = _word(',"T":'), _word(',"E":')
_AGGREGATE_ID, _FIRST_ID, _LAST_ID = _word(',"a":'), _word(',"f":'), _word(',"l":')
_TRADE_ID = _word('"t":')
_PRICE, _SIZE, _NET_SIZE = _word(',"p":"'), _word(',"q":"'), _word(',"nq":"')
_EXECUTION, _MARKET, _MAKER = _word(',"X":"'), _word('MARKET",'), _word('"m":')
_TRUE, _FALSE, _STATUS = _word("true"), _word("fals"), _word(',"st":1')
_FIRST, _LAST = Flag.FIRST << 8, Flag.LAST << 8
_TRADE_HEAD, _QUOTE_HEAD = Kind.TRADE | _FIRST | _LAST, int(Kind.QUOTE)
_THREE, _FIVE, _SIX, _SEVEN = (1 << 24) - 1, (1 << 40) - 1, (1 << 48) - 1, (1 << 56) - 1


@intrinsic
def _trailing_zeros(typing_context: Any, word: Any) -> Any:
    """Zero bits below the lowest set one; 64 for zero."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.int64), generate


@kernel
def _digits(word: int) -> int:
    """How many of the eight characters, from the first on, are digits."""
    text = word ^ _EIGHT_ZEROS
    return _trailing_zeros(((text + _TO_HIGH_BIT) | text) & _HIGH_BITS) >> 3


@kernel
def _leading(word: int, count: int) -> int:
    """The number that the first ``count`` (0 to 8) characters, known to be digits, write."""
    if count == 0:
        return 0
    text = (word ^ _EIGHT_ZEROS) << (8 * (8 - count))
    text = text * 10 + ((text >> 8) & 0x00FFFFFFFFFFFFFF)
    return ((text & _PAIRS) * 0x000F424000000064 + ((text >> 16) & _PAIRS) * 0x0000271000000001) >> 32


@kernel
def _whole(at: int) -> tuple[int, int]:
    """An integer of 1 to 15 digits at ``at``, 16 readable bytes: (value, position behind it or negative)."""
    word = load8(at)
    count = _digits(word)
    if count < 8:
        if count == 0 or (count > 1 and load1(at) == ZERO):
            return 0, NOT_UNDERSTOOD
        return _leading(word, count), at + count
    more = load8(at + 8)
    count = _digits(more)
    if count == 8 or load1(at) == ZERO:
        return 0, NOT_UNDERSTOOD
    return _leading(word, 8) * _TENS[count] + _leading(more, count), at + 8 + count


@kernel
def _units(at: int, grid: int) -> tuple[int, int]:
    """A decimal text of 1 to 7 digits, a point and 1 to 7 digits in units of its grid, 17 readable bytes.

    (units or negative, position behind the closing quote).
    """
    word = load8(at)
    whole = _digits(word)
    if whole == 0 or whole == 8 or load1(at + whole) != POINT:
        return NOT_UNDERSTOOD, at
    more = load8(at + whole + 1)
    places = _digits(more)
    close = at + whole + 1 + places
    if places == 0 or places == 8 or load1(close) != QUOTE:
        return NOT_UNDERSTOOD, at
    value = _leading(word, whole) * _TENS[places] + _leading(more, places)
    multiplier, divisor = load8(grid + 16 * places), load8(grid + 16 * places + 8)
    if divisor != 1:
        count = int(value * (1.0 / divisor) + 0.5)
        if count * divisor != value:
            return NOT_UNDERSTOOD, at
        value = count
    return value * multiplier, close + 1


@kernel
def _named(at: int, entry: int, length: int) -> bool:
    """Whether the ``length`` (1 to 16) characters at ``at`` are the name of the entry."""
    low = load8(at)
    if length < 8:
        return low & ((1 << 8 * length) - 1) == load8(entry)
    high = load8(at + 8)
    if length < 16:
        high &= (1 << 8 * (length - 8)) - 1
    return low == load8(entry) and high == load8(entry + 8)


@kernel
def _symbol(at: int, table: int) -> tuple[int, int]:
    """``,"s":"SYMBOL",`` at ``at``, a ``"ps":…,`` of the same name behind it allowed: (entry of the instruments table
    or 0, position behind the comma).
    """
    if load8(at) & _SIX != _SYMBOL:
        return 0, at
    entry = table + 8 * TABLE_HEAD
    for _ in range(load8(table)):
        length = load8(entry + 16)
        behind = at + 6 + length
        if load2(behind) == 0x2C22 and _named(at + 6, entry, length):
            at = behind + 2
            if load8(at) & _SIX == _PAIR and _named(at + 6, entry, length) and load2(at + 6 + length) == 0x2C22:
                at += 8 + length
            return entry, at
        entry += 8 * ENTRY_WORDS
    return 0, at


@kernel
def _closed(at: int, end: int, braces: int) -> bool:
    """Whether object and envelope close at ``at``, after an optional status 1, and the frame with them."""
    if at + 8 <= end and load8(at) & _SEVEN == _STATUS:
        at += 7
    if at + 1 + braces != end or load1(at) != BRACE_END:
        return False
    return braces == 0 or load1(at + 1) == BRACE_END


@kernel
def _last_time(at: int, end: int) -> tuple[int, int]:
    """13 digits, which may end directly before the frame's last byte: (value, position behind them or negative)."""
    if at + 14 > end or load1(at) == ZERO:
        return 0, NOT_UNDERSTOOD
    word, more = load8(at), load8(at + 5)
    if _digits(word) < 8 or _digits(more) < 8 or (load1(at + 13) >= ZERO and load1(at + 13) <= NINE):
        return 0, NOT_UNDERSTOOD
    return _leading(word, 5) * 100_000_000 + _leading(more, 8), at + 13


@kernel
def _maker(at: int, end: int) -> tuple[int, int]:
    """``,"m":true`` or ``,"m":false`` at ``at``: (1, 0 or negative, position behind it)."""
    if at + 10 > end or load1(at) != COMMA or load4(at + 1) != _MAKER:
        return NOT_UNDERSTOOD, at
    word = load4(at + 5)
    if word == _TRUE:
        return 1, at + 9
    if word == _FALSE and load1(at + 9) == 0x65:
        return 0, at + 10
    return NOT_UNDERSTOOD, at


@kernel
def _told(info: int, event: int, entry: int, table: int, last: int, event_ms: int, occurred_ms: int, rows: int) -> bool:
    """Write the facts of a frame; False, and nothing of value, when a time lies beyond all calendars."""
    if event_ms >= TIME_MS_MAX or occurred_ms >= TIME_MS_MAX:
        return False
    store8(info + 8 * INFO_EVENT, event)
    store8(info + 8 * INFO_INSTRUMENT, (entry - table - 8 * TABLE_HEAD) // (8 * ENTRY_WORDS))
    store8(info + 8 * INFO_FIRST, -1)
    store8(info + 8 * INFO_LAST, last)
    store8(info + 8 * INFO_PREVIOUS, -1)
    store8(info + 8 * INFO_EVENT_NS, event_ms * 1_000_000)
    store8(info + 8 * INFO_OCCURRED_NS, occurred_ms * 1_000_000)
    store8(info + 8 * INFO_ROWS, rows)
    return True


@kernel
def _usual_quote(at: int, end: int, braces: int, table: int, out: int, info: int, received: int, frame: int) -> int:
    """The two rows of a bookTicker whose members start at ``at``; 0 when anything is unusual.

    Each length check covers what must still follow, so that the reads of eight bytes behind it stay in the frame.
    """
    if load8(at + 8) != _QUOTE_1 or load8(at + 16) & _FIVE != _QUOTE_2:
        return 0
    last, at = _whole(at + 21)
    if at < 0 or at + 90 > end:
        return 0
    entry, at = _symbol(at, table)
    if entry == 0 or at + 64 > end or load8(at) & _FIVE != _BID:
        return 0
    bid, at = _units(at + 5, entry + 8 * _E_PRICE)
    if bid <= 0 or at + 52 > end or load8(at) & _SIX != _BID_SIZE:
        return 0
    bid_lots, at = _units(at + 6, entry + 8 * _E_QUANTITY)
    if bid_lots < 0 or at + 46 > end or load8(at) & _SIX != _ASK:
        return 0
    ask, at = _units(at + 6, entry + 8 * _E_PRICE)
    if ask <= bid or at + 42 > end or load8(at) & _SIX != _ASK_SIZE:
        return 0
    ask_lots, at = _units(at + 6, entry + 8 * _E_QUANTITY)
    if ask_lots < 0 or at + 36 > end or load8(at) & _FIVE != _TIME:
        return 0
    occurred, at = _whole(at + 5)
    if at < 0 or at + 19 > end or load8(at) & _FIVE != _EVENT_TIME:
        return 0
    event, at = _last_time(at + 5, end)
    if at < 0 or not _closed(at, end, braces) or not _told(info, QUOTE_EVENT, entry, table, last, event, occurred, 2):
        return 0
    head, occurred = _QUOTE_HEAD | load8(entry + 8 * _E_KEY) << 32, occurred * 1_000_000
    _put_row(out, head | _FIRST, occurred, received, bid, bid_lots, last, 0, frame)
    _put_row(out + ROW_BYTES, head | _LAST | 1 << 16, occurred, received, ask, ask_lots, last, 0, frame)
    return 2


@kernel
def _usual_trade(at: int, end: int, braces: int, table: int, out: int, info: int, received: int, frame: int) -> int:
    """The row of a trade, likewise."""
    if load8(at + 5) != _TRADE_1 or load8(at + 13) & _THREE != _TRADE_2:
        return 0
    event, at = _whole(at + 16)
    if at < 0 or at + 90 > end or load8(at) & _FIVE != _TIME:
        return 0
    occurred, at = _whole(at + 5)
    if at < 0 or at + 80 > end:
        return 0
    entry, at = _symbol(at, table)
    if entry == 0 or at + 56 > end or load4(at) != _TRADE_ID:
        return 0
    number, at = _whole(at + 4)
    if at < 0 or at + 46 > end or load8(at) & _SIX != _PRICE:
        return 0
    price, at = _units(at + 6, entry + 8 * _E_PRICE)
    if price <= 0 or at + 36 > end or load8(at) & _SIX != _SIZE:
        return 0
    lots, at = _units(at + 6, entry + 8 * _E_QUANTITY)
    if lots <= 0 or at + 23 > end or load8(at) & _SIX != _EXECUTION or load8(at + 6) != _MARKET:
        return 0
    seller, at = _maker(at + 13, end)
    if seller < 0 or not _closed(at, end, braces) or not _told(info, TRADE, entry, table, number, event, occurred, 1):
        return 0
    head = _TRADE_HEAD | seller << 16 | load8(entry + 8 * _E_KEY) << 32
    _put_row(out, head, occurred * 1_000_000, received, price, lots, number, -1, frame)
    return 1


@kernel
def _usual_aggregate(at: int, end: int, braces: int, table: int, out: int, info: int, received: int, frame: int) -> int:
    """The row of an aggTrade, likewise."""
    if load8(at + 7) != _AGGREGATE_1 or load4(at + 15) != _AGGREGATE_2:
        return 0
    event, at = _whole(at + 19)
    if at < 0 or at + 90 > end or load8(at) & _FIVE != _AGGREGATE_ID:
        return 0
    number, at = _whole(at + 5)
    if at < 0 or at + 84 > end:
        return 0
    entry, at = _symbol(at, table)
    if entry == 0 or at + 70 > end or load8(at - 1) & _SIX != _PRICE:
        return 0
    price, at = _units(at + 5, entry + 8 * _E_PRICE)
    if price <= 0 or at + 60 > end or load8(at) & _SIX != _SIZE:
        return 0
    lots, at = _units(at + 6, entry + 8 * _E_QUANTITY)
    if lots <= 0 or at + 50 > end:
        return 0
    net = -1
    if load8(at) & _SEVEN == _NET_SIZE:
        net, at = _units(at + 7, entry + 8 * _E_QUANTITY)
        if net < 0 or at + 44 > end:
            return 0
    at = _ids(at, end)
    if at < 0 or at + 27 > end or load8(at) & _FIVE != _TIME:
        return 0
    occurred, at = _whole(at + 5)
    if at < 0:
        return 0
    seller, at = _maker(at, end)
    if seller < 0 or not _closed(at, end, braces):
        return 0
    if not _told(info, AGGREGATE, entry, table, number, event, occurred, 1):
        return 0
    head = _TRADE_HEAD | seller << 16 | load8(entry + 8 * _E_KEY) << 32
    _put_row(out, head, occurred * 1_000_000, received, price, lots, number, net, frame)
    return 1


@kernel
def _ids(at: int, end: int) -> int:
    """The position behind ``,"f":…,"l":…`` at ``at``, of which only the form matters; or negative."""
    if load8(at) & _FIVE != _FIRST_ID:
        return NOT_UNDERSTOOD
    _, at = _whole(at + 5)
    if at < 0 or at + 34 > end or load8(at) & _FIVE != _LAST_ID:
        return NOT_UNDERSTOOD
    _, at = _whole(at + 5)
    return at


@kernel
def _usual(at: int, end: int, braces: int, table: int, out: int, info: int, received: int, frame: int) -> int:
    """Rows of a frame in one of the three layouts, its members from ``at`` on; 0 when it is none of them."""
    if at + _USUAL_BYTES_MIN > end:
        return 0
    name = load8(at)
    if name == _E_QUOTE:
        return _usual_quote(at, end, braces, table, out, info, received, frame)
    if name == _E_TRADE:
        return _usual_trade(at, end, braces, table, out, info, received, frame)
    if name == _E_AGGREGATE:
        return _usual_aggregate(at, end, braces, table, out, info, received, frame)
    return 0
