"""The engine, slowly: one frame at a time, whole histories, no rings. ``advance`` takes whole frames only."""

from __future__ import annotations

from collections.abc import Iterator

from core.kernels.state import SCALARS
from tests.naive import book as books
from tests.naive.bar_windows import Slot, bars_depth, bars_trade
from tests.naive.book import Book
from tests.naive.conditions import (
    Samples,
    conditions_edge,
    conditions_entry,
    conditions_exit,
    conditions_fresh,
    conditions_second,
    conditions_violated,
)
from tests.naive.price_windows import PriceWindows, imbalance_add, mid_add, second_due

Row = tuple[int, ...]
DEPTH, SNAPSHOT, QUOTE, TRADE, MARK, LIQUIDATION, KLINE, TICK = range(1, 9)
FILLED, OFF_MARKET = 8, 16
QUOTES_KEPT = 64
WAKE_DEADLINE, WAKE_ASK = 1, 32


class Market:
    """One instrument: every scalar of the compiled record under its name, and the histories behind them."""

    def __init__(self, bars: list[tuple[int, int]], **parameters: int) -> None:
        for name in SCALARS:
            setattr(self, name, 0)
        self.reversal_since_ns = -1
        for name, value in parameters.items():
            setattr(self, name, value)
        self.book = Book()
        self.bars = [Slot(interval_ns, wake) for interval_ns, wake in bars]
        self.windows = PriceWindows()
        self.samples = Samples()
        self.tape: list[tuple[int, int, int, int, int]] = []
        self.seconds: list[tuple[int, ...]] = []
        self.quotes_heard: list[tuple[int, int, int, int, int]] = []


class Engine:
    """Some markets and the engine's own words."""

    def __init__(self, markets: list[Market]) -> None:
        self.markets = markets
        self.deadline_ns = (1 << 63) - 1
        self.clock_offset_ns = 0
        self.now_ns = self.frame = self.frames = self.rows = self.unknown_rows = self.wake_instrument = 0


def kind_of(row: Row) -> int:
    """The row's kind."""
    return row[0] & 0xFF


def flags_of(row: Row) -> int:
    """The row's flags."""
    return row[0] >> 8 & 0xFF


def side_of(row: Row) -> int:
    """The row's side."""
    return row[0] >> 16 & 0xFF


def frames_of(rows: list[Row], start: int, stop: int) -> Iterator[tuple[int, list[Row]]]:
    """Whole frames and the index after each."""
    begun = start
    for number in range(start, stop):
        if flags_of(rows[number]) & 2:
            yield number + 1, rows[begun : number + 1]
            begun = number + 1


def advance(engine: Engine, rows: list[Row], start: int, stop: int) -> tuple[int, int]:
    """Run frames until one wakes or lies beyond the deadline: ``(index, wake bits)``."""
    for after, frame in frames_of(rows, start, stop):
        if frame[0][2] > engine.deadline_ns:
            return after - len(frame), WAKE_DEADLINE
        bits = take_frame(engine, frame)
        if bits:
            return after, bits
    return stop, 0


def run(engine: Engine, rows: list[Row]) -> Iterator[tuple[int, int]]:
    """Every wake of the rows, ``(index, wake bits)``."""
    at = 0
    while at < len(rows):
        at, bits = advance(engine, rows, at, len(rows))
        if bits:
            yield at, bits


def take_frame(engine: Engine, frame: list[Row]) -> int:
    """One frame through one market; returns its wake bits."""
    engine.now_ns, engine.frame = frame[0][2], frame[0][7]
    engine.frames += 1
    engine.rows += len(frame)
    instrument = frame[0][0] >> 32 & 0xFFFF
    if instrument >= len(engine.markets):
        engine.unknown_rows += len(frame)
        return 0
    market = engine.markets[instrument]
    if kind_of(frame[0]) in (DEPTH, SNAPSHOT):
        books.book_rows(market.book, frame, 0, len(frame))
        bits = after_depth(engine, market, frame[-1])
    else:
        bits = 0
        for row in frame:
            bits |= take_row(engine, market, row)
        bits |= after_other(engine, market, frame[-1])
    if market.ask_every_frame:
        bits |= WAKE_ASK
    if bits:
        engine.wake_instrument = instrument
    return bits


