"""Bars built from trades inside the engine: a few intervals at once, closed by the clock of the venue.

A bar closes when a trade of a later interval arrives, or when a depth frame or a tick proves that the venue's time is
250 ms past its end (otherwise a silent second would never close). Trades that arrive for a closed bar are counted in
``late_trades`` and not put back: a signal that has been acted on cannot be unmade.
"""

from __future__ import annotations

from core.kernels.kernel import kernel
from core.kernels.state import BAR_RING, BAR_SLOTS

BAR_GRACE_NS = 250_000_000
_WAKE_BAR = 4
_RING_MASK = BAR_RING - 1


@kernel
def bar_close(market, slot, until_ns):
    """Close the running bar of a slot, and silent bars after it, so that the running bar covers ``until_ns``.

    Of a silence longer than the ring only the newest ``BAR_RING`` silent bars are made: they fill the ring once over.
    """
    running = slot.running
    interval = slot.interval_ns
    start = until_ns - until_ns % interval
    while running.start_ns < start:
        slot.ring[slot.closed & _RING_MASK] = running
        if running.count == 0:
            slot.filled += 1
        slot.closed += 1
        close = running.close
        running.start_ns = max(running.start_ns + interval, start - BAR_RING * interval)
        running.open = close
        running.high = close
        running.low = close
        running.lots = 0
        running.buy_lots = 0
        running.count = 0
        running.cost = 0


@kernel
def bar_baseline(market):
    """Sum the traded lots of the first slot's newest ``baseline_bars`` closed bars into ``baseline_lots``."""
    slot = market.bars[0]
    count = min(min(slot.closed, market.baseline_bars), BAR_RING)
    total = 0
    for back in range(1, count + 1):
        total += slot.ring[(slot.closed - back) & _RING_MASK].lots
    market.baseline_lots = total
    market.baseline_count = count
    if count >= market.baseline_bars:
        market.ready |= 1
    else:
        market.ready &= ~1


@kernel
def bars_depth(market, occurred_ns):
    """Close bars that ended at least 250 ms before venue time ``occurred_ns``; returns wake bits.

    A time nobody told (``UNKNOWN_NS``, negative like every time before 1970) proves nothing.
    """
    bits = 0
    if occurred_ns < 0:
        return bits
    proven = occurred_ns - BAR_GRACE_NS
    for number in range(BAR_SLOTS):
        slot = market.bars[number]
        if slot.interval_ns == 0:
            break
        if slot.running.start_ns >= 0 and proven >= slot.running.start_ns + slot.interval_ns:
            bar_close(market, slot, proven)
            if number == 0:
                bar_baseline(market)
            bits |= _WAKE_BAR * slot.wake
    return bits


@kernel
def bars_trade(market, side, price, lots, occurred_ns):
    """Add one trade to the running bar of every slot, closing bars it is too late for; returns wake bits.

    A trade too late for any slot, or of unknown time, is counted once in ``late_trades``.
    """
    bits = 0
    if occurred_ns < 0:
        market.late_trades += 1
        return bits
    late = 0
    for number in range(BAR_SLOTS):
        slot = market.bars[number]
        if slot.interval_ns == 0:
            break
        running = slot.running
        if running.start_ns < 0:
            running.start_ns = occurred_ns - occurred_ns % slot.interval_ns
        elif occurred_ns >= running.start_ns + slot.interval_ns:
            bar_close(market, slot, occurred_ns)
            if number == 0:
                bar_baseline(market)
            bits |= _WAKE_BAR * slot.wake
        elif occurred_ns < running.start_ns:
            late = 1
            continue
        if running.count == 0:
            running.open = price
            running.high = price
            running.low = price
        elif price > running.high:
            running.high = price
        elif price < running.low:
            running.low = price
        running.close = price
        running.lots += lots
        if side == 0:
            running.buy_lots += lots
        running.count += 1
        running.cost += price * lots
    market.late_trades += late
    return bits
