"""Streams made from a market's own: slower and partial depth, candles and tickers, arrays, trade from aggTrade.

Each derivation names the streams it reads (``bases``) and turns one of their events into none, one or several of its
own. They exist only while somebody reads them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from exchange.emulator import history as h
from exchange.emulator import tickers
from exchange.emulator.market import Market
from exchange.emulator.payloads import Payloads
from models.error import DataError
from models.instrument import Instrument

KLINE_PERIOD_MS = 250
QUOTE_ARRAY_PERIOD_MS = 5_000
MARK_PERIOD_S = 3
_CONTINUOUS = re.compile(r"(\w+)_perpetual@continuousKline_(\w+)$")
_DEPTH = re.compile(r"depth(5|10|20)?(?:@(0|100|250|500)ms)?$")

Feed = Callable[[int, str, bytes], Iterable[bytes]]


class Derivation:
    """``bases``: streams it reads. ``feed(venue_ns, stream, payload)``: what one of their events makes."""

    def __init__(self, bases: Iterable[str], feed: Feed) -> None:
        self.bases = tuple(bases)
        self.feed = feed


def derive(name: str, market: Market) -> Derivation | None:
    """A derivation for a stream the market does not give by itself; None when there is no way to make it."""
    symbol, _, kind = name.partition("@")
    if symbol.startswith("!"):
        return _array(name, market)
    continuous = _CONTINUOUS.match(name)
    if continuous:  # the same candles under the pair's name
        inner = derive("@kline_".join(continuous.groups()), market)
        return None if inner is None else Derivation(inner.bases, _continuous(inner.feed))
    instrument = next((one for one in market.instruments if one.symbol.lower() == symbol), None)
    if instrument is None:
        return None
    depth = _DEPTH.match(kind)
    if depth:
        return _depth(symbol, instrument, depth, market)
    traded = [f"{symbol}@{base}" for base in ("aggTrade", "trade") if f"{symbol}@{base}" in market.streams][:1]
    if kind.startswith("kline_") and kind[6:] in h.INTERVALS_MS:
        return Derivation(traded, _Klines(instrument, market, kind[6:]).feed) if traded else None
    if kind in tickers.MADE:
        history = market.history(instrument.symbol)
        return Derivation(traded, tickers.Single(history, tickers.MADE[kind]).feed) if traded else None
    if kind == "trade" and f"{symbol}@aggTrade" in market.streams:
        return Derivation([f"{symbol}@aggTrade"], _Singles(instrument).feed)
    if kind == "markPrice" and f"{symbol}@markPrice@1s" in market.streams:
        return Derivation([f"{symbol}@markPrice@1s"], _every_third_second)
    if kind == "markPrice@1s" and f"{symbol}@markPrice" in market.streams:
        return Derivation([f"{symbol}@markPrice"], _same)
    if kind in ("markPrice", "markPrice@1s") and market.recorded:
        heard = [name for name in (*traded, f"{symbol}@bookTicker") if name in market.streams]
        period_s = 1 if kind.endswith("@1s") else MARK_PERIOD_S
        return Derivation(heard, _Premiums(instrument, market, period_s).feed) if traded else None
    return None


def _read(payload: bytes, *fields: str) -> dict[str, Any] | None:
    """An event that has ``fields``; None for anything else a recording may hold: what cannot be read makes nothing."""
    try:
        event = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    return event if isinstance(event, dict) and all(name in event for name in fields) else None


def _same(venue_ns: int, stream: str, payload: bytes) -> Iterable[bytes]:
    return (payload,)


def _continuous(feed: Feed) -> Feed:
    """Candle events in the form of a continuous contract: pair and contract type instead of the symbol."""

    def changed(venue_ns: int, stream: str, payload: bytes) -> Iterable[bytes]:
        for candle in feed(venue_ns, stream, payload):
            event = orjson.loads(candle)
            del event["k"]["s"]
            kept = {"e": "continuous_kline", "E": event["E"], "ps": event["s"], "ct": "PERPETUAL", "k": event["k"]}
            yield orjson.dumps(kept)

    return changed


def _every_third_second(venue_ns: int, stream: str, payload: bytes) -> Iterable[bytes]:
    return (payload,) if venue_ns // 10**9 % MARK_PERIOD_S == 0 else ()


def _array(name: str, market: Market) -> Derivation | None:
    """The all-market streams: only contracts of this market are in them."""

    def bases(kind: str) -> list[str]:
        return [stream for stream in sorted(market.streams) if stream.endswith(f"@{kind}")]

    if name in ("!markPrice@arr", "!markPrice@arr@1s"):
        found = bases("markPrice@1s") or bases("markPrice")
        period_s = 1 if name.endswith("@1s") else MARK_PERIOD_S
        return Derivation(found, _Marks(len(found), period_s).feed) if found else None
    if name in ("!ticker@arr", "!miniTicker@arr"):
        histories = {stream: market.history(stream.partition("@")[0].upper()) for stream in bases("aggTrade")}
        make = tickers.MADE[name[1:].partition("@")[0]]
        return Derivation(histories, tickers.All(histories, make).feed) if histories else None
    if name == "!forceOrder@arr":
        return Derivation(bases("forceOrder"), _liquidation)
    if name == "!bookTicker":
        return Derivation(bases("bookTicker"), _Quotes().feed)
    return None


def _liquidation(venue_ns: int, stream: str, payload: bytes) -> Iterable[bytes]:
    """The array form carries pair and ``st`` at top level, and is a single object (reference §2.9)."""
    symbol = stream.partition("@")[0].upper()
    return (payload[:-1] + b',"ps":"' + symbol.encode() + b'","st":1}',)


class _Marks:
    def __init__(self, count: int, period_s: int) -> None:
        self._count, self._period_s = count, period_s
        self._latest: dict[str, bytes] = {}

    def feed(self, venue_ns: int, stream: str, payload: bytes) -> Iterable[bytes]:
        self._latest[stream] = payload
        if len(self._latest) < self._count:
            return ()
        events, self._latest = self._latest, {}
        if venue_ns // 10**9 % self._period_s:
            return ()
        return (b"[" + b",".join(events[name] for name in sorted(events)) + b"]",)


class _Premiums:
    """Marks for a recording that carries none: what ``premiumIndex`` answers, each period from the first trade on."""

    def __init__(self, instrument: Instrument, market: Market, period_s: int) -> None:
        self._symbol, self._market, self._period_s = instrument.symbol, market, period_s
        self._sent = -1

    def feed(self, venue_ns: int, stream: str, payload: bytes) -> Iterable[bytes]:
        period = venue_ns // 10**9 // self._period_s
        if period == self._sent or not self._market.history(self._symbol).candles:
            return ()
        self._sent = period
        body = self._market.premium(self._symbol)
        mark = body["markPrice"]
        event = {"e": "markPriceUpdate", "E": venue_ns // 10**6, "s": self._symbol, "p": mark, "ap": mark}
        event |= {"P": body["estimatedSettlePrice"], "i": body["indexPrice"], "r": body["lastFundingRate"]}
        return (orjson.dumps(event | {"T": body["nextFundingTime"], "st": 1}),)


class _Quotes:
    """Each symbol's quote every five seconds (reference §2.6)."""

    def __init__(self) -> None:
        self._sent_ns: dict[str, int] = {}

    def feed(self, venue_ns: int, stream: str, payload: bytes) -> Iterable[bytes]:
        if venue_ns - self._sent_ns.get(stream, 0) < QUOTE_ARRAY_PERIOD_MS * 10**6:
            return ()
        self._sent_ns[stream] = venue_ns
        return (payload,)


