"""What has been traded so far, bounded: minute candles and aggregate trades, and the REST bodies made of them.

Prices are ticks, quantities lots, money ticks · lots (times ``Instrument.unit_e8`` at 1e-8).
"""

from __future__ import annotations

from collections import deque
from itertools import islice

from models.instrument import E8, Instrument

MINUTE_MS = 60_000
CANDLES_KEPT = 1_500  # the venue's largest klines answer
TRADES_KEPT = 24_000  # 40 minutes at the generator's quiet rate; 5 MB
INTERVALS_MS = {
    "1m": 60_000,
    "3m": 180_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "2h": 7_200_000,
    "4h": 14_400_000,
    "6h": 21_600_000,
    "8h": 28_800_000,
    "12h": 43_200_000,
    "1d": 86_400_000,
    "3d": 259_200_000,
    "1w": 604_800_000,
    "1M": 2_592_000_000,  # thirty days: the history kept is far shorter than a month
}
WEEK_OFFSET_MS = 345_600_000  # weeks begin on Monday, 1970-01-05

# A candle is a list, changed in place while it is open.
OPEN_MS, OPEN, HIGH, LOW, CLOSE, VOLUME, MONEY, COUNT, TAKER_VOLUME, TAKER_MONEY, FIRST_ID, LAST_ID = range(12)
Candle = list[int]
# An aggregate trade: id, price, lots, first trade id, last trade id, T (ms), buyer is maker.
Trade = tuple[int, int, int, int, int, int, bool]


def money_text(ticks_lots: int, instrument: Instrument) -> str:
    """A quote volume as klines write it, with five places."""
    value = ticks_lots * instrument.unit_e8
    return f"{value // E8}.{value % E8 // 1000:05d}"


def opens_ms(at_ms: int, interval_ms: int) -> int:
    """The open time of the candle that ``at_ms`` falls into."""
    if interval_ms == INTERVALS_MS["1w"]:
        return (at_ms - WEEK_OFFSET_MS) // interval_ms * interval_ms + WEEK_OFFSET_MS
    return at_ms // interval_ms * interval_ms


