"""What the compiled passes share: facts of a frame, the instruments as kernels read them, one row of eight words."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

import numpy as np

from core.kernels.kernel import kernel
from data_collector.scan import PLACES_MAX, load8, store8
from models.error import DataError
from models.instrument import E8, Instrument

FRAME_ROWS_MAX = 16_384  # levels in one frame; the largest diff seen has 2,400, a REST snapshot 2,000 (spot: 10,000)
FRAME_BYTES_MAX = 1 << 20  # a frame of 16,384 levels has 0.5 MB; longer ones are refused unread
SYMBOL_BYTES_MAX = 16  # «1000000MOGUSDT_260327» does not exist; the longest listed has 14

# The frame's facts: ``info``, int64[INFO_WORDS]. Ids not told are -1, times not told UNKNOWN_NS.
INFO_EVENT = 0  # AGGREGATE, TRADE, DEPTH, QUOTE_EVENT, MARK
INFO_INSTRUMENT = 1  # index of the instrument in the table
INFO_FIRST = 2  # U
INFO_LAST = 3  # u, or the trade's id
INFO_PREVIOUS = 4  # pu; -1 on spot frames
INFO_EVENT_NS = 5  # E: feed lag is judged from it
INFO_OCCURRED_NS = 6  # T, else E
INFO_ROWS = 7
INFO_USED = 8  # words that are part of the answer; behind them is scratch space of the scan
INFO_WORDS = 64

AGGREGATE, TRADE, DEPTH, QUOTE_EVENT, MARK = 1, 2, 3, 4, 5
EVENT_NAMES = {
    AGGREGATE: "aggTrade",
    TRADE: "trade",
    DEPTH: "depthUpdate",
    QUOTE_EVENT: "bookTicker",
    MARK: "markPriceUpdate",
}

# The instruments table: int64 words. Word 0 is the count; from TABLE_HEAD on one entry each.
TABLE_HEAD = 8
ENTRY_WORDS = 48
_E_NAME0, _E_NAME1, _E_LENGTH, _E_KEY = range(4)
_E_PRICE, _E_QUANTITY = 8, 8 + 2 * (PLACES_MAX + 1)  # each: (multiplier, divisor) by number of places in the text


def instruments_table(instruments: Sequence[Instrument]) -> np.ndarray:
    """The instruments as kernels read them: ``int64[TABLE_HEAD + n · ENTRY_WORDS]``.

    Raises DataError for a symbol longer than ``SYMBOL_BYTES_MAX`` or an index that is not its place in the list.
    """
    table = np.zeros(TABLE_HEAD + ENTRY_WORDS * len(instruments), dtype=np.int64)
    table[0] = len(instruments)
    for place, instrument in enumerate(instruments):
        name = instrument.symbol.encode()
        if not 0 < len(name) <= SYMBOL_BYTES_MAX:
            raise DataError(f"symbol {instrument.symbol!r} must have 1 to {SYMBOL_BYTES_MAX} characters", code="SYMBOL")
        if instrument.index != place:
            raise DataError(f"{instrument.symbol}: index {instrument.index} must be its place {place} in the list")
        entry = table[TABLE_HEAD + place * ENTRY_WORDS :][:ENTRY_WORDS]
        entry[_E_NAME0] = int.from_bytes(name[:8], "little", signed=True)
        entry[_E_NAME1] = int.from_bytes(name[8:], "little", signed=True)
        entry[_E_LENGTH] = len(name)
        entry[_E_KEY] = instrument.key
        for start, size_e8 in ((_E_PRICE, instrument.tick_e8), (_E_QUANTITY, instrument.lot_e8)):
            for places in range(PLACES_MAX + 1):
                unit = E8 // 10**places
                common = gcd(unit, size_e8)
                entry[start + 2 * places] = unit // common
                entry[start + 2 * places + 1] = size_e8 // common
    return table


@kernel
def _find(table: int, at: int, length: int, end: int) -> int:
    """Address of the entry whose symbol is the ``length`` characters at ``at``; 0 when there is none."""
    if length > SYMBOL_BYTES_MAX or length < 1 or at + SYMBOL_BYTES_MAX > end:
        return 0
    low, high = load8(at), 0
    if length < 8:
        low &= (1 << 8 * length) - 1
    elif length < 16:
        high = load8(at + 8) & ((1 << 8 * (length - 8)) - 1)
    else:
        high = load8(at + 8)
    entry = table + 8 * TABLE_HEAD
    for _ in range(load8(table)):
        if load8(entry) == low and load8(entry + 8) == high and load8(entry + 16) == length:
            return entry
        entry += 8 * ENTRY_WORDS
    return 0


@kernel
def _put_row(
    row: int, head: int, occurred: int, received: int, price: int, quantity: int, sequence: int, extra: int, frame: int
) -> None:
    """One row of eight words."""
    store8(row, head)
    store8(row + 8, occurred)
    store8(row + 16, received)
    store8(row + 24, price)
    store8(row + 32, quantity)
    store8(row + 40, sequence)
    store8(row + 48, extra)
    store8(row + 56, frame)
