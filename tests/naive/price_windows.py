"""Imbalance and momentum from complete histories: every value is looked up or summed anew."""

from __future__ import annotations

from typing import Any

GRID_NS = 100_000_000
IMBALANCE_BOUND = 256  # frames the imbalance window can hold
MID_BOUND = 1_024  # grid slots one can look back
SECOND_NS = 1_000_000_000


class PriceWindows:
    """What the windows are made of: frames with their touch sums, and the last mid of each grid slot heard."""

    def __init__(self) -> None:
        self.touches: list[tuple[int, int, int]] = []
        self.mids: dict[int, int] = {}

    def mid_at(self, slot: int) -> int:
        """The mid in force at the end of a grid slot."""
        return self.mids[max(heard for heard in self.mids if heard <= slot)]


def imbalance_add(market: Any, now_ns: int) -> None:
    """Append the touch sums and sum up what is inside the window."""
    history = market.windows.touches
    history.append((now_ns, market.bid_lots, market.ask_lots))
    oldest = now_ns - market.imbalance_window_ns
    inside = [touch for touch in history[:-1] if touch[0] > oldest] + history[-1:]
    inside = inside[-IMBALANCE_BOUND:]
    market.imbalance_bid = sum(bid for _, bid, _ in inside)
    market.imbalance_ask = sum(ask for _, _, ask in inside)
    market.imbalance_head = len(history)
    market.imbalance_tail = len(history) - len(inside)
    market.ready |= 2


def mid_add(market: Any, now_ns: int, mid2: int) -> None:
    """Note the mid of a grid slot; a slot before the newest one is over."""
    slot = now_ns // GRID_NS
    if market.windows.mids and slot < market.mid_slot:
        return
    market.windows.mids[slot] = mid2
    market.mid_slot = slot
    market.mid_first_slot = min(market.windows.mids)


def log_return(now2: int, then2: int) -> int:
    """The series of the documentation, ln(a/b) = 2·(y + y³/3 + y⁵/5 + y⁷/7), in floats, half away from zero."""
    y = (now2 - then2) / (now2 + then2)
    square = y * y
    value = 2.0 * y * (1.0 + square * (1.0 / 3.0 + square * (0.2 + square * (1.0 / 7.0)))) * 100_000_000
    return int(value + 0.5) if value >= 0.0 else -int(0.5 - value)


def momentum_now(market: Any, now_ns: int) -> tuple[int, bool]:
    """The return from the mid in force a window ago to the mid in force now."""
    then = now_ns // GRID_NS - market.momentum_window_ns // GRID_NS
    heard = market.windows.mids
    if not heard or then < min(heard) or max(heard) - then >= MID_BOUND:
        return 0, False
    return log_return(market.windows.mid_at(max(heard)), market.windows.mid_at(then)), True


def second_due(market: Any, now_ns: int) -> bool:
    """Whether a later whole second than the noted one has begun."""
    due = now_ns // SECOND_NS > market.return_slot
    market.return_slot = max(market.return_slot, now_ns // SECOND_NS)
    return due