def after_depth(engine: Engine, market: Market, last: Row) -> int:
    """What follows the last row of a depth or snapshot frame."""
    book = market.book
    _, occurred, now, _, _, update_id, *_ = last
    book.update_id, book.occurred_ns, book.received_ns = update_id, occurred, now
    if kind_of(last) == SNAPSHOT:
        book.valid = 1
    if not book.valid:
        return conditions_violated(market, now)
    if book.best_bid >= book.best_ask:
        book.crossed += 1
        return conditions_violated(market, now)
    books.book_follow_touch(book)
    market.depth_frames += 1
    if occurred >= 0:
        market.event_lag_ns = now + engine.clock_offset_ns - occurred
    if not book.bids or not book.asks:
        return conditions_violated(market, now)
    compare_quote(market)
    market.mid2 = book.best_bid + book.best_ask
    market.bid, market.ask = book.best_bid, book.best_ask
    market.bid_lots, market.ask_lots = books.book_top(book, market.imbalance_levels)
    imbalance_add(market, now)
    mid_add(market, now, market.mid2)
    bits = bars_depth(market, occurred)
    if second_due(market, now):
        conditions_second(market, now)
    bits |= conditions_violated(market, now)
    bits |= conditions_edge(market, now)
    bits |= conditions_exit(market, now)
    return bits | conditions_entry(market, now)


def compare_quote(market: Market) -> None:
    """Compare the touch with the newest kept quote no newer than it, when that has the same update id."""
    book = market.book
    same = [quote for quote in market.quotes_heard[-QUOTES_KEPT:] if quote[0] <= book.update_id]
    if same and same[-1][0] == book.update_id:
        bid, ask = book.best_bid, book.best_ask
        market.quotes_compared += 1
        market.quotes_equal += same[-1][1:] == (bid, book.bids[bid], ask, book.asks[ask])


def take_row(engine: Engine, market: Market, row: Row) -> int:
    """One row that is no depth."""
    _, occurred, received, price, quantity, sequence, extra, _ = row
    kind = kind_of(row)
    if kind == TRADE:
        return take_trade(engine, market, row)
    if kind == QUOTE and market.quotes:
        market.flow_lots += quote_flow(market, side_of(row), price, quantity)
    if kind == QUOTE and side_of(row) == 0:
        market.quote_bid, market.quote_bid_lots = price, quantity
    elif kind == QUOTE:
        market.quote_ask, market.quote_ask_lots = price, quantity
        market.quote_id, market.quote_occurred_ns, market.quote_received_ns = sequence, occurred, received
        market.quotes_heard.append((sequence, market.quote_bid, market.quote_bid_lots, price, quantity))
        market.quotes = market.quote_head = len(market.quotes_heard)
    elif kind == MARK:
        market.mark_e8, market.index_e8, market.funding_e8 = price, quantity, extra
        market.funding_next_ms, market.mark_received_ns = sequence, received
    elif kind == LIQUIDATION:
        market.samples.liquidations.append(received)
        market.liquidations = market.liquidation_head = len(market.samples.liquidations)
    elif kind not in (KLINE, TICK):
        engine.unknown_rows += 1
    return 0


def quote_flow(market: Market, side: int, price: int, lots: int) -> int:
    """One side's part of e_n (quantitative reference A.4)."""
    if side == 0:
        return (lots if price >= market.quote_bid else 0) - (market.quote_bid_lots if price <= market.quote_bid else 0)
    return (market.quote_ask_lots if price >= market.quote_ask else 0) - (lots if price <= market.quote_ask else 0)


def take_trade(engine: Engine, market: Market, row: Row) -> int:
    """Tape, bars, and for a trade asked for afterwards the mid window."""
    _, occurred, received, price, lots, number, _, _ = row
    if flags_of(row) & OFF_MARKET:
        return 0
    side = side_of(row)
    market.tape.append((received, occurred, price, lots if side == 0 else -lots, number))
    market.bought_lots += lots if side == 0 else 0
    market.sold_lots += lots if side else 0
    market.trades = market.tape_count = len(market.tape)
    market.last_price, market.last_lots, market.last_side, market.last_trade_id = price, lots, side, number
    market.last_trade_ns, market.last_trade_received_ns = occurred, received
    if flags_of(row) & FILLED:
        then = occurred - engine.clock_offset_ns
        mid_add(market, then, 2 * price)
        if second_due(market, then):
            conditions_second(market, then)
    return bars_trade(market, side, price, lots, occurred)


def after_other(engine: Engine, market: Market, last: Row) -> int:
    """What follows the last row of any other frame."""
    kind, now = kind_of(last), last[2]
    bits = 0
    if kind == TICK:
        bits |= bars_depth(market, now + engine.clock_offset_ns)
        if market.mid2 > 0:
            mid_add(market, now, market.mid2)
            if second_due(market, now):
                conditions_second(market, now)
    if kind in (TICK, LIQUIDATION):
        bits |= conditions_violated(market, now)
        return bits | conditions_exit(market, now)
    bits |= conditions_fresh(market, now)
    if kind == TRADE and not flags_of(last) & FILLED:
        bits |= conditions_exit(market, now)
        bits |= conditions_entry(market, now)
    return bits
