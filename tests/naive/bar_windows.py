"""Bars as lists of dicts: every closed bar is kept, nothing wraps."""

from __future__ import annotations

from typing import Any

RING = 256
GRACE_NS = 250_000_000
WAKE_BAR = 4
Bar = dict[str, int]


class Slot:
    """One interval: its closed bars and the running one, ``None`` before the first trade."""

    def __init__(self, interval_ns: int, wake: int = 0) -> None:
        self.interval_ns = interval_ns
        self.wake = wake
        self.bars: list[Bar] = []
        self.running: Bar | None = None

    @property
    def closed(self) -> int:
        """Bars closed so far."""
        return len(self.bars)

    @property
    def filled(self) -> int:
        """Silent bars among them."""
        return sum(bar["count"] == 0 for bar in self.bars)

    @property
    def end_ns(self) -> int:
        """Where the running bar ends."""
        assert self.running is not None
        return self.running["start_ns"] + self.interval_ns


def silent(start_ns: int, price: int) -> Bar:
    """A bar without trades at ``price``."""
    return {
        "start_ns": start_ns, "open": price, "high": price, "low": price, "close": price,
        "lots": 0, "buy_lots": 0, "count": 0, "cost": 0,
    }  # fmt: skip


def bar_close(market: Any, slot: Slot, until_ns: int) -> None:
    """Close the running bar, then silent bars (the newest ``RING`` of them) up to the one that covers ``until_ns``."""
    assert slot.running is not None
    target = until_ns // slot.interval_ns * slot.interval_ns
    if slot.running["start_ns"] >= target:
        return
    price = slot.running["close"]
    starts = range(slot.end_ns, target, slot.interval_ns)
    slot.bars.append(slot.running)
    slot.bars.extend(silent(start, price) for start in starts[-RING:])
    slot.running = silent(target, price)


def bar_baseline(market: Any) -> None:
    """Lots of the newest ``baseline_bars`` closed bars of the first slot."""
    newest = market.bars[0].bars[-min(market.baseline_bars, RING) :] if market.baseline_bars else []
    market.baseline_lots = sum(bar["lots"] for bar in newest)
    market.baseline_count = len(newest)
    market.ready = market.ready | 1 if len(newest) >= market.baseline_bars else market.ready & ~1


def bars_depth(market: Any, occurred_ns: int) -> int:
    """Close what ended 250 ms before ``occurred_ns``."""
    if occurred_ns < 0:
        return 0
    bits = 0
    for number, slot in enumerate(market.bars):
        if slot.running is not None and occurred_ns - GRACE_NS >= slot.end_ns:
            bar_close(market, slot, occurred_ns - GRACE_NS)
            if number == 0:
                bar_baseline(market)
            if slot.wake:
                bits = WAKE_BAR
    return bits


def bars_trade(market: Any, side: int, price: int, lots: int, occurred_ns: int) -> int:
    """Add a trade to the running bars; late for one slot or more, it is counted once."""
    if occurred_ns < 0:
        market.late_trades += 1
        return 0
    bits = 0
    late = False
    for number, slot in enumerate(market.bars):
        if slot.running is None:
            slot.running = silent(occurred_ns // slot.interval_ns * slot.interval_ns, 0)
        elif occurred_ns >= slot.end_ns:
            bar_close(market, slot, occurred_ns)
            if number == 0:
                bar_baseline(market)
            if slot.wake:
                bits = WAKE_BAR
        bar = slot.running
        if occurred_ns < bar["start_ns"]:
            late = True
            continue
        if bar["count"] == 0:
            bar["open"] = bar["high"] = bar["low"] = price
        bar["high"] = max(bar["high"], price)
        bar["low"] = min(bar["low"], price)
        bar["close"] = price
        bar["lots"] += lots
        bar["buy_lots"] += lots if side == 0 else 0
        bar["count"] += 1
        bar["cost"] += price * lots
    market.late_trades += late
    return bits
