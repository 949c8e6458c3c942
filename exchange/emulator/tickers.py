"""Rolling 24 h tickers made from what has been traded (venue reference §2.11).

The window is 24 hours of whole minutes and the running one. A recording that has played less has a shorter day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from exchange.emulator import history as h
from exchange.emulator.history import History
from models.instrument import E8, Instrument, fixed_text

PERIOD_MS = 2_000
ARRAY_PERIOD_MS = 1_000
DAY_MS = 86_400_000

Make = Callable[[History, int], bytes]


def money_text(ticks_lots: int, instrument: Instrument) -> str:
    """A day's turnover with two places, as tickers write it."""
    value = ticks_lots * instrument.unit_e8
    return f"{value // E8}.{value % E8 // 10**6:02d}"


def percent_text(change: int, base: int) -> str:
    """``change`` in percent of ``base`` with three places, rounded half away from zero."""
    thousandths = (abs(change) * 100_000 + base // 2) // base
    return f"{'-' if change < 0 and thousandths else ''}{thousandths // 1000}.{thousandths % 1000:03d}"


class Day:
    """The last 24 hours of a history that has traded, as of ``event_ms``; prices in ticks, quantities in lots."""

    def __init__(self, history: History, event_ms: int) -> None:
        self.opens_ms = (event_ms - DAY_MS) // h.MINUTE_MS * h.MINUTE_MS
        inside = [candle for candle in history.candles if candle[h.OPEN_MS] >= self.opens_ms]
        inside = inside or [history.candles[-1]]
        traded = [candle for candle in inside if candle[h.COUNT]] or inside
        self.open, self.close = inside[0][h.OPEN], inside[-1][h.CLOSE]
        self.high = max(candle[h.HIGH] for candle in inside)
        self.low = min(candle[h.LOW] for candle in inside)
        self.volume = sum(candle[h.VOLUME] for candle in inside)
        self.money = sum(candle[h.MONEY] for candle in inside)
        self.count = sum(candle[h.COUNT] for candle in inside)
        self.first_id, self.last_id = traded[0][h.FIRST_ID], traded[-1][h.LAST_ID]


def mean_text(day: Day, instrument: Instrument) -> str:
    """The day's volume-weighted price with two places."""
    return fixed_text(day.money * instrument.tick_e8 // max(day.volume, 1) // 10**6 * 10**6, 2)


def mini_ticker(history: History, event_ms: int) -> bytes:
    """A 24hrMiniTicker event."""
    day, instrument = Day(history, event_ms), history.instrument
    price, symbol = instrument.price_text, instrument.symbol
    return (
        f'{{"e":"24hrMiniTicker","E":{event_ms},"s":"{symbol}","ps":"{symbol}","c":"{price(day.close)}",'
        f'"o":"{price(day.open)}","h":"{price(day.high)}","l":"{price(day.low)}",'
        f'"v":"{instrument.quantity_text(day.volume)}","q":"{money_text(day.money, instrument)}","st":1}}'
    ).encode()


def ticker(history: History, event_ms: int) -> bytes:
    """A 24hrTicker event."""
    day, instrument = Day(history, event_ms), history.instrument
    price, symbol = instrument.price_text, instrument.symbol
    percent, mean = percent_text(day.close - day.open, day.open), mean_text(day, instrument)
    return (
        f'{{"e":"24hrTicker","E":{event_ms},"s":"{symbol}","ps":"{symbol}","p":"{price(day.close - day.open)}",'
        f'"P":"{percent}","w":"{mean}","c":"{price(day.close)}",'
        f'"Q":"{instrument.quantity_text(history.trades[-1][2] if history.trades else 0)}","o":"{price(day.open)}",'
        f'"h":"{price(day.high)}","l":"{price(day.low)}","v":"{instrument.quantity_text(day.volume)}",'
        f'"q":"{money_text(day.money, instrument)}","O":{day.opens_ms},"C":{event_ms - 1},'
        f'"F":{day.first_id},"L":{day.last_id},"n":{day.count},"st":1}}'
    ).encode()


MADE: dict[str, Make] = {"ticker": ticker, "miniTicker": mini_ticker}


class Single:
    """One symbol's ticker every two seconds in which it traded."""

    def __init__(self, history: History, make: Make) -> None:
        self._history, self._make = history, make
        self._sent = -1

    def feed(self, venue_ns: int, stream: str, payload: bytes) -> Iterable[bytes]:
        event_ms = venue_ns // 10**6
        slot = event_ms // PERIOD_MS
        if slot == self._sent or not self._history.candles:
            return ()
        self._sent = slot
        return (self._make(self._history, event_ms),)


class All:
    """Every second an array of the symbols that traded since the one before."""

    def __init__(self, histories: dict[str, History], make: Make) -> None:
        self._histories, self._make = histories, make
        self._changed: dict[str, None] = {}
        self._sent = -1

    def feed(self, venue_ns: int, stream: str, payload: bytes) -> Iterable[bytes]:
        event_ms = venue_ns // 10**6
        self._changed[stream] = None
        slot = event_ms // ARRAY_PERIOD_MS
        if slot == self._sent:
            return ()
        self._sent = slot
        made = [self._make(self._histories[name], event_ms) for name in self._changed if self._histories[name].candles]
        self._changed.clear()
        return (b"[" + b",".join(made) + b"]",) if made else ()
