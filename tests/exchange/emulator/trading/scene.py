"""A desk against a market that says only what the test wants: a book, trades and marks given by hand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
import pytest

from exchange.emulator.contracts import character
from exchange.emulator.errors import VenueError
from exchange.emulator.history import History
from exchange.emulator.market import Frame, Levels
from exchange.emulator.payloads import e8_fixed
from exchange.emulator.trading.account import Account
from exchange.emulator.trading.desk import TradingDesk
from exchange.emulator.trading.orders import Order
from models.instrument import E8, Instrument, to_e8

START_MS = 1_789_478_303_600
NEXT_FUNDING_MS = 1_789_488_000_000
BTC, ETH = "BTCUSDT", "ETHUSDT"
BIDS = (("76914.90", "6.000"), ("76914.80", "2.000"), ("76900.00", "5.000"))
ASKS = (("76915.00", "0.006"), ("76915.10", "1.000"), ("76930.00", "5.000"))


class HandMarket:
    """A market that stands still. See ``exchange.emulator.market.Market``."""

    recorded = ended = False
    streams = frozenset({f"{symbol}@{kind}" for symbol in ("btcusdt", "ethusdt") for kind in ("aggTrade", "trade")})

    def __init__(self) -> None:
        self.instruments: tuple[Instrument, ...] = tuple(
            character(symbol, place).instrument for place, symbol in enumerate((BTC, ETH))
        )
        self.now_ns = START_MS * 1_000_000
        self.books: dict[str, tuple[Levels, Levels]] = {BTC: ([], []), ETH: ([], [])}
        self.marks = {BTC: "76916.95122464", ETH: "2520.00000000"}

    def awake(self) -> None: ...

    def advance(self, until_ns: int) -> Iterable[Frame]:
        return ()

    def depth(self, symbol: str, limit: int) -> tuple[int, int, int, Levels, Levels] | None:
        bids, asks = self.books[symbol]
        return (1, 0, 0, bids[:limit], asks[:limit]) if bids or asks else None

    def history(self, symbol: str) -> History:
        return History(self.instruments[0])

    def premium(self, symbol: str) -> dict[str, object]:
        return {
            "markPrice": self.marks[symbol],
            "lastFundingRate": "0.00010000",
            "nextFundingTime": NEXT_FUNDING_MS,
        }


Rows = Iterable[tuple[str, str]]


class Scene:
    """One desk with one account. Times are the test's: ``wait`` moves them."""

    def __init__(self, usdt: str = "1000", **options: Any) -> None:
        self.market = HandMarket()
        self.ms = START_MS
        self.events: list[dict[str, Any]] = []
        self.all_events: list[tuple[str, dict[str, Any]]] = []
        self.records: list[dict[str, Any]] = []
        self.desk = TradingDesk(self.market, lambda: self.ms, self._heard, seed=1, audit=self.records.append)
        self.account = self.desk.open_account("main", to_e8(usdt), **options)
        self.book(BIDS, ASKS)
        self.records_before = len(self.records)

    def _heard(self, account: Account, event: dict[str, Any]) -> None:
        orjson.dumps(event)  # everything must be writable
        self.all_events.append((account.name, event))
        if account.name == "main":
            self.events.append(event)

    # -- the market --------------------------------------------------------------------------------------------------

    def instrument(self, symbol: str = BTC) -> Instrument:
        return next(one for one in self.market.instruments if one.symbol == symbol)

    def levels(self, rows: Rows, symbol: str = BTC) -> Levels:
        instrument = self.instrument(symbol)
        return [(instrument.ticks(price), instrument.lots(lots)) for price, lots in rows]

    def book(self, bids: Rows, asks: Rows, symbol: str = BTC, *, told: bool = False) -> None:
        """Set the market's book; ``told``: a depth frame carries every level of it, and zeros for those gone."""
        before = self.market.books[symbol]
        self.market.books[symbol] = (self.levels(bids, symbol), self.levels(asks, symbol))
        if told:
            instrument = self.instrument(symbol)
            sides = []
            for old, rows in zip(before, (bids, asks), strict=True):
                gone = {instrument.price_text(ticks): "0.000" for ticks, _ in old}
                sides.append([list(pair) for pair in (gone | dict(rows)).items()])
            self.frame(symbol, "depth@100ms", {"e": "depthUpdate", "b": sides[0], "a": sides[1]})

    def frame(self, symbol: str, kind: str, event: dict[str, Any]) -> None:
        self.desk.market_event((self.ms * 1_000_000, f"{symbol.lower()}@{kind}", orjson.dumps(event)))

    def quote(self, bid: str, ask: str, symbol: str = BTC) -> None:
        self.frame(symbol, "bookTicker", {"e": "bookTicker", "b": bid, "B": "1", "a": ask, "A": "1"})

    def trade(self, price: str, quantity: str = "0.001", *, sell: bool = False, symbol: str = BTC) -> None:
        """A trade of the market; ``sell``: its taker sold."""
        self.frame(symbol, "aggTrade", {"e": "aggTrade", "p": price, "q": quantity, "m": sell, "T": self.ms})

    def mark(self, price: str, rate: str = "0.00010000", symbol: str = BTC, next_ms: int = NEXT_FUNDING_MS) -> None:
        event = {"e": "markPriceUpdate", "E": self.ms, "p": price, "r": rate, "T": next_ms}
        self.frame(symbol, "markPrice@1s", event)

    def move(self, price: str, symbol: str = BTC) -> None:
        """The whole market at a price: marks, last trade, a book around it."""
        instrument = self.instrument(symbol)
        ticks = instrument.ticks(price)
        text = instrument.price_text
        bids = [(text(ticks - 1 - step), "50.000") for step in range(5)]
        asks = [(text(ticks + 1 + step), "50.000") for step in range(5)]
        self.book(bids, asks, symbol, told=True)
        self.trade(price, symbol=symbol)
        self.mark(e8_fixed(to_e8(price)), symbol=symbol)

    def wait(self, ms: int) -> None:
        self.ms += ms
        self.desk.timer()

    # -- calls -------------------------------------------------------------------------------------------------------

    def call(self, call: str, account: Account | None = None, **params: Any) -> Any:
        texts = {name: str(value) for name, value in params.items()}
        answer = self.desk.handlers[call](account or self.account, texts)
        orjson.dumps(answer)
        return answer

    def order(self, **params: Any) -> Any:
        """POST order: a market buy of 0.010 BTC unless told otherwise."""
        usual = {"symbol": BTC, "side": "BUY", "type": "MARKET", "quantity": "0.010"}
        if params.get("type") == "LIMIT" and "timeInForce" not in params:
            params["timeInForce"] = "GTC"
        return self.call("POST /fapi/v1/order", **(usual | params))

    def limit(self, side: str, price: str, quantity: str = "0.010", **params: Any) -> Any:
        return self.order(side=side, type="LIMIT", price=price, quantity=quantity, **params)

    def algo(self, **params: Any) -> Any:
        """POST algoOrder: a reduce-only stop that sells 0.010 BTC at 76,000 unless told otherwise."""
        usual = {
            "algoType": "CONDITIONAL",
            "symbol": BTC,
            "side": "SELL",
            "type": "STOP_MARKET",
            "workingType": "MARK_PRICE",
        }
        asked = usual | params
        if asked["type"] != "TRAILING_STOP_MARKET":
            asked.setdefault("triggerPrice", "76000.00")
        if asked.get("closePosition") != "true":
            asked.setdefault("quantity", "0.010")
            if "positionSide" not in asked:
                asked.setdefault("reduceOnly", "true")
        return self.call("POST /fapi/v1/algoOrder", **asked)

    def expect_refused(self, code: int, call: str, **params: Any) -> VenueError:
        """The call must be refused with that code."""
        with pytest.raises(VenueError) as caught:
            self.call(call, **params)
        assert caught.value.code == code, caught.value.body
        return caught.value

    def expect_refused_order(self, code: int, **params: Any) -> VenueError:
        usual = {"symbol": BTC, "side": "BUY", "type": "MARKET", "quantity": "0.010"}
        if params.get("type") == "LIMIT":
            usual |= {"timeInForce": "GTC", "price": "76900.00"}
        asked = {name: value for name, value in (usual | params).items() if value is not None}
        return self.expect_refused(code, "POST /fapi/v1/order", **asked)

    # -- what can be seen --------------------------------------------------------------------------------------------

    def found(self, answer: dict[str, Any]) -> Order:
        return self.account.orders[answer["orderId"]]

    def heard(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.events if one["e"] == kind]

    def words(self) -> list[tuple[str, str]]:
        """Executions and states of the order events so far."""
        return [(one["o"]["x"], one["o"]["X"]) for one in self.heard("ORDER_TRADE_UPDATE")]

    def forget(self) -> None:
        """Leave aside what was heard so far."""
        self.events.clear()

    def held(self, symbol: str = BTC, side: str = "BOTH") -> str:
        """The signed position, in plain text."""
        amount = self.account.position(symbol, side).quantity_e8
        return f"{amount / E8:.3f}"

    @property
    def wallet_e8(self) -> int:
        return self.account.wallet_e8