class History:
    """Candles and aggregate trades of one symbol, oldest first, each bounded by dropping the oldest."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.candles: deque[Candle] = deque(maxlen=CANDLES_KEPT)
        self.trades: deque[Trade] = deque(maxlen=TRADES_KEPT)

    def trade(self, trade: Trade) -> None:
        """Take one aggregate trade into the candle of its minute and the list of trades."""
        self.trades.append(trade)
        _, price, lots, first, last, at_ms, maker = trade
        money = price * lots
        candles = self.candles
        if not candles or at_ms - candles[-1][OPEN_MS] >= MINUTE_MS:
            self._open(at_ms - at_ms % MINUTE_MS, price, first)
        candle = candles[-1]
        if candle[COUNT] == 0:
            candle[OPEN] = candle[HIGH] = candle[LOW] = price
            candle[FIRST_ID] = first
        elif price > candle[HIGH]:
            candle[HIGH] = price
        elif price < candle[LOW]:
            candle[LOW] = price
        candle[CLOSE] = price
        candle[VOLUME] += lots
        candle[MONEY] += money
        candle[COUNT] += last - first + 1
        candle[LAST_ID] = last
        if not maker:
            candle[TAKER_VOLUME] += lots
            candle[TAKER_MONEY] += money

    def _open(self, open_ms: int, price: int, first: int) -> None:
        """Open the candle of ``open_ms``; minutes without a trade before it become flat candles, as at the venue."""
        candles = self.candles
        if candles:
            close = candles[-1][CLOSE]
            missing = max(candles[-1][OPEN_MS] + MINUTE_MS, open_ms - CANDLES_KEPT * MINUTE_MS)
            for empty_ms in range(missing, open_ms, MINUTE_MS):
                candles.append([empty_ms, close, close, close, close, 0, 0, 0, 0, 0, -1, -1])
        candles.append([open_ms, price, price, price, price, 0, 0, 0, 0, 0, first, first])

    def roll(self, now_ms: int) -> None:
        """Open the minute of ``now_ms`` at the last price although nothing traded in it yet."""
        candles = self.candles
        if candles and now_ms - candles[-1][OPEN_MS] >= MINUTE_MS:
            close = candles[-1][CLOSE]
            self._open(now_ms - now_ms % MINUTE_MS, close, -1)
            candles[-1][LAST_ID] = -1

    def merged(self, interval_ms: int) -> list[Candle]:
        """Candles of a longer interval, oldest first; the first may lack minutes that are no longer kept."""
        if interval_ms == MINUTE_MS:
            return list(self.candles)
        merged: list[Candle] = []
        for minute in self.candles:
            open_ms = opens_ms(minute[OPEN_MS], interval_ms)
            if not merged or merged[-1][OPEN_MS] != open_ms:
                merged.append([open_ms, *minute[1:]])
            else:
                _merge(merged[-1], minute)
        return merged

    def latest(self, interval_ms: int) -> Candle | None:
        """The running candle of an interval; None before the first trade."""
        if not self.candles:
            return None
        open_ms = opens_ms(self.candles[-1][OPEN_MS], interval_ms)
        minutes: list[Candle] = []
        for minute in reversed(self.candles):
            if minute[OPEN_MS] < open_ms:
                break
            minutes.append(minute)
        candle = [open_ms, *minutes[-1][1:]]
        for minute in reversed(minutes[:-1]):
            _merge(candle, minute)
        return candle

    def agg_trades(
        self, limit: int, *, from_id: int | None = None, start_ms: int | None = None, end_ms: int | None = None
    ) -> list[dict[str, object]]:
        """The ``GET /fapi/v1/aggTrades`` body: the newest ``limit``, or the first ``limit`` from an id or a time."""
        trades = self.trades
        if from_id is not None:
            first = trades[0][0] if trades else 0  # ids are consecutive: the index follows from the id
            start = max(0, from_id - first)
            found = list(islice(trades, start, start + limit))
        elif start_ms is None and end_ms is None:
            found = list(islice(trades, max(0, len(trades) - limit), None))
        else:
            inside = [
                trade
                for trade in trades
                if (start_ms is None or trade[5] >= start_ms) and (end_ms is None or trade[5] <= end_ms)
            ]
            found = inside[:limit] if start_ms is not None else inside[-limit:]
        return [self._body(trade) for trade in found]

    def _body(self, trade: Trade) -> dict[str, object]:
        number, price, lots, first, last, at_ms, maker = trade
        quantity = self.instrument.quantity_text(lots)
        return {
            "a": number,
            "p": self.instrument.price_text(price),
            "q": quantity,
            "nq": quantity,
            "f": first,
            "l": last,
            "T": at_ms,
            "m": maker,
        }

    def klines(
        self, interval_ms: int, limit: int, *, start_ms: int | None = None, end_ms: int | None = None
    ) -> list[list[object]]:
        """The ``GET /fapi/v1/klines`` body: rows oldest first, the last one unfinished."""
        rows = [
            candle
            for candle in self.merged(interval_ms)
            if (start_ms is None or candle[OPEN_MS] >= start_ms) and (end_ms is None or candle[OPEN_MS] <= end_ms)
        ]
        rows = rows[:limit] if start_ms is not None else rows[-limit:]
        return [self._row(candle, interval_ms) for candle in rows]

    def _row(self, candle: Candle, interval_ms: int) -> list[object]:
        price, quantity = self.instrument.price_text, self.instrument.quantity_text
        return [
            candle[OPEN_MS],
            price(candle[OPEN]),
            price(candle[HIGH]),
            price(candle[LOW]),
            price(candle[CLOSE]),
            quantity(candle[VOLUME]),
            candle[OPEN_MS] + interval_ms - 1,
            money_text(candle[MONEY], self.instrument),
            candle[COUNT],
            quantity(candle[TAKER_VOLUME]),
            money_text(candle[TAKER_MONEY], self.instrument),
            "0",
        ]


def _merge(candle: Candle, later: Candle) -> None:
    if later[COUNT]:
        if candle[COUNT] == 0:
            candle[OPEN], candle[HIGH], candle[LOW] = later[OPEN], later[HIGH], later[LOW]
            candle[FIRST_ID] = later[FIRST_ID]
        candle[HIGH] = max(candle[HIGH], later[HIGH])
        candle[LOW] = min(candle[LOW], later[LOW])
        candle[LAST_ID] = later[LAST_ID]
    candle[CLOSE] = later[CLOSE]
    for field in (VOLUME, MONEY, COUNT, TAKER_VOLUME, TAKER_MONEY):
        candle[field] += later[field]
