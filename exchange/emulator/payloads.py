"""The venue's event texts, written straight from integers (field order as on the wire, venue reference §2).

Texts of prices and quantities repeat all the time, so they are kept in bounded tables: a level costs two look-ups
(0.1 µs) instead of 2 µs of formatting.
"""

from __future__ import annotations

from collections.abc import Callable

from exchange.emulator import history as h
from models.instrument import E8, Instrument

TEXTS_KEPT = 30_000  # prices of ±1,500 ticks and the usual quantities; cleared when full (3 MB)


class _Texts(dict[int, str]):
    """Integer → text, filled on demand by ``make`` and emptied when it holds ``TEXTS_KEPT`` of them."""

    def __init__(self, make: Callable[[int], str]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, value: int) -> str:
        if len(self) >= TEXTS_KEPT:
            self.clear()
        text = self[value] = self._make(value)
        return text


def e8_fixed(value_e8: int) -> str:
    """A non-negative integer at 1e-8 with eight places."""
    return f"{value_e8 // E8}.{value_e8 % E8:08d}"


def rate_text(rate_e8: int) -> str:
    """A funding rate at 1e-8 with eight places and its sign."""
    return f"-{e8_fixed(-rate_e8)}" if rate_e8 < 0 else e8_fixed(rate_e8)


class Payloads:
    """Writes the events of one symbol. Prices in ticks, quantities in lots, times in ms; all answers are bytes."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.symbol = instrument.symbol
        self._price = _Texts(instrument.price_text)
        self._quantity = _Texts(instrument.quantity_text)
        self._level = _Texts(lambda ticks: f'["{instrument.price_text(ticks)}","')
        self._level_end = _Texts(lambda lots: f'{instrument.quantity_text(lots)}"]')

    def levels(self, changes: list[tuple[int, int]]) -> str:
        """``[["76914.90","6.101"],…]`` without the outer brackets."""
        level, end = self._level, self._level_end
        return ",".join([level[price] + end[lots] for price, lots in changes])

    def depth(
        self,
        event_ms: int,
        at_ms: int,
        ids: tuple[int, int, int],
        bids: list[tuple[int, int]],
        asks: list[tuple[int, int]],
    ) -> bytes:
        """A depth diff; ``ids`` are U, u, pu."""
        return (
            f'{{"e":"depthUpdate","E":{event_ms},"T":{at_ms},"s":"{self.symbol}","ps":"{self.symbol}",'
            f'"U":{ids[0]},"u":{ids[1]},"pu":{ids[2]},"b":[{self.levels(bids)}],"a":[{self.levels(asks)}],"st":1}}'
        ).encode()

    def quote(self, at_ms: int, event_ms: int, update_id: int, touch: tuple[int, int, int, int]) -> bytes:
        """A bookTicker event; ``touch`` is bid price, bid quantity, ask price, ask quantity."""
        price, quantity = self._price, self._quantity
        bid, bid_lots, ask, ask_lots = touch
        return (
            f'{{"e":"bookTicker","u":{update_id},"s":"{self.symbol}","ps":"{self.symbol}",'
            f'"b":"{price[bid]}","B":"{quantity[bid_lots]}","a":"{price[ask]}","A":"{quantity[ask_lots]}",'
            f'"T":{at_ms},"E":{event_ms},"st":1}}'
        ).encode()

    def agg_trade(self, event_ms: int, trade: h.Trade) -> bytes:
        """An aggTrade event; no RPI quantity, so ``nq`` equals ``q``."""
        number, price, lots, first, last, at_ms, maker = trade
        quantity = self._quantity[lots]
        return (
            f'{{"e":"aggTrade","E":{event_ms},"a":{number},"s":"{self.symbol}","p":"{self._price[price]}",'
            f'"q":"{quantity}","nq":"{quantity}","f":{first},"l":{last},"T":{at_ms},'
            f'"m":{"true" if maker else "false"},"st":1}}'
        ).encode()

    def single_trade(self, event_ms: int, number: int, price: int, lots: int, at_ms: int, maker: bool) -> bytes:
        """An event of the undocumented trade stream."""
        return (
            f'{{"e":"trade","E":{event_ms},"T":{at_ms},"s":"{self.symbol}","t":{number},"p":"{self._price[price]}",'
            f'"q":"{self._quantity[lots]}","X":"MARKET","m":{"true" if maker else "false"},"st":1}}'
        ).encode()

    def mark(self, event_ms: int, mark: int, average: int, index: int, settle: int, rate: int, next_ms: int) -> bytes:
        """A markPriceUpdate event; prices and the rate at 1e-8."""
        return (
            f'{{"e":"markPriceUpdate","E":{event_ms},"s":"{self.symbol}","p":"{e8_fixed(mark)}",'
            f'"ap":"{e8_fixed(average)}","P":"{e8_fixed(settle)}","i":"{e8_fixed(index)}",'
            f'"r":"{rate_text(rate)}","T":{next_ms},"st":1}}'
        ).encode()

    def kline(self, event_ms: int, candle: h.Candle, interval: str, closed: bool) -> bytes:
        """A kline event of any interval."""
        price = self._price
        open_ms = candle[h.OPEN_MS]
        return (
            f'{{"e":"kline","E":{event_ms},"s":"{self.symbol}","k":{{"t":{open_ms},'
            f'"T":{open_ms + h.INTERVALS_MS[interval] - 1},"s":"{self.symbol}","i":"{interval}",'
            f'"f":{candle[h.FIRST_ID]},"L":{candle[h.LAST_ID]},"o":"{price[candle[h.OPEN]]}",'
            f'"c":"{price[candle[h.CLOSE]]}","h":"{price[candle[h.HIGH]]}","l":"{price[candle[h.LOW]]}",'
            f'"v":"{self.instrument.quantity_text(candle[h.VOLUME])}","n":{candle[h.COUNT]},'
            f'"x":{"true" if closed else "false"},"q":"{h.money_text(candle[h.MONEY], self.instrument)}",'
            f'"V":"{self.instrument.quantity_text(candle[h.TAKER_VOLUME])}",'
            f'"Q":"{h.money_text(candle[h.TAKER_MONEY], self.instrument)}","B":"0"}}}}'
        ).encode()

    def liquidation(self, event_ms: int, sell: bool, lots: int, limit: int, average: int, at_ms: int) -> bytes:
        """A forceOrder event: ``limit`` is the order's price, ``average`` what it was filled at."""
        quantity = self._quantity[lots]
        return (
            f'{{"e":"forceOrder","E":{event_ms},"o":{{"s":"{self.symbol}","S":"{"SELL" if sell else "BUY"}",'
            f'"o":"LIMIT","f":"IOC","q":"{quantity}","p":"{self._price[limit]}","ap":"{self._price[average]}",'
            f'"X":"FILLED","l":"{quantity}","z":"{quantity}","T":{at_ms}}}}}'
        ).encode()
