"""What a recording holds, and whether its books add up: the work behind ``data check``.

The book kernel of the core rebuilds every book; after each frame best bid must be below best ask, and where a quote
carries the same update id as a depth frame, both must name the same touch (price and quantity).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from core.kernels.bars import CLOSE, HIGH, LOW, OPEN, START_NS, TRADES, VOLUME, build_bars
from core.kernels.book import BOOK, NO_ASK, NO_BID, book_clear, book_rows
from data_collector.hearing import Hearing, Stored, blocks_of, instruments_from
from models.instrument import E8, Instrument, e8_text
from models.rows import INDEX_MASK, UNKNOWN_NS, Flag, Kind, empty_rows, words

NS_PER_US = 1_000
CARRIED_QUOTES = 65_536  # of the block before: a quote may come 1,000 s before the depth frame with its id
CARRIED_FRAMES = 4_096
PERCENTILES = (1, 50, 99)
REFUSALS_SHOWN = 10
_KINDS_WITH_LAG = {Kind.DEPTH: "depth", Kind.QUOTE: "quote", Kind.TRADE: "trade", Kind.MARK: "mark"}

Progress = Callable[[int], None]


class _Check:
    """What is counted of one instrument while the blocks pass."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self._memory = np.zeros(1, dtype=BOOK)
        self.book: Any = self._memory[0]
        self.valid = False
        self.snapshots = 0
        self.lost: list[str] = []
        self.crossed = 0
        self.compared = 0
        self.agreed = 0
        self._touch = np.zeros((0, 5), dtype=np.int64)  # update id, best bid, its lots, best ask, its lots
        self._quotes = np.zeros((0, 5), dtype=np.int64)
        self._now: list[tuple[int, int, int, int, int]] = []

    def lose(self, reason: str) -> None:
        self.valid = False
        self.lost.append(reason)

    def frame(self, rows: np.ndarray, kind: int, start: int, stop: int) -> None:
        """Apply the depth or snapshot frame at ``rows[start:stop]`` (int64[n, 8])."""
        book = self.book
        if kind == Kind.SNAPSHOT:
            self.snapshots += 1
            self.valid = True
            if rows[start, 4] < 0:
                book_clear(book, 0)
                return
        elif not self.valid:
            return
        book_rows(book, rows, start, stop)
        bid, ask = int(book["best_bid"]), int(book["best_ask"])
        self.crossed += bid >= ask
        if kind == Kind.DEPTH and bid != NO_BID and ask != NO_ASK:
            mask = book["bids"].shape[0] - 1
            self._now.append(
                (int(rows[start, 5]), bid, int(book["bids"][bid & mask]), ask, int(book["asks"][ask & mask]))
            )

    def compare(self, quotes: np.ndarray) -> None:
        """At the end of a block: compare its quotes (int64[n, 5]) and touches with each other and with those before."""
        touch = np.array(self._now, dtype=np.int64).reshape(-1, 5)
        self._now = []
        for ours, theirs in ((touch, quotes), (touch, self._quotes), (self._touch, quotes)):
            _, left, right = np.intersect1d(ours[:, 0], theirs[:, 0], return_indices=True)
            self.compared += len(left)
            self.agreed += int((ours[left] == theirs[right]).all(axis=1).sum())
        self._quotes = np.concatenate([self._quotes, quotes])[-CARRIED_QUOTES:]
        self._touch = np.concatenate([self._touch, touch])[-CARRIED_FRAMES:]

    def report(self) -> dict[str, Any]:
        """Book state of the instrument; prices as decimal text."""
        one, book = self.instrument, self.book
        state = "no book" if not self.snapshots else "valid" if self.valid else "lost"
        sides = {}
        if self.valid and int(book["best_bid"]) != NO_BID and int(book["best_ask"]) != NO_ASK:
            sides = {
                "best_bid": one.price_text(int(book["best_bid"])),
                "best_ask": one.price_text(int(book["best_ask"])),
            }
        return {
            "symbol": one.symbol,
            "tick": e8_text(one.tick_e8),
            "lot": e8_text(one.lot_e8),
            "book": state,
            **sides,
            "snapshots": self.snapshots,
            "lost": self.lost[:REFUSALS_SHOWN],
            "crossed": self.crossed,
            "quotes_compared": self.compared,
            "quotes_agreed": self.agreed,
        }


def check(recording: Stored, *, bars_ns: int = 0, progress: Progress | None = None) -> dict[str, Any]:
    """Read the whole recording; one JSON-ready document (conventions: prices as text, times in µs).

    ``bars_ns`` adds bars of that length from trades, by occurred time. Raises DataError for a damaged recording.
    """
    hearing = Hearing(instruments_from(recording.meta))
    checks = [_Check(instrument) for instrument in hearing.instruments]
    lags: dict[int, list[np.ndarray]] = {kind: [] for kind in _KINDS_WITH_LAG}
    trades: list[np.ndarray] = []
    span = [0, 0]
    seen = 0
    for block in blocks_of(recording, hearing):
        if len(block):
            span = [span[0] or int(block["received_ns"][0]), int(block["received_ns"][-1])]
            _books(block, checks)
            _lags(block, lags)
            trades.append(_trades(block))
            seen += len(block)
        for event in hearing.take_invalidated():
            checks[event.instrument].lose(event.reason)
        if progress is not None:
            progress(seen)
    document = _document(recording, hearing, checks, span)
    document["feed_lag_ms"] = {
        _KINDS_WITH_LAG[kind]: {
            f"p{q}": round(float(np.percentile(np.concatenate(parts), q)) / 1e6, 3) for q in PERCENTILES
        }
        for kind, parts in lags.items()
        if parts
    }
    if bars_ns:
        document["bars"] = bars(np.concatenate(trades) if trades else empty_rows(0), hearing, bars_ns)
    return document


