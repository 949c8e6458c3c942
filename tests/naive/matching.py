"""Slow twins of ``exchange.simulated.matching``: dict books and plain lists, written to be obviously right."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from exchange.simulated import matching as m
from models.rows import BID, FAR_NS, INDEX_MASK, Flag, Kind


@dataclass
class Book:
    """Levels by tick; ``low`` and ``high`` end the range that a snapshot proved."""

    bids: dict[int, int] = field(default_factory=dict)
    asks: dict[int, int] = field(default_factory=dict)
    low: int = 0
    high: int = 0
    valid: bool = False

    def side(self, side: int) -> dict[int, int]:
        return self.bids if side == BID else self.asks

    def set(self, side: int, tick: int, lots: int) -> None:
        self.side(side).pop(tick, None)
        if lots > 0:
            self.side(side)[tick] = lots


@dataclass
class Exchange:
    """What ``follow`` carries: one book and one lane (word → value) for each instrument."""

    lanes: list[dict[int, int]]
    offset_ns: int = 0
    lag_bound_ns: int = 0
    books: list[Book] = field(default_factory=list)
    reason: int = 0
    before: int = 0

    def __post_init__(self) -> None:
        self.books = [Book() for _ in self.lanes]


def follow(exchange: Exchange, rows: Any, start: int, stop: int) -> int:
    """Row by row; stops before a row that proves something, after a row that touches something."""
    exchange.reason = 0
    for index in range(start, stop):
        row = rows[index]
        kind, instrument = int(row["kind"]), int(row["instrument"]) & INDEX_MASK
        if kind == Kind.TICK:
            proof_ns = min((lane.get(m.LANE_PROOF_NS, FAR_NS) for lane in exchange.lanes), default=FAR_NS)
            if int(row["received_ns"]) + exchange.offset_ns >= proof_ns + exchange.lag_bound_ns:
                exchange.reason = m.REASON_SILENCE
                return index
        if kind == Kind.TICK or instrument >= len(exchange.lanes):
            continue
        lane = exchange.lanes[instrument]
        first = bool(int(row["flags"]) & Flag.FIRST)
        if kind in (Kind.DEPTH, Kind.SNAPSHOT) and first and int(row["occurred_ns"]) > lane[m.LANE_PROOF_NS]:
            exchange.reason = m.REASON_PROOF
            return index
        if kind in (Kind.DEPTH, Kind.SNAPSHOT):
            _depth(exchange, lane, exchange.books[instrument], row)
        elif kind == Kind.TRADE and not int(row["flags"]) & (Flag.FILLED | Flag.OFF_MARKET):
            _trade(exchange, lane, int(row["price"]))
        elif kind == Kind.MARK:
            _mark(exchange, lane, row)
        if exchange.reason:
            return index + 1
    return stop


def _depth(exchange: Exchange, lane: dict[int, int], book: Book, row: Any) -> None:
    kind, flags, side = int(row["kind"]), int(row["flags"]), int(row["side"])
    tick, lots = int(row["price"]), int(row["quantity"])
    watches_levels = bool(lane[m.LANE_WATCH] & m.WATCH_LEVELS)
    if kind == Kind.SNAPSHOT and flags & Flag.FIRST:
        book.bids, book.asks, book.low, book.high, book.valid = {}, {}, tick, tick, False
    if lots >= 0:
        low = lane[m.LANE_BUY_LOW] if side == BID else lane[m.LANE_SELL_LOW]
        high = lane[m.LANE_BUY_HIGH] if side == BID else lane[m.LANE_SELL_HIGH]
        if watches_levels and kind == Kind.DEPTH and low <= tick <= high:
            exchange.reason |= m.REASON_LEVEL
            exchange.before = book.side(side).get(tick, 0)
        book.set(side, tick, lots)
        if kind == Kind.SNAPSHOT and lots > 0:
            book.low, book.high = min(book.low, tick), max(book.high, tick)
    if not flags & Flag.LAST:
        return
    if kind == Kind.SNAPSHOT:
        book.valid = True
    bid, ask = max(book.bids, default=0), min(book.asks, default=FAR_NS)
    crossed = ask <= lane[m.LANE_BUY_HIGH] or (bid >= lane[m.LANE_SELL_LOW])
    if watches_levels and (crossed or kind == Kind.SNAPSHOT):
        exchange.reason |= m.REASON_END
    known = lane[m.LANE_WATCH] & m.WATCH_MIDS and book.bids and book.asks
    if known and not lane[m.LANE_MID_LOW] < bid + ask < lane[m.LANE_MID_HIGH]:
        exchange.reason |= m.REASON_END


def _trade(exchange: Exchange, lane: dict[int, int], price: int) -> None:
    lane[m.LANE_LAST] = price
    reaches_order = price <= lane[m.LANE_BUY_HIGH] or price >= lane[m.LANE_SELL_LOW]
    reaches_stop = price >= lane[m.LANE_STOP_BUY] or price <= lane[m.LANE_STOP_SELL]
    if lane[m.LANE_WATCH] & m.WATCH_TRADES or reaches_order or reaches_stop:
        exchange.reason = m.REASON_TRADE


def _mark(exchange: Exchange, lane: dict[int, int], row: Any) -> None:
    if lane[m.LANE_WATCH] & m.WATCH_MARKS:
        exchange.reason = m.REASON_MARK
        return
    lane[m.LANE_MARK_E8] = int(row["price"])
    lane[m.LANE_FUNDING_MS] = int(row["sequence"])
    lane[m.LANE_RATE_E8] = int(row["extra"])
    lane[m.LANE_MARK_NS] = int(row["occurred_ns"])


def walk(book: Book, side: int, lots: int, limit: int, take: bool) -> list[tuple[int, int]]:
    """What an order on ``side`` (0 buys) meets up to ``limit``, best first, inside the known range."""
    if not book.valid:
        return []
    levels = book.asks if side == BID else book.bids
    met: list[tuple[int, int]] = []
    for tick in sorted(levels, reverse=side != BID):
        inside = tick <= min(limit, book.high) if side == BID else tick >= max(limit, book.low)
        if lots == 0 or not inside:
            break
        taken = min(lots, levels[tick])
        met.append((tick, taken))
        lots -= taken
    if take:
        for tick, taken in met:
            book.set(1 - side, tick, levels[tick] - taken)
    return met