def _depth(symbol: str, instrument: Instrument, asked: re.Match[str], market: Market) -> Derivation | None:
    base = next((stream for stream in sorted(market.streams) if re.match(f"{symbol}@depth(@|$)", stream)), None)
    if base is None:
        return None
    levels, speed = asked.groups()
    period_ms = int(speed) if speed else 250
    if levels:
        return Derivation([base], _Partial(instrument, market, int(levels), max(period_ms, 100)).feed)
    if base.endswith("@100ms") and period_ms > 100 and not market.recorded:
        return Derivation([base], _Merged(period_ms).feed)
    return Derivation([base], _same)  # a recording has one speed: it serves every request


class _Merged:
    """Diffs joined to a slower speed, with their own ``pu`` chain (reference §2.3, point 6)."""

    def __init__(self, period_ms: int) -> None:
        self._period_ms = period_ms
        self._first = 0
        self._previous = 0
        self._sides: tuple[dict[str, str], dict[str, str]] = ({}, {})
        self._sent_ms = 0

    def feed(self, venue_ns: int, stream: str, payload: bytes) -> Iterable[bytes]:
        event = _read(payload, "U", "u", "pu", "E", "b", "a")
        if event is None:
            return ()
        self._first = self._first or event["U"]
        self._previous = self._previous or event["pu"]
        for side, key in zip(self._sides, ("b", "a"), strict=True):
            side.update(event[key])
        slot = event["E"] // self._period_ms
        if slot == self._sent_ms // self._period_ms:
            return ()
        self._sent_ms = event["E"]
        event |= {"U": self._first, "pu": self._previous}
        for side, key in zip(self._sides, ("b", "a"), strict=True):
            event[key] = sorted(side.items(), key=lambda level: float(level[0]))
            side.clear()
        self._first, self._previous = 0, event["u"]
        return (orjson.dumps(event),)


