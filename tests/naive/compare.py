"""The compiled records and the naive objects in one comparable form, as plain dicts."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.kernels.state import BAR, SCALARS
from tests.naive.bar_windows import Slot, silent
from tests.naive.book import WINDOW, Book
from tests.naive.engine import Market
from tests.naive.price_windows import IMBALANCE_BOUND, MID_BOUND

BOOK_WORDS = (
    "base", "best_bid", "best_ask", "known_low", "known_high", "update_id", "occurred_ns", "received_ns", "valid",
    "outside", "crossed", "moves",
)  # fmt: skip
BARS_KEPT, TRADES_KEPT, SECONDS_KEPT, QUOTES_KEPT, LIQUIDATIONS_KEPT = 256, 4_096, 2_048, 64, 64


def book_of_record(record: Any) -> dict[str, Any]:
    """A compiled book: its words, and its ladders as dicts by tick."""
    base = int(record["base"])
    view: dict[str, Any] = {name: int(record[name]) for name in BOOK_WORDS}
    for side in ("bids", "asks"):
        slots = np.flatnonzero(record[side])
        view[side] = {base + (int(slot) - base) % WINDOW: int(record[side][slot]) for slot in slots}
    return view


def book_of_naive(book: Book) -> dict[str, Any]:
    """A naive book in the same form."""
    return {name: getattr(book, name) for name in (*BOOK_WORDS, "bids", "asks")}


def _newest(ring: Any, count: int, kept: int) -> list[Any]:
    """The newest entries of a ring after ``count`` writes, oldest first, as plain integers or tuples."""
    return [ring[number % kept].tolist() for number in range(max(0, count - kept), count)]


def _mirrored(block: Any, count: int, kept: int) -> list[tuple[int, ...]]:
    """The newest rows of a mirrored block (columns × twice the rows), oldest first; both places must agree."""
    numbers = range(max(0, count - kept), count)
    first = [tuple(int(value) for value in block[:, number % kept]) for number in numbers]
    second = [tuple(int(value) for value in block[:, number % kept + kept]) for number in numbers]
    assert first == second, "the two places of a row differ"
    return first


def slot_of_record(record: Any) -> dict[str, Any]:
    """A compiled bar slot: counts, running bar, closed bars as dicts."""
    names = BAR.names or ()
    closed = [dict(zip(names, bar, strict=True)) for bar in _newest(record["ring"], int(record["closed"]), BARS_KEPT)]
    running = {name: int(record["running"][name]) for name in names}
    return {"closed": int(record["closed"]), "filled": int(record["filled"]), "bars": closed, "running": running}


def slot_of_naive(slot: Slot) -> dict[str, Any]:
    """A naive bar slot in the same form."""
    running = slot.running if slot.running is not None else silent(-1, 0)
    return {"closed": slot.closed, "filled": slot.filled, "bars": slot.bars[-BARS_KEPT:], "running": running}


def market_of_record(record: Any, slots: int) -> dict[str, Any]:
    """Everything a compiled market holds."""
    view: dict[str, Any] = {name: int(record[name]) for name in SCALARS}
    view["book"] = book_of_record(record["book"])
    view["bars"] = [slot_of_record(record["bars"][number]) for number in range(slots)]
    view["tape"] = _mirrored(record["tape"], view["tape_count"], TRADES_KEPT)
    view["seconds"] = _mirrored(record["seconds"], view["second_count"], SECONDS_KEPT)
    view["quotes_kept"] = [tuple(entry) for entry in _newest(record["quote_ring"], view["quote_head"], QUOTES_KEPT)]
    view["liquidation_times"] = _newest(record["liquidation_ring"], view["liquidation_head"], LIQUIDATIONS_KEPT)
    view["returns"] = _newest(record["return_ring"], view["return_count"], view["momentum_history"])
    inside = range(view["imbalance_tail"], view["imbalance_head"])
    view["touches"] = [tuple(record["imbalance_ring"][number % IMBALANCE_BOUND].tolist()) for number in inside]
    oldest = max(view["mid_first_slot"], view["mid_slot"] - MID_BOUND + 1)
    grid = range(oldest, view["mid_slot"] + 1) if view["mid_slot"] else range(0)
    view["mids"] = [int(record["mid_ring"][slot % MID_BOUND]) for slot in grid]
    return view


def market_of_naive(market: Market) -> dict[str, Any]:
    """Everything a naive market holds, in the same form."""
    view: dict[str, Any] = {name: getattr(market, name) for name in SCALARS}
    view["book"] = book_of_naive(market.book)
    view["bars"] = [slot_of_naive(slot) for slot in market.bars]
    view["tape"] = market.tape[-TRADES_KEPT:]
    view["seconds"] = market.seconds[-SECONDS_KEPT:]
    view["quotes_kept"] = market.quotes_heard[-QUOTES_KEPT:]
    view["liquidation_times"] = market.samples.liquidations[-LIQUIDATIONS_KEPT:]
    view["returns"] = market.samples.returns[-market.momentum_history :]
    view["touches"] = market.windows.touches[market.imbalance_tail :]
    mids = market.windows.mids
    grid = range(max(min(mids), market.mid_slot - MID_BOUND + 1), market.mid_slot + 1) if mids else range(0)
    held = [market.windows.mid_at(slot) for slot in list(grid)[:1]]
    for slot in list(grid)[1:]:
        held.append(mids.get(slot, held[-1]))
    view["mids"] = held
    return view


def differences(record: Any, market: Market) -> dict[str, tuple[Any, Any]]:
    """Every entry that differs, as ``name: (compiled, naive)``; empty when both agree."""
    compiled, naive = market_of_record(record, len(market.bars)), market_of_naive(market)
    return {name: (compiled[name], naive[name]) for name in compiled if compiled[name] != naive[name]}
