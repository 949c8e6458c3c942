"""The compiled half of hearing: decode a frame and check that it continues its stream, so that frames in sequence cost
no Python; and the same over a whole chunk of recorded records.

All persistent memory is reached through one context block, so that a call takes five integers (latency notes, «Calling
numba»: 0.16 µs and nothing for integers).
"""

from __future__ import annotations

import ctypes

from core.kernels.engine import advance
from core.kernels.kernel import call_pass, door, kernel
from data_collector.layout import (
    AGGREGATE,
    DEPTH,
    FRAME_ROWS_MAX,
    INFO_EVENT,
    INFO_FIRST,
    INFO_INSTRUMENT,
    INFO_LAST,
    INFO_PREVIOUS,
    INFO_ROWS,
    QUOTE_EVENT,
    TRADE,
    _put_row,
)
from data_collector.scan import load1, load4, load8, store8
from data_collector.wire import decode
from models.recording import RECORD_HEADER_BYTES, RecordKind
from models.rows import ROW_BYTES, UNKNOWN_NS, Flag, Kind

# Where a bytes object keeps length and characters: in CPython behind a fixed header; checked, not believed.
_PROBE = b"scalper: the bytes begin here"
BYTES_AT = bytes.__basicsize__ - 1
LENGTH_AT = BYTES_AT - 16
DIRECT = ctypes.string_at(id(_PROBE) + BYTES_AT, len(_PROBE)) == _PROBE and (
    ctypes.c_ssize_t.from_address(id(_PROBE) + LENGTH_AT).value == len(_PROBE)
)

HAND_OVER = -1  # the twin decodes this frame
IRREGULAR = -2  # decoded, but it does not continue its stream: Python decides; rows and facts are in place

# State of one instrument: int64[STATE_WORDS]. An id is -1 before the first.
STATE_SYNCED, STATE_DEPTH = 0, 1  # as data_collector.book_sync: phase, last update id
STATE_QUOTE, STATE_TRADE, STATE_AGGREGATE = 2, 3, 4  # last id of each stream
STATE_FIRST_TRADE, STATE_FIRST_AGGREGATE = 5, 6  # first id of each stream, so that asked-for trades find their place
STATE_WORDS = 8

# The context block: addresses and counters.
TABLE, ROWS, INFO, STATE = range(4)
ENGINE, PASS, VENUE = 28, 29, 30  # where frames in sequence go straight on to: ``Session.passage``; 0 when nowhere
FAST, TICKS, SKIPPED = 4, 5, 6  # records counted by the chunk loop and frames taken by the fast pass
FAST_EVENTS = 8  # fast frames by event number (1 to 4), from here
KIND_ROWS = 16  # rows by kind (1 to 8), from here
CONTEXT_WORDS = 32

# What a chunk loop tells: where it stopped, and how many rows it wrote.
CURSOR_OFFSET, CURSOR_ROWS, CURSOR_BITS = 0, 1, 2
CURSOR_WORDS = 3

END, PYTHON, FULL, DAMAGED, WOKE, PAST = 0, 1, 2, 3, 4, 5
"""Results of a chunk loop: finished; the record at the cursor needs Python; the rows are full; no record there; the
record before the cursor woke somebody; the record at the cursor lies beyond the time asked for."""

_FRAME, _TICK, _OPENED, _CLOSED, _NOTE = (
    RecordKind.FRAME,
    RecordKind.TICK,
    RecordKind.OPENED,
    RecordKind.CLOSED,
    RecordKind.NOTE,
)
_TICK_HEAD = Kind.TICK | (Flag.FIRST | Flag.LAST) << 8
_CHAINED = 1
SPARE_ROWS = FRAME_ROWS_MAX  # a frame is only begun when the largest one would fit