def _document(recording: Stored, hearing: Hearing, checks: list[_Check], span: list[int]) -> dict[str, Any]:
    counts = hearing.counts
    return {
        "ok": not any(one.crossed or one.agreed != one.compared for one in checks),
        "source": recording.meta.get("source", ""),
        "market": recording.meta.get("market", "usdm"),
        "clock_offset_ms": recording.meta.get("clock_offset_ns", 0) / 1e6,
        "lines_refused": recording.meta.get("refused", 0),
        "first_us": span[0] // NS_PER_US,
        "last_us": span[1] // NS_PER_US,
        "seconds": round((span[1] - span[0]) / 1e9, 3),
        "frames": counts.frames,
        "answers": counts.answers,
        "accepted": counts.accepted,
        "quarantined": counts.quarantined,
        "quarantined_by_reason": counts.reasons,
        "quarantined_by_stream": counts.streams,
        "refusals": [
            {"number": one.number, "reason": one.reason.value, "detail": one.detail, "stream": one.stream}
            for one in list(hearing.quarantine.last)[:REFUSALS_SHOWN]
        ],
        "fast_frames": counts.fast,
        "fast_share": round(counts.fast_share, 6),
        "events": counts.events,
        "rows": {name: count for name, count in counts.rows.items() if count},
        "sequence_gaps": counts.gaps,
        "trade_id_gaps": counts.trade_gaps,
        "trades_missing": counts.trades_missing,
        "stale_diffs": counts.stale,
        "crossed_books": sum(one.crossed for one in checks),
        "quotes_compared": sum(one.compared for one in checks),
        "quotes_agreed": sum(one.agreed for one in checks),
        "instruments": [one.report() for one in checks],
    }


def _books(block: np.ndarray, checks: list[_Check]) -> None:
    rows = words(block)
    books = np.flatnonzero((block["kind"] == Kind.DEPTH) | (block["kind"] == Kind.SNAPSHOT))
    starts = books[block["flags"][books] & Flag.FIRST != 0]
    stops = books[block["flags"][books] & Flag.LAST != 0] + 1
    kinds, indexes = block["kind"][starts], block["instrument"][starts] & INDEX_MASK
    for kind, index, start, stop in zip(kinds.tolist(), indexes.tolist(), starts.tolist(), stops.tolist(), strict=True):
        checks[index].frame(rows, kind, start, stop)
    bids = np.flatnonzero((block["kind"] == Kind.QUOTE) & (block["side"] == 0))
    quotes = np.stack(
        [
            block["sequence"][bids],
            block["price"][bids],
            block["quantity"][bids],
            block["price"][bids + 1],
            block["quantity"][bids + 1],
        ],
        axis=1,
    )
    whose = block["instrument"][bids] & INDEX_MASK
    for index, one in enumerate(checks):
        one.compare(quotes[whose == index])


def _lags(block: np.ndarray, lags: dict[int, list[np.ndarray]]) -> None:
    """Receive time minus occurred time of every frame that knows both, in ns, by kind."""
    first = (
        (block["flags"] & Flag.FIRST != 0) & (block["occurred_ns"] != UNKNOWN_NS) & (block["flags"] & Flag.FILLED == 0)
    )
    for kind, parts in lags.items():
        chosen = block[first & (block["kind"] == kind)]
        if len(chosen):
            parts.append(chosen["received_ns"] - chosen["occurred_ns"])


def _trades(block: np.ndarray) -> np.ndarray:
    """The trade rows of a block."""
    return block[block["kind"] == Kind.TRADE]


def bars(trades: np.ndarray, hearing: Hearing, bars_ns: int) -> list[dict[str, Any]]:
    """Bars from trade rows in arrival order, by occurred time; silent intervals are absent.

    Looking back, a trade heard late can still be put into its interval, which a running bar cannot.
    """
    rows = trades[np.argsort(trades["occurred_ns"] // bars_ns, kind="stable")]
    found = []
    for instrument in hearing.instruments:
        for bar in build_bars(words(rows), bars_ns, instrument.key).tolist():
            if not bar[TRADES]:
                continue
            found.append(
                {
                    "symbol": instrument.symbol,
                    "open_us": bar[START_NS] // NS_PER_US,
                    **{
                        name: _plain(bar[word] * instrument.tick_e8)
                        for name, word in (("open", OPEN), ("high", HIGH), ("low", LOW), ("close", CLOSE))
                    },
                    "volume": _plain(bar[VOLUME] * instrument.lot_e8),
                    "trades": bar[TRADES],
                }
            )
    return found


def _plain(value_e8: int) -> str:
    return e8_text(value_e8) if value_e8 % E8 else str(value_e8 // E8)
