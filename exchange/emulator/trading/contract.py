"""One contract at the desk: its rules, its marks, its book with what our orders took from it, and its resting orders.

Prices and quantities are at 1e-8, so that a change of tick or step size leaves everything that exists as it is.
Sides of the book carry their order side: bids are BUY, asks are SELL.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from typing import Any

import msgspec
import orjson

from exchange.emulator.market import Market
from exchange.emulator.trading.algos import Algo
from exchange.emulator.trading.brackets import brackets_for
from exchange.emulator.trading.orders import Order
from exchange.emulator.trading.texts import BUY, SELL, value_e8
from models.instrument import E8, Filters, Instrument, to_e8

NEAR, FAR = 20, 1_000  # levels looked at first, and when those do not do
TEXTS_KEPT = 20_000
FUNDING_MS = 8 * 3_600_000
TAKE_BOUND_E8 = 5_000_000  # marketTakeBound: a market order goes no further than 5 % from the mark
PROTECT_E8 = 5_000_000  # triggerProtect
_TICKS = ("price_min", "price_max")
_LOTS = ("quantity_min", "quantity_max", "market_quantity_min", "market_quantity_max")


class Contract:
    """See the module. ``instrument`` holds the rules of the moment, the market keeps its own tick and step."""

    def __init__(self, market: Market, instrument: Instrument) -> None:
        self._market = market
        self.symbol = instrument.symbol
        self.instrument = instrument
        self.brackets = brackets_for(instrument)
        self.tick_e8, self.lot_e8 = instrument.tick_e8, instrument.lot_e8
        self.resting: dict[int, list[Order]] = {BUY: [], SELL: []}
        self.algos: dict[int, Algo] = {}
        self.taken: dict[int, dict[int, int]] = {BUY: {}, SELL: {}}
        self.rate_e8 = 0
        self.next_funding_ms = 0
        self.settled_ms = 0
        self._mark_e8 = 0
        self._last_raw: bytes = b""
        self._numbers: dict[str, int] = {}

    # -- what the market says ----------------------------------------------------------------------------------------

    @property
    def mark_e8(self) -> int:
        """The mark price; before the first mark of the market what ``premiumIndex`` says."""
        if not self._mark_e8:
            self.know_mark()
        return self._mark_e8

    def know_mark(self) -> None:
        """Without a mark from the market's stream, take what REST tells."""
        if self._mark_e8:
            return
        body = self._market.premium(self.symbol)
        self._mark_e8 = to_e8(str(body["markPrice"]))
        self.rate_e8 = to_e8(str(body["lastFundingRate"]) or "0")
        self.next_funding_ms = int(str(body["nextFundingTime"]))

    def take_mark(self, event: dict[str, Any]) -> None:
        """A markPriceUpdate."""
        self._mark_e8 = to_e8(event["p"])
        if event.get("r"):
            self.rate_e8 = to_e8(event["r"])
        if event.get("T"):
            self.next_funding_ms = event["T"]

    def take_trade(self, payload: bytes) -> None:
        """The last trade of the market, read when somebody asks."""
        self._last_raw = payload

    @property
    def last_e8(self) -> int:
        """The last trade's price; before the first one the middle of the book, or the mark."""
        if self._last_raw:
            return self.number(orjson.loads(self._last_raw)["p"])
        bid, ask = self.best(BUY), self.best(SELL)
        return (bid + ask) // 2 if bid and ask else self.mark_e8

    def number(self, text: str) -> int:
        """A price or quantity text at 1e-8, from a bounded table."""
        found = self._numbers.get(text)
        if found is None:
            if len(self._numbers) >= TEXTS_KEPT:
                self._numbers.clear()
            found = self._numbers[text] = to_e8(text)
        return found

    def take_depth(self, event: dict[str, Any]) -> None:
        """A diff: its levels are fresh again, and nobody waits behind more than what rests there."""
        for side, rows in ((BUY, event["b"]), (SELL, event["a"])):
            taken, resting = self.taken[side], self.resting[side]
            if not taken and not resting:
                continue
            own = {order.price_e8 for order in resting}
            for price_text, quantity_text in rows:
                price = self.number(price_text)
                taken.pop(price, None)
                if price in own:
                    lots = self.number(quantity_text)
                    for order in resting:
                        if order.price_e8 == price:
                            order.ahead_e8 = min(order.ahead_e8, lots)

    def touches(self, event: dict[str, Any]) -> dict[int, int]:
        """The best price with a quantity that a diff tells on either side; 0 for none. Looking here saves asking the
        market for its whole book at every frame.
        """
        bids = [self.number(price) for price, quantity in event["b"] if self.number(quantity)]
        asks = [self.number(price) for price, quantity in event["a"] if self.number(quantity)]
        return {BUY: max(bids, default=0), SELL: min(asks, default=0)}

    # -- the book ----------------------------------------------------------------------------------------------------

    def levels(self, side: int) -> Iterator[tuple[int, int]]:
        """Price and quantity of one side of the market's book, best first, without what was taken from it."""
        taken = self.taken[side]
        place = 3 if side == BUY else 4
        seen = 0
        for limit in (NEAR, FAR):
            book = self._market.depth(self.symbol, limit)
            if book is None:
                return
            rows = book[place]
            for ticks, lots in rows[seen:]:  # type: ignore[index]
                price = ticks * self.tick_e8
                left = lots * self.lot_e8 - taken.get(price, 0)
                if left > 0:
                    yield price, left
            if len(rows) < limit:  # type: ignore[arg-type]
                return
            seen = limit

    def best(self, side: int) -> int:
        """The best price of a side; 0 when it is empty."""
        return next((price for price, _ in self.levels(side)), 0)

    def nth(self, side: int, place: int) -> int:
        """The price of the ``place``-th level; 0 when there are fewer."""
        for number, (price, _) in enumerate(self.levels(side), 1):
            if number == place:
                return price
        return 0

    def at(self, side: int, price_e8: int) -> int:
        """What rests at a price of the market's book."""
        for price, left in self.levels(side):
            if price == price_e8:
                return left
            if (price - price_e8) * side < 0:
                return 0
        return 0

    def take(self, side: int, price_e8: int, quantity_e8: int) -> None:
        """Somebody has taken from a level; it stays taken until the market tells the level again."""
        taken = self.taken[side]
        taken[price_e8] = taken.get(price_e8, 0) + quantity_e8

    def offers(self, side: int) -> Iterator[tuple[int, int, list[Order]]]:
        """Price, the market's quantity there and the desk's own orders there, best price first."""
        own: dict[int, list[Order]] = {}
        for order in self.resting[side]:
            own.setdefault(order.price_e8, []).append(order)
        prices = list(own)  # best first, as resting orders are
        for price, left in self.levels(side):
            while prices and (prices[0] - price) * side > 0:
                first = prices.pop(0)
                yield first, 0, own[first]
            if prices and prices[0] == price:
                prices.pop(0)
            yield price, left, own.get(price, [])
        for price in prices:
            yield price, 0, own[price]

    @property
    def busy(self) -> bool:
        """Whether orders of ours rest here."""
        return bool(self.resting[BUY] or self.resting[SELL])

    @property
    def disturbed(self) -> bool:
        """Whether something is taken from the market's book."""
        return bool(self.taken[BUY] or self.taken[SELL])

    # -- resting orders ----------------------------------------------------------------------------------------------

    def rest(self, order: Order) -> None:
        """Put an order at the back of its price."""
        order.ahead_e8 = self.at(order.side, order.price_e8)
        insort(self.resting[order.side], order, key=_priority)

    def leave(self, order: Order) -> None:
        resting = self.resting[order.side]
        for place, one in enumerate(resting):
            if one is order:
                del resting[place]
                return

    # -- rules -------------------------------------------------------------------------------------------------------

    @property
    def trading(self) -> bool:
        return self.instrument.status == "TRADING"

    def band_e8(self) -> tuple[int, int]:
        """Lowest and highest price of PERCENT_PRICE, on the tick grid."""
        filters, tick = self.instrument.filters, self.instrument.tick_e8
        low = -(-self.mark_e8 * filters.price_down_e8 // E8 // tick) * tick
        return low, self.mark_e8 * filters.price_up_e8 // E8 // tick * tick

    def take_bound_e8(self, side: int) -> int:
        """The furthest price a market order of ``side`` may execute at."""
        return value_e8(self.mark_e8, E8 + side * TAKE_BOUND_E8)

    def protected(self) -> bool:
        """Whether mark and last price are too far apart for an order with price protection to trigger."""
        return abs(self.last_e8 - self.mark_e8) * E8 > self.mark_e8 * PROTECT_E8

    def change(self, changes: dict[str, Any]) -> None:
        """Fields of the instrument or of its filters, by their names in ``models.instrument``. Limits that count
        ticks or lots keep their meaning when tick or step size changes, unless they are given, too.
        """
        old = self.instrument
        own = {name: value for name, value in changes.items() if name in Instrument.__struct_fields__}
        rules = {name: int(value) for name, value in changes.items() if name in Filters.__struct_fields__}
        unknown = changes.keys() - own.keys() - rules.keys()
        if unknown:
            raise ValueError(f"an instrument has no {', '.join(sorted(unknown))}")
        tick, lot = own.get("tick_e8", old.tick_e8), own.get("lot_e8", old.lot_e8)
        scaled = {name: max(1, getattr(old.filters, name) * old.tick_e8 // tick) for name in _TICKS}
        scaled |= {name: max(1, getattr(old.filters, name) * old.lot_e8 // lot) for name in _LOTS}
        filters = msgspec.structs.replace(old.filters, **(scaled | rules))
        self.instrument = msgspec.structs.replace(old, filters=filters, **own)


def _priority(order: Order) -> int:
    """Best price first; ``insort`` keeps those of one price in their order of coming."""
    return -order.price_e8 * order.side
