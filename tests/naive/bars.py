"""Twins of ``core.kernels.bars``: trades grouped by interval in a dictionary."""

from __future__ import annotations

from models.rows import UNKNOWN_NS, Flag, Kind

INTERVAL_NS, INSTRUMENT = 10, 11


def trades_of(rows, instrument):
    """(occurred, price, lots, side, filled) of the trades that count, in order."""
    found = []
    for head, occurred, _, price, lots, *_ in rows.tolist():
        kind, flags, side, key = head & 0xFF, head >> 8 & 0xFF, head >> 16 & 0xFF, head >> 32
        wanted = instrument in (-1, key) and not flags & Flag.OFF_MARKET
        if kind == Kind.TRADE and wanted and occurred != UNKNOWN_NS:
            found.append((occurred, price, lots, side, bool(flags & Flag.FILLED)))
    return found


def bars_of(rows, interval_ns, instrument):
    """Every bar from the first trade's interval to the last one's."""
    intervals = {}
    newest = None
    for occurred, *trade in trades_of(rows, instrument):
        begin = occurred // interval_ns * interval_ns
        if newest is None or begin >= newest:
            newest = begin
            intervals.setdefault(begin, []).append(trade)
    bars = []
    for begin in range(min(intervals), max(intervals) + 1, interval_ns) if intervals else ():
        trades = intervals.get(begin, [])
        if not trades:
            bars.append([begin, *[bars[-1][4]] * 4, 0, 0, 0, 0, 1])
            continue
        prices = [price for price, *_ in trades]
        volume, bought = sum(lots for _, lots, *_ in trades), sum(lots for _, lots, side, _ in trades if side == 0)
        notional = sum(price * lots for price, lots, *_ in trades)
        flags = 2 * any(filled for *_, filled in trades)
        bars.append(
            [begin, prices[0], max(prices), min(prices), prices[-1], volume, bought, len(trades), notional, flags]
        )
    return bars


def advance_bars(rows, start, state, out):
    """For a fresh state and an ``out`` that is large enough: all bars but the running one."""
    bars = bars_of(rows[start:], int(state[INTERVAL_NS]), int(state[INSTRUMENT]))[:-1]
    for row, bar in enumerate(bars):
        out[row] = bar
    return len(rows), len(bars)


def close_bars(now_ns, state, out):
    """The running bar, then silent ones, for every interval that is over."""
    interval, running, written = int(state[INTERVAL_NS]), int(state[12]), 0
    bar = state[:10].tolist()
    while running and bar[0] + interval <= now_ns and written < len(out):
        out[written] = bar
        written += 1
        bar = [bar[0] + interval, *[bar[4]] * 4, 0, 0, 0, 0, 1]
    return written


def count_bars(rows, interval_ns, instrument):
    return len(bars_of(rows, interval_ns, instrument))


def build_bars(rows, interval_ns, instrument=-1):
    return bars_of(rows, interval_ns, instrument)