@kernel
def admit(info: int, states: int) -> int:
    """Whether the decoded frame in ``info`` continues its stream: its number of rows (and the state moves on), or
    ``IRREGULAR`` and the state stands still.

    Depth: the book is chained and ``pu`` (spot: ``U`` - 1) is the last ``u``. Quotes: ``u`` rises. Trades: the id is
    the next one. The first of a stream is regular for quotes and trades, never for depth.
    """
    event, last = load8(info + 8 * INFO_EVENT), load8(info + 8 * INFO_LAST)
    state = states + 8 * STATE_WORDS * load8(info + 8 * INFO_INSTRUMENT)
    if event == DEPTH:
        previous, before = load8(info + 8 * INFO_PREVIOUS), load8(state + 8 * STATE_DEPTH)
        if previous < 0:
            previous = load8(info + 8 * INFO_FIRST) - 1
        if load8(state + 8 * STATE_SYNCED) != _CHAINED or previous != before or last <= before:
            return IRREGULAR
        store8(state + 8 * STATE_DEPTH, last)
    elif event == QUOTE_EVENT:
        if last <= load8(state + 8 * STATE_QUOTE):
            return IRREGULAR
        store8(state + 8 * STATE_QUOTE, last)
    elif event in (AGGREGATE, TRADE):
        word = state + 8 * (STATE_AGGREGATE if event == AGGREGATE else STATE_TRADE)
        before = load8(word)
        if before < 0:
            store8(word + 8 * (STATE_FIRST_TRADE - STATE_TRADE), last)
        elif last != before + 1:
            return IRREGULAR
        store8(word, last)
    return load8(info + 8 * INFO_ROWS)


@kernel
def hear_frame(source: int, length: int, received_ns: int, number: int, context: int) -> int:
    """Decode and admit one frame into the rows of the context: number of rows, ``HAND_OVER`` or ``IRREGULAR``."""
    info = load8(context + 8 * INFO)
    count = decode(
        source, length, received_ns, number, load8(context + 8 * TABLE), load8(context + 8 * ROWS), FRAME_ROWS_MAX, info
    )
    if count < 0:
        return HAND_OVER
    store8(context + 8 * FAST, load8(context + 8 * FAST) + 1)
    counter = context + 8 * (FAST_EVENTS + load8(info + 8 * INFO_EVENT))
    store8(counter, load8(counter) + 1)
    count = admit(info, load8(context + 8 * STATE))
    if count > 0:
        counter = context + 8 * (KIND_ROWS + load1(load8(context + 8 * ROWS)))
        store8(counter, load8(counter) + count)
    return count


@kernel
def _through(context: int, count: int) -> int:
    """Run the rows of one frame, at the context's ``ROWS``, through engine and venue; the wake bits."""
    engine, rows, entry = load8(context + 8 * ENGINE), load8(context + 8 * ROWS), load8(context + 8 * PASS)
    if engine == 0:
        return 0
    if entry == 0:
        return advance(engine, rows, 0, count) & 0xFF
    return call_pass(entry, engine, load8(context + 8 * VENUE), rows, 0, count) & 0xFF


@door
def hear_through(payload: int, received_ns: int, number: int, context: int) -> int:
    """Bytes to wake bits in one call: ``hear_frame``, then ``advance`` of the context's engine over its rows.

    ``payload`` is the ``id`` of a bytes object, whose length and characters are found behind it (``LENGTH_AT``,
    ``BYTES_AT``; only where ``DIRECT``). Returns ``rows << 8 | wake bits``, or ``HAND_OVER`` or ``IRREGULAR``. With
    the deadline bit the engine has not moved: the rows stand ready, what is due comes first.
    """
    count = hear_frame(payload + BYTES_AT, load8(payload + LENGTH_AT), received_ns, number, context)
    if count <= 0:
        return count
    return count << 8 | _through(context, count)


@kernel
def _uncount(context: int) -> None:
    """Take the frame just decoded out of the counts: Python decodes it again and counts it."""
    store8(context + 8 * FAST, load8(context + 8 * FAST) - 1)
    counter = context + 8 * (FAST_EVENTS + load8(load8(context + 8 * INFO) + 8 * INFO_EVENT))
    store8(counter, load8(counter) - 1)


@kernel
def _count_tick(context: int) -> int:
    """Count a tick and its row; 1."""
    store8(context + 8 * TICKS, load8(context + 8 * TICKS) + 1)
    store8(context + 8 * (KIND_ROWS + 8), load8(context + 8 * (KIND_ROWS + 8)) + 1)
    return 1


