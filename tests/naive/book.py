"""The book as two dicts. The touch is whatever the dicts say, looked up anew each time."""

from __future__ import annotations

WINDOW = 65_536
NO_BID = 0
NO_ASK = 1 << 62
Row = tuple[int, ...]  # the eight words of a row


class Book:
    """Levels by tick inside ``[base, base + WINDOW)``, and what is proven of them."""

    def __init__(self) -> None:
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.base = self.known_low = self.known_high = 0
        self.outside = self.moves = self.crossed = self.valid = 0
        self.update_id = self.occurred_ns = self.received_ns = 0
        book_clear(self, 0)

    @property
    def best_bid(self) -> int:
        """The highest bid, ``NO_BID`` when there is none."""
        return max(self.bids, default=NO_BID)

    @property
    def best_ask(self) -> int:
        """The lowest ask, ``NO_ASK`` when there is none."""
        return min(self.asks, default=NO_ASK)

    def holds(self, tick: int) -> bool:
        """Whether the window holds ``tick``."""
        return self.base <= tick < self.base + WINDOW


def book_clear(book: Book, centre: int) -> None:
    """Forget everything."""
    book.bids.clear()
    book.asks.clear()
    book.base = centre - WINDOW // 2
    book.known_low = book.known_high = centre
    book.valid = 0


def book_move(book: Book, centre: int) -> None:
    """Centre the window; levels outside it are lost, and with them what was proven there."""
    before = book.base
    book.base = centre - WINDOW // 2
    book.moves += 1
    for side in (book.bids, book.asks):
        for tick in [tick for tick in side if not book.holds(tick)]:
            del side[tick]
    if abs(book.base - before) >= WINDOW:  # nothing in common with the old window
        book.known_low = book.known_high = centre
    else:
        book.known_low = max(book.known_low, book.base)
        book.known_high = min(book.known_high, book.base + WINDOW - 1)


def book_apply(book: Book, side: int, tick: int, lots: int) -> None:
    """Set or remove one level; only a level on the near end of the window can move it."""
    if not book.holds(tick):
        near = tick >= book.base + WINDOW if side == 0 else tick < book.base
        if lots == 0 or not near:
            book.outside += 1
            return
        book_move(book, tick)
    levels = book.bids if side == 0 else book.asks
    if lots == 0:
        levels.pop(tick, None)
    else:
        levels[tick] = lots


def book_follow_touch(book: Book) -> None:
    """The touch proves the ticks behind it; a mid outside the window's middle half moves the window."""
    if book.bids:
        book.known_high = max(book.known_high, book.best_bid)
    if book.asks:
        book.known_low = min(book.known_low, book.best_ask)
    if book.bids and book.asks:
        middle = (book.best_bid + book.best_ask) // 2
        if not WINDOW // 4 <= middle - book.base < 3 * WINDOW // 4:
            book_move(book, middle)


def book_rows(book: Book, rows: list[Row], start: int, stop: int) -> int:
    """Apply rows up to the frame's last one or to ``stop``; returns the index after them."""
    for number in range(start, stop):
        head, _, _, tick, lots, *_ = rows[number]
        kind, flags, side = head & 0xFF, head >> 8 & 0xFF, head >> 16 & 0xFF
        if kind == 2 and flags & 1:
            book_clear(book, tick)
        if lots >= 0 and (kind == 1 or lots > 0):
            book_apply(book, side, tick, lots)
        if kind == 2 and lots > 0:
            book.known_low = max(min(book.known_low, tick), book.base)
            book.known_high = min(max(book.known_high, tick), book.base + WINDOW - 1)
        if flags & 2:
            return number + 1
    return stop


def book_top(book: Book, levels: int) -> tuple[int, int]:
    """Lots of the best ``levels`` levels of each side."""
    bids = sorted(book.bids, reverse=True)[:levels]
    asks = sorted(book.asks)[:levels]
    return sum(book.bids[tick] for tick in bids), sum(book.asks[tick] for tick in asks)


def book_depth(book: Book, low: int, high: int) -> tuple[int, int, int]:
    """Lots of proven bids from ``low`` up and proven asks from ``high`` down, and whether the proof falls short."""
    bids = sum(lots for tick, lots in book.bids.items() if tick >= low and tick >= book.known_low)
    asks = sum(lots for tick, lots in book.asks.items() if tick <= high and tick <= book.known_high)
    return bids, asks, int(low < book.known_low or high > book.known_high)
