"""The imbalance window and the momentum window of the engine.

Imbalance is the ratio of sums over the depth frames received in the last ``imbalance_window_ns`` (the newest
included): integer sums, no division until somebody looks. Momentum is the log return of the mid over
``momentum_window_ns``, read from a 100 ms grid: a slot holds the mid in force at the end of its 100 ms, the newest
slot the mid in force now.
"""

from __future__ import annotations

from core.kernels.kernel import kernel
from core.kernels.state import IMBALANCE_RING, MID_GRID_NS, MID_RING, RETURN_UNIT, SECOND_NS

_IMBALANCE_MASK = IMBALANCE_RING - 1
_MID_MASK = MID_RING - 1


@kernel
def imbalance_add(market, now_ns):
    """Add the touch sums of the frame received at ``now_ns`` and drop those outside the window."""
    ring = market.imbalance_ring
    head = market.imbalance_head
    tail = market.imbalance_tail
    oldest = now_ns - market.imbalance_window_ns
    while tail < head and (head - tail >= IMBALANCE_RING or ring[tail & _IMBALANCE_MASK, 0] <= oldest):
        market.imbalance_bid -= ring[tail & _IMBALANCE_MASK, 1]
        market.imbalance_ask -= ring[tail & _IMBALANCE_MASK, 2]
        tail += 1
    ring[head & _IMBALANCE_MASK, 0] = now_ns
    ring[head & _IMBALANCE_MASK, 1] = market.bid_lots
    ring[head & _IMBALANCE_MASK, 2] = market.ask_lots
    market.imbalance_bid += market.bid_lots
    market.imbalance_ask += market.ask_lots
    market.imbalance_head = head + 1
    market.imbalance_tail = tail
    market.ready |= 2


@kernel
def mid_add(market, now_ns, mid2):
    """Write ``mid2`` (bid + ask) to the grid, carrying the mid before it over every grid time that passed."""
    slot = now_ns // MID_GRID_NS
    ring = market.mid_ring
    if market.mid_first_slot == 0:
        market.mid_first_slot = slot
    else:
        last = market.mid_slot
        if slot < last:
            return
        held = ring[last & _MID_MASK]
        for passed in range(max(last + 1, slot - MID_RING), slot):
            ring[passed & _MID_MASK] = held
    ring[slot & _MID_MASK] = mid2
    market.mid_slot = slot


@kernel
def log_return(now2, then2):
    """ln(now2/then2) at 1e-8, rounded to the nearest integer; a series in (a-b)/(a+b), exact to 1e-8 below 10 %.

    Own arithmetic instead of the platform's ``log``: the same bytes everywhere (design §4).
    """
    y = (now2 - then2) / (now2 + then2)
    square = y * y
    value = 2.0 * y * (1.0 + square * (1.0 / 3.0 + square * (0.2 + square * (1.0 / 7.0)))) * RETURN_UNIT
    return int(value + 0.5) if value >= 0.0 else -int(0.5 - value)


@kernel
def momentum_now(market, now_ns):
    """The return at 1e-8 of the mid in force over the window, and whether the grid reaches back that far."""
    newest = market.mid_slot
    then = now_ns // MID_GRID_NS - market.momentum_window_ns // MID_GRID_NS
    first = market.mid_first_slot
    if first == 0 or then < first or newest - then >= MID_RING:
        return 0, False
    if then >= newest:
        return 0, True  # a silence longer than the window: the mid has not moved since
    return log_return(market.mid_ring[newest & _MID_MASK], market.mid_ring[then & _MID_MASK]), True


@kernel
def second_due(market, now_ns):
    """Whether a whole second of the receive clock has begun since the last sample; notes it when so."""
    second = now_ns // SECOND_NS
    if second <= market.return_slot:
        return False
    market.return_slot = second
    return True
