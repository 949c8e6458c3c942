"""The market row: one flat 64-byte record for everything the market says.

The same layout is used in memory, in kernels and in stored row files. All fields are integers (design §3):

=============  ======  ==============================================================================
field          type    meaning
=============  ======  ==============================================================================
kind           u1      one of the ``Kind`` constants below
flags          u1      bit set of the ``Flag`` constants below
side           u1      ``BID``/``BUY`` = 0, ``ASK``/``SELL`` = 1; for trades the aggressor's side
spare          u1      zero
instrument     i4      index in the low 16 bits, epoch of its filters in the high 16 bits
occurred_ns    i8      the matching engine's time (``T``, else ``E``), ``UNKNOWN_NS`` when not told
received_ns    i8      our receive time: run anchor + monotonic clock
price          i8      ticks; mark rows: 1e-8 quote units
quantity       i8      lots; mark rows: the index price at 1e-8
sequence       i8      book update id ``u``, trade id, or next funding time (ms) on mark rows
extra          i8      the spare word, by kind: see ``Kind``
frame          i8      number of the frame in the recording; the journal's key
=============  ======  ==============================================================================

The rows of one frame share both times, carry ``FIRST`` on the first and ``LAST`` on the last row, and are one
unit: deadlines are judged on the first row, features and conditions on the last. A frame with nothing in it
(an empty depth diff) is one row with both bits, ``price`` 0 and ``quantity`` -1 (``NO_LEVEL``).
"""

from __future__ import annotations

import numpy as np

ROW = np.dtype(
    [
        ("kind", "u1"),
        ("flags", "u1"),
        ("side", "u1"),
        ("spare", "u1"),
        ("instrument", "i4"),
        ("occurred_ns", "i8"),
        ("received_ns", "i8"),
        ("price", "i8"),
        ("quantity", "i8"),
        ("sequence", "i8"),
        ("extra", "i8"),
        ("frame", "i8"),
    ],
    align=True,
)
ROW_BYTES = 64
ROW_WORDS = 8
if ROW.itemsize != ROW_BYTES:  # pragma: no cover - a platform that pads differently must not start
    raise ImportError(f"a market row must be {ROW_BYTES} bytes, numpy made it {ROW.itemsize}")

# Word numbers of a row seen as eight int64 (kernels read words: small mixed integers turn into floats silently).
WORD_HEAD, WORD_OCCURRED, WORD_RECEIVED, WORD_PRICE, WORD_QUANTITY, WORD_SEQUENCE, WORD_EXTRA, WORD_FRAME = range(8)


class Kind:
    """What a row says. The word ``extra`` holds, by kind, what stands behind the name."""

    DEPTH = 1  # one changed level, quantity absolute, 0 removes it; extra = pu, the previous event's last update id
    SNAPSHOT = 2  # one level of a full book; the first row empties the book before it; extra = 0
    QUOTE = 3  # best bid (side 0) then best ask (side 1), two rows a frame; sequence = update id; extra = 0
    TRADE = 4  # price, quantity, aggressor; sequence = trade or aggregate id; extra = lots without RPI, or -1
    MARK = 5  # price = mark, quantity = index (both 1e-8); sequence = next funding ms; extra = funding rate at 1e-8
    LIQUIDATION = 6  # a forced order; side of the order; price = average price; quantity = filled lots; extra = price
    KLINE = 7  # a closed bar, four rows with side 0..3 = open high low close; sequence = open ms; extra = interval ms
    #            quantity on the four rows: volume, trade count, taker buy volume, 0
    TICK = 8  # nothing happened until received_ns: proof of silence, made by the feed


KIND_NAMES = {
    Kind.DEPTH: "depth",
    Kind.SNAPSHOT: "snapshot",
    Kind.QUOTE: "quote",
    Kind.TRADE: "trade",
    Kind.MARK: "mark",
    Kind.LIQUIDATION: "liquidation",
    Kind.KLINE: "kline",
    Kind.TICK: "tick",
}


class Flag:
    """Bits of ``flags``."""

    FIRST = 1  # first row of its frame
    LAST = 2  # last row of its frame
    LATE = 4  # behind its stream's watermark when it was accepted
    FILLED = 8  # not heard live: asked for afterwards (REST) to close a gap or to prime the windows
    OFF_MARKET = 16  # a trade outside the book (insurance fund, ADL): never enters tape or bars


BID, ASK = 0, 1
BUY, SELL = 0, 1
NO_LEVEL = -1  # quantity of the single row of an empty depth frame
UNKNOWN_NS = -(2**63)  # a time nobody told us; zero is a real time and is never used for it
FAR_NS = 2**63 - 1  # later than everything
INDEX_MASK = 0xFFFF


def empty_rows(count: int) -> np.ndarray:
    """``count`` zeroed rows, C-contiguous, dtype ``ROW``."""
    return np.zeros(count, dtype=ROW)


def words(rows: np.ndarray) -> np.ndarray:
    """The same memory as an ``int64[n, 8]`` view; see the ``WORD_*`` numbers.

    Raises ValueError when ``rows`` is not a contiguous ``ROW`` array.
    """
    if rows.dtype != ROW or not rows.flags.c_contiguous:
        raise ValueError("rows must be a C-contiguous array of dtype models.rows.ROW")
    return rows.view(np.int64).reshape(-1, ROW_WORDS)
