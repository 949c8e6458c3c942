"""Bars from trades, at any interval from one second, by the exchange's time.

A bar is closed by the first trade of a later interval, or by ``close_bars`` when the caller knows that the interval is
over (engine: a depth frame 250 ms past its end). Intervals without trades give a bar of zero volume at the last close,
flagged SILENT. A trade of an interval already closed is counted late and not put back: what was told stays told.
Rows may be cut anywhere between calls: every state stands in ``state``, nothing happens at the end of a call.

All numbers are integers: prices ticks, volumes lots, notional Σ ticks · lots.
"""

from __future__ import annotations

import numpy as np

from core.kernels.kernel import kernel
from models.error import DataError
from models.rows import (
    BUY,
    FAR_NS,
    UNKNOWN_NS,
    WORD_HEAD,
    WORD_OCCURRED,
    WORD_PRICE,
    WORD_QUANTITY,
    Flag,
    Kind,
)

BAR_WORDS = 10
# words of a bar
START_NS, OPEN, HIGH, LOW, CLOSE, VOLUME, BUY_VOLUME, TRADES, NOTIONAL, BAR_FLAGS = range(BAR_WORDS)
SILENT = 1  # no trade in the interval: zero volume, all four prices at the last close
FILLED = 2  # at least one of its trades was asked for afterwards (models.rows.Flag.FILLED)

STATE_WORDS = 16
# words of the state: the running bar first, then what the caller set and what was counted
INTERVAL_NS, INSTRUMENT, RUNNING, LATE, UNTIMED, OTHER = range(BAR_WORDS, STATE_WORDS)
ANY_INSTRUMENT = -1
SECOND_NS = 1_000_000_000
TRADE = Kind.TRADE
OFF_MARKET = Flag.OFF_MARKET
ROW_FILLED = Flag.FILLED


def bar_state(interval_ns: int, instrument: int = ANY_INSTRUMENT) -> np.ndarray:
    """State before the first trade. ``instrument`` is the row's key (index and epoch), or ANY_INSTRUMENT.

    Raises DataError for an interval below one second: shorter bars are mostly silent, and a day of them is no history.
    """
    if interval_ns < SECOND_NS:
        raise DataError(f"a bar must last at least 1 s (1000000000 ns), not {interval_ns} ns", code="BAR_INTERVAL")
    state = np.zeros(STATE_WORDS, np.int64)
    state[INTERVAL_NS], state[INSTRUMENT] = interval_ns, instrument
    return state


@kernel
def _close_before(state: np.ndarray, start_ns: int, out: np.ndarray, written: int) -> int:
    """Close every interval before ``start_ns`` while ``out`` has room; returns the bars in ``out``."""
    while state[RUNNING] == 1 and state[START_NS] < start_ns and written < out.shape[0]:
        for word in range(BAR_WORDS):
            out[written, word] = state[word]
        written += 1
        close = state[CLOSE]
        state[START_NS] += state[INTERVAL_NS]
        state[OPEN] = state[HIGH] = state[LOW] = close
        state[VOLUME] = state[BUY_VOLUME] = state[TRADES] = state[NOTIONAL] = 0
        state[BAR_FLAGS] = SILENT
    return written


@kernel
def _take_trade(state: np.ndarray, price: int, lots: int, side: int, filled: bool) -> None:
    """Add one trade to the running bar; the first of a silent bar opens it."""
    if state[BAR_FLAGS] & SILENT:
        state[OPEN] = state[HIGH] = state[LOW] = price
        state[BAR_FLAGS] = 0
    state[HIGH] = max(state[HIGH], price)
    state[LOW] = min(state[LOW], price)
    state[CLOSE] = price
    state[VOLUME] += lots
    state[TRADES] += 1
    state[NOTIONAL] += price * lots
    if side == BUY:
        state[BUY_VOLUME] += lots
    if filled:
        state[BAR_FLAGS] |= FILLED


@kernel
def advance_bars(rows: np.ndarray, start: int, state: np.ndarray, out: np.ndarray) -> tuple[int, int]:
    """Read rows from ``start``; returns (next row to read, bars written to ``out``).

    ``rows`` int64[n, 8] (``models.rows.words``), ``out`` int64[m, 10], m ≥ 1. Stops early, before the row it could not
    take, when ``out`` is full: empty it and call again from the returned row. Only trades of the state's instrument
    enter; off-market prints never do; trades without the exchange's time are counted, not guessed at.
    """
    written = 0
    for row in range(start, rows.shape[0]):
        head = rows[row, WORD_HEAD]
        if head & 0xFF != TRADE:
            continue
        flags = (head >> 8) & 0xFF
        if flags & OFF_MARKET or (state[INSTRUMENT] != ANY_INSTRUMENT and head >> 32 != state[INSTRUMENT]):
            state[OTHER] += 1
            continue
        occurred_ns = rows[row, WORD_OCCURRED]
        if occurred_ns == UNKNOWN_NS:
            state[UNTIMED] += 1
            continue
        begin = occurred_ns // state[INTERVAL_NS] * state[INTERVAL_NS]
        if state[RUNNING] == 0:
            state[:BAR_WORDS] = 0
            state[START_NS], state[BAR_FLAGS], state[RUNNING] = begin, SILENT, 1
        elif begin < state[START_NS]:
            state[LATE] += 1
            continue
        written = _close_before(state, begin, out, written)
        if state[START_NS] < begin:
            return row, written
        price, lots = rows[row, WORD_PRICE], rows[row, WORD_QUANTITY]
        _take_trade(state, price, lots, (head >> 16) & 0xFF, flags & ROW_FILLED != 0)
    return rows.shape[0], written


@kernel
def close_bars(now_ns: int, state: np.ndarray, out: np.ndarray) -> int:
    """Close every interval that ended at or before ``now_ns`` (exchange time); returns the bars written to ``out``.

    A return equal to the rows of ``out`` may mean there is more: empty it and call again.
    """
    return _close_before(state, now_ns // state[INTERVAL_NS] * state[INTERVAL_NS], out, 0)


@kernel
def count_bars(rows: np.ndarray, interval_ns: int, instrument: int) -> int:
    """How many bars ``build_bars`` makes of ``rows``: the intervals from the first trade to the last."""
    first, last = FAR_NS, UNKNOWN_NS
    for row in range(rows.shape[0]):
        head = rows[row, WORD_HEAD]
        if head & 0xFF != TRADE or (head >> 8) & OFF_MARKET or rows[row, WORD_OCCURRED] == UNKNOWN_NS:
            continue
        if instrument != ANY_INSTRUMENT and head >> 32 != instrument:
            continue
        begin = rows[row, WORD_OCCURRED] // interval_ns
        first = begin if first == FAR_NS else first
        last = max(last, begin)
    return last - first + 1 if first != FAR_NS else 0


def build_bars(rows: np.ndarray, interval_ns: int, instrument: int = ANY_INSTRUMENT) -> np.ndarray:
    """All bars of ``rows`` (int64[n, 8]) as int64[m, 10], the last, perhaps unfinished, one included.

    The same kernel as the moving form, run once: both give the same bars. Raises DataError as ``bar_state`` does.
    """
    state = bar_state(interval_ns, instrument)
    out = np.zeros((count_bars(rows, interval_ns, instrument), BAR_WORDS), np.int64)
    _, written = advance_bars(rows, 0, state, out)
    close_bars(FAR_NS, state, out[written:])
    return out