@kernel
def hear_records(chunk: int, length: int, out: int, capacity: int, context: int, cursor: int) -> int:
    """Decode and admit the records of a chunk of ``length`` bytes at address ``chunk``, from the cursor's offset on.

    Rows go to ``out`` from the cursor's count on, ``capacity`` (above ``SPARE_ROWS``) fit. Returns END, PYTHON, FULL or
    DAMAGED, with the cursor at the record that was not taken. At PYTHON nothing of that record is kept or counted.
    """
    at, rows = load8(cursor + 8 * CURSOR_OFFSET), load8(cursor + 8 * CURSOR_ROWS)
    result, keep = END, load8(context + 8 * ROWS)
    while at < length:
        if rows + SPARE_ROWS > capacity:
            result = FULL
            break
        size = load4(chunk + at) if at + RECORD_HEADER_BYTES <= length else length
        if at + RECORD_HEADER_BYTES + size > length:
            result = DAMAGED
            break
        head, kind = chunk + at, load1(chunk + at + 4)
        received_ns, number = load8(head + 8), load8(head + 16)
        if kind == _FRAME:
            store8(context + 8 * ROWS, out + ROW_BYTES * rows)
            count = hear_frame(head + RECORD_HEADER_BYTES, size, received_ns, number, context)
            if count == IRREGULAR:
                _uncount(context)
            if count < 0:
                result = PYTHON
                break
            rows += count
        elif kind == _TICK:
            _put_row(out + ROW_BYTES * rows, _TICK_HEAD, UNKNOWN_NS, received_ns, 0, 0, 0, 0, number)
            rows += _count_tick(context)
        elif kind in (_OPENED, _CLOSED, _NOTE):
            store8(context + 8 * SKIPPED, load8(context + 8 * SKIPPED) + 1)
        else:
            result = PYTHON
            break
        at += RECORD_HEADER_BYTES + size
    store8(context + 8 * ROWS, keep)
    store8(cursor + 8 * CURSOR_OFFSET, at)
    store8(cursor + 8 * CURSOR_ROWS, rows)
    return result


@kernel
def run_records(chunk: int, length: int, until_ns: int, context: int, cursor: int) -> int:
    """Hear the records of a chunk one after the other and run each frame through engine and venue at once, as the
    sockets do; from the cursor's offset on, up to the first record received at ``until_ns`` or later.

    Returns END, PYTHON or DAMAGED with the cursor at the record that was not taken, or WOKE behind the one that woke:
    its rows stand at the context's ``ROWS``, their number and the wake bits in the cursor.
    """
    at, out = load8(cursor + 8 * CURSOR_OFFSET), load8(context + 8 * ROWS)
    result = END
    while at < length:
        size = load4(chunk + at) if at + RECORD_HEADER_BYTES <= length else length
        if at + RECORD_HEADER_BYTES + size > length:
            result = DAMAGED
            break
        head, kind = chunk + at, load1(chunk + at + 4)
        received_ns, number, count = load8(head + 8), load8(head + 16), 0
        if received_ns >= until_ns:
            result = PAST
            break
        if kind == _FRAME:
            count = hear_frame(head + RECORD_HEADER_BYTES, size, received_ns, number, context)
            if count == IRREGULAR:
                _uncount(context)
        elif kind == _TICK:
            _put_row(out, _TICK_HEAD, UNKNOWN_NS, received_ns, 0, 0, 0, 0, number)
            count = _count_tick(context)
        elif kind in (_OPENED, _CLOSED, _NOTE):
            store8(context + 8 * SKIPPED, load8(context + 8 * SKIPPED) + 1)
        else:
            count = HAND_OVER
        if count < 0:
            result = PYTHON
            break
        at += RECORD_HEADER_BYTES + size
        bits = _through(context, count) if count > 0 else 0
        if bits != 0:
            store8(cursor + 8 * CURSOR_ROWS, count)
            store8(cursor + 8 * CURSOR_BITS, bits)
            result = WOKE
            break
    store8(cursor + 8 * CURSOR_OFFSET, at)
    return result
