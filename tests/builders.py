"""Builders for tests: frames as market rows, and an engine's memory with small, sharp parameters.

``Frames`` collects whole frames in order and numbers them; ``Memory`` owns the records that ``advance`` works on.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import numpy as np

from core.kernels.book import book_clear
from core.kernels.engine import advance
from core.kernels.state import ENGINE, MARKET
from models.rows import ASK, BID, FAR_NS, NO_LEVEL, ROW, Flag, Kind

START_NS = 1_700_000_000_000_000_000
MS = 1_000_000
SECOND = 1_000 * MS

Level = tuple[int, int, int]  # side, tick, lots


class Frames:
    """Market rows, built frame by frame. Times are receive times; venue time is equal to it unless given."""

    def __init__(self) -> None:
        self.words: list[tuple[int, ...]] = []
        self.starts: list[int] = []
        self.update_id = 1_000
        self.trade_id = 0

    def rows(self) -> np.ndarray:
        """The rows so far as an array of ``ROW``."""
        array = np.zeros(len(self.words), dtype=ROW)
        names = ROW.names or ()
        for number, row in enumerate(self.words):
            for name, value in zip(names, row, strict=True):
                array[name][number] = value
        return array

    def frame(
        self,
        kind: int,
        received_ns: int,
        lines: Iterable[tuple[int, int, int, int, int, int]],
        instrument: int,
        flags: int,
    ) -> Frames:
        """One frame; each line is ``(side, price, quantity, sequence, extra, occurred_ns)``."""
        body = list(lines)
        self.starts.append(len(self.words))
        number = len(self.starts)
        for at, (side, price, quantity, sequence, extra, occurred_ns) in enumerate(body):
            bits = flags | (Flag.FIRST if at == 0 else 0) | (Flag.LAST if at == len(body) - 1 else 0)
            self.words.append(
                (kind, bits, side, 0, instrument, occurred_ns, received_ns, price, quantity, sequence, extra, number)
            )
        return self

    def depth(
        self,
        received_ns: int,
        levels: Iterable[Level] = (),
        *,
        kind: int = Kind.DEPTH,
        occurred_ns: int | None = None,
        update_id: int | None = None,
        instrument: int = 0,
    ) -> Frames:
        """A depth diff; without levels the one row of an empty frame."""
        self.update_id = self.update_id + 1 if update_id is None else update_id
        occurred = received_ns if occurred_ns is None else occurred_ns
        lines = list(levels) or [(0, 0, NO_LEVEL)]
        return self.frame(kind, received_ns, [(*line, self.update_id, 0, occurred) for line in lines], instrument, 0)

    def snapshot(self, received_ns: int, levels: Iterable[Level] = (), **options: Any) -> Frames:
        """A full book; the first row empties the one before."""
        return self.depth(received_ns, levels, kind=Kind.SNAPSHOT, **options)

    def quote(
        self, received_ns: int, bid: int, bid_lots: int, ask: int, ask_lots: int, update_id: int, instrument: int = 0
    ) -> Frames:
        """Best bid and ask, two rows."""
        lines = [(BID, bid, bid_lots, update_id, 0, received_ns), (ASK, ask, ask_lots, update_id, 0, received_ns)]
        return self.frame(Kind.QUOTE, received_ns, lines, instrument, 0)

    def trades(
        self,
        received_ns: int,
        trades: Iterable[tuple[int, int, int, int]],
        *,
        flags: int = 0,
        instrument: int = 0,
    ) -> Frames:
        """Trades of one frame, each ``(side, price, lots, occurred_ns)``."""
        lines = []
        for side, price, lots, occurred_ns in trades:
            self.trade_id += 1
            lines.append((side, price, lots, self.trade_id, -1, occurred_ns))
        return self.frame(Kind.TRADE, received_ns, lines, instrument, flags)

    def trade(
        self,
        received_ns: int,
        price: int,
        lots: int,
        side: int = BID,
        *,
        occurred_ns: int | None = None,
        flags: int = 0,
        instrument: int = 0,
    ) -> Frames:
        """One trade."""
        occurred = received_ns if occurred_ns is None else occurred_ns
        return self.trades(received_ns, [(side, price, lots, occurred)], flags=flags, instrument=instrument)

    def mark(
        self, received_ns: int, mark_e8: int, index_e8: int = 0, funding_e8: int = 0, instrument: int = 0
    ) -> Frames:
        """Mark price, index price and funding rate."""
        line = (0, mark_e8, index_e8, 1_700_000_028_800, funding_e8, received_ns)
        return self.frame(Kind.MARK, received_ns, [line], instrument, 0)

    def liquidation(self, received_ns: int, price: int, lots: int, side: int = ASK, instrument: int = 0) -> Frames:
        """One forced order."""
        return self.frame(Kind.LIQUIDATION, received_ns, [(side, price, lots, 0, price, received_ns)], instrument, 0)

    def kline(self, received_ns: int, instrument: int = 0) -> Frames:
        """A closed bar of the venue, four rows."""
        lines = [(side, 100, 5, 0, 60_000, received_ns) for side in range(4)]
        return self.frame(Kind.KLINE, received_ns, lines, instrument, 0)

    def tick(self, received_ns: int, instrument: int = 0) -> Frames:
        """Proof of silence until ``received_ns``."""
        return self.frame(Kind.TICK, received_ns, [(0, 0, 0, 0, 0, received_ns)], instrument, 0)


PARAMETERS = {
    "volume_num": 3, "volume_den": 1, "baseline_bars": 4, "fade_num": 4, "fade_den": 5, "fade_bars": 2,
    "hold_min_ns": 3 * SECOND, "imbalance_levels": 3, "imbalance_window_ns": 250 * MS,
    "imbalance_entry_ppm": 600_000, "reversal_ppm": 400_000, "reversal_hold_ns": SECOND,
    "momentum_window_ns": 2 * SECOND, "momentum_samples_min": 5, "momentum_history": 1_800,
    "signal_quiet_ns": 2 * SECOND,
    "momentum_threshold_num": 2, "momentum_threshold_den": 1,
    "stale_ns": 2 * SECOND, "spread_limit_num": 0, "spread_limit_den": 1, "depth_limit_lots": 0, "depth_bps": 50,
    "cascade_count": 0, "cascade_window_ns": 10 * SECOND, "imbalance_limit_ppm": 0, "ask_every_frame": 0,
}  # fmt: skip
"""Small windows, so that a few seconds of made-up market go through every branch."""


class Memory:
    """The records of one engine, ready for its first row; ``parameters`` override ``PARAMETERS``."""

    def __init__(
        self, instruments: int = 1, bars: Iterable[int] = (SECOND, 5 * SECOND), wake: int = 0, **parameters: int
    ):
        self.markets = np.zeros(instruments, dtype=MARKET)
        self.engine = np.zeros(1, dtype=ENGINE)
        for name, value in (PARAMETERS | parameters).items():
            self.markets[name] = value
        self.markets["reversal_since_ns"] = -1
        for market in self.markets:
            book_clear(market["book"], 0)
        for number, interval_ns in enumerate(bars):
            slot = self.markets["bars"][:, number]
            slot["interval_ns"] = interval_ns
            slot["wake"] = wake
            slot["running"]["start_ns"] = -1
        self.engine["deadline_ns"] = FAR_NS
        self.engine["instruments"] = instruments
        self.engine["markets_at"] = self.markets.ctypes.data

    def advance(self, rows: np.ndarray, start: int = 0, stop: int | None = None) -> tuple[int, int]:
        """One call of the compiled pass: ``(index, wake bits)``."""
        end = len(rows) if stop is None else stop
        answer = advance(self.engine.ctypes.data, rows.ctypes.data, start, end)
        return answer >> 8, answer & 0xFF

    def run(self, rows: np.ndarray, cuts: Iterable[int] = ()) -> list[tuple[int, int, int]]:
        """All rows, cut at ``cuts``; every wake as ``(index, bits, instrument)``."""
        wakes = []
        at = 0
        for stop in [*sorted(set(cuts)), len(rows)]:
            while at < stop:
                before = at
                at, bits = self.advance(rows, at, stop)
                assert at > before, "no progress"
                if bits:
                    wakes.append((at, bits, int(self.engine["wake_instrument"][0])))
        return wakes

    def state_bytes(self) -> bytes:
        """Every byte of the state except the address of the records."""
        engine = self.engine.copy()
        engine["markets_at"] = 0
        return engine.tobytes() + self.markets.tobytes()

    def value(self, name: str, instrument: int = 0) -> int:
        """One scalar of an instrument."""
        return int(self.markets[name][instrument])


def random_frames(seed: int, frames: int, instruments: int = 1, *, wild: bool = False) -> Frames:
    """A random market: books that walk, bursts of trades, quotes, marks, liquidations, ticks, silences, late trades.

    ``wild`` adds jumps across the book's window, snapshots in the middle, crossed books and removals of the touch.
    """
    chance = random.Random(seed)
    out = Frames()
    now = START_NS + chance.randrange(SECOND)
    mids = [50_000 + 40_000 * number for number in range(instruments)]
    for instrument in range(instruments):
        out.snapshot(now, _levels(chance, mids[instrument], 12), instrument=instrument)
    for _ in range(frames):
        now += _pause_ns(chance)
        instrument = chance.randrange(instruments)
        _random_frame(chance, out, now, instrument, mids, wild)
    return out


def _pause_ns(chance: random.Random) -> int:
    draw = chance.random()
    if draw < 0.05:
        return 0
    if draw < 0.9:
        return chance.randrange(60 * MS)
    return chance.randrange(400 * MS) if draw < 0.995 else chance.randrange(8 * SECOND)


def _levels(chance: random.Random, mid: int, count: int) -> list[Level]:
    bids = [(BID, mid - 1 - step, chance.randrange(1, 9)) for step in range(count)]
    return bids + [(ASK, mid + 1 + step, chance.randrange(1, 9)) for step in range(count)]


def _random_frame(chance: random.Random, out: Frames, now: int, instrument: int, mids: list[int], wild: bool) -> None:
    mid = mids[instrument]
    draw = chance.random()
    lag = chance.randrange(20 * MS)
    if draw < 0.40:
        mid += chance.choice((-1, 0, 0, 0, 1)) * chance.choice((1, 1, 1, 3))
        mids[instrument] = mid
        # whole sides around the new mid, so that the touch is often removed and the book rarely crossed
        levels = [(BID, mid + 1 + step, 0) for step in range(4)] + [(ASK, mid - 1 - step, 0) for step in range(4)]
        heavy = chance.choice((1, 1, 6))
        levels += [(BID, mid - 1 - chance.randrange(6), heavy * chance.randrange(0, 9)) for _ in range(4)]
        levels += [
            (ASK, mid + 1 + chance.randrange(6), chance.choice((1, 6)) * chance.randrange(0, 9)) for _ in range(4)
        ]
        chance.shuffle(levels)
        out.depth(now, levels, occurred_ns=now - lag, instrument=instrument)
    elif draw < 0.45:
        out.depth(now, occurred_ns=now - lag, instrument=instrument)
    elif draw < 0.60:
        out.quote(now, mid - 1, 3, mid + 1, 4, out.update_id + chance.choice((0, 1, 2)), instrument=instrument)
    elif draw < 0.88:
        count = chance.choice((1, 1, 1, 2, 5))
        size = chance.choice((1, 1, 2, 40))
        late = chance.choice((0, 0, 0, 0, 1_200 * MS))
        body = [
            (chance.randrange(2), mid + chance.randrange(-2, 3), size * chance.randrange(1, 5), now - lag - late)
            for _ in range(count)
        ]
        flags = chance.choice((0, 0, 0, 0, 0, 0, Flag.FILLED, Flag.OFF_MARKET))
        out.trades(now, body, flags=flags, instrument=instrument)
    elif draw < 0.90:
        out.mark(now, mid * 10**7, mid * 10**7 + 5, 10_000, instrument=instrument)
    elif draw < 0.93:
        out.liquidation(now, mid, 2, instrument=instrument)
    elif draw < 0.935:
        out.kline(now, instrument=instrument)
    elif draw < 0.985 or not wild:
        out.tick(now, instrument=instrument)
    else:
        _wild_frame(chance, out, now, instrument, mids)


def _wild_frame(chance: random.Random, out: Frames, now: int, instrument: int, mids: list[int]) -> None:
    mid = mids[instrument]
    draw = chance.random()
    if draw < 0.3:
        mids[instrument] = mid = max(2_000, mid + chance.choice((-1, 1)) * chance.choice((70_000, 40_000, 20_000)))
        out.depth(now, _levels(chance, mid, 5), instrument=instrument)
    elif draw < 0.6:
        mids[instrument] = mid = max(2_000, mid + chance.randrange(-30_000, 30_000))
        out.snapshot(now, _levels(chance, mid, 8), instrument=instrument)
    elif draw < 0.7:
        out.snapshot(now, instrument=instrument)
    elif draw < 0.85:
        out.depth(now, [(BID, mid + 3, 2), (ASK, mid - 3, 2)], instrument=instrument)
    else:
        out.depth(now, [(side, mid + step, 0) for side in (0, 1) for step in range(-12, 13)], instrument=instrument)