class _Partial:
    """The best levels in full at each period (reference §2.4)."""

    def __init__(self, instrument: Instrument, market: Market, levels: int, period_ms: int) -> None:
        self._market, self._levels, self._period_ms = market, levels, period_ms
        self._symbol = instrument.symbol
        self._text = Payloads(instrument)
        self._sent_ms = 0
        self._previous = 0

    def feed(self, venue_ns: int, stream: str, payload: bytes) -> Iterable[bytes]:
        event_ms = venue_ns // 10**6
        if event_ms // self._period_ms == self._sent_ms // self._period_ms:
            return ()
        book = self._market.depth(self._symbol, self._levels)
        if book is None:
            return ()
        event = _read(payload, "U", "u", "E")
        if event is None:
            return ()
        self._sent_ms = event_ms
        ids = (event["U"], event["u"], self._previous or event.get("pu", event["U"] - 1))  # spot's diffs have no pu
        self._previous = event["u"]
        return (self._text.depth(event["E"], event.get("T", event["E"]), ids, book[3], book[4]),)


class _Klines:
    """The running candle of any interval each 250 ms of trading, and each closed one once."""

    def __init__(self, instrument: Instrument, market: Market, interval: str) -> None:
        self._history = market.history(instrument.symbol)
        self._interval, self._interval_ms = interval, h.INTERVALS_MS[interval]
        self._text = Payloads(instrument)
        self._open_ms = 0
        self._sent_ms = 0

    def feed(self, venue_ns: int, stream: str, payload: bytes) -> Iterable[bytes]:
        event_ms = venue_ns // 10**6
        candle = self._history.latest(self._interval_ms)
        if candle is None:
            return ()
        events = []
        if self._open_ms and candle[h.OPEN_MS] != self._open_ms:
            closed = [one for one in self._history.merged(self._interval_ms) if one[h.OPEN_MS] >= self._open_ms]
            events = [self._text.kline(event_ms, one, self._interval, True) for one in closed[:-1]]
        self._open_ms = candle[h.OPEN_MS]
        if events or event_ms - self._sent_ms >= KLINE_PERIOD_MS:
            self._sent_ms = event_ms
            events.append(self._text.kline(event_ms, candle, self._interval, False))
        return events


class _Singles:
    """An aggregate trade taken apart into its single trades: equal parts, the last one takes what is left."""

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._text = Payloads(instrument)

    def feed(self, venue_ns: int, stream: str, payload: bytes) -> Iterable[bytes]:
        event = _read(payload, "E", "p", "q", "f", "l", "T", "m")
        if event is None:
            return ()
        first, last = event["f"], event["l"]
        try:
            price, lots = self._instrument.ticks(event["p"]), self._instrument.lots(event["q"])
            count = min(last - first + 1, lots)
        except (DataError, TypeError):
            return ()
        if count <= 0:
            return ()
        part = lots // count
        numbers = range(last - count + 1, last + 1)
        return [
            self._text.single_trade(
                event["E"], number, price, part if number < last else lots - part * (count - 1), event["T"], event["m"]
            )
            for number in numbers
        ]
