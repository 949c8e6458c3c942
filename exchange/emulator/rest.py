"""The venue's public REST endpoints over a market (venue reference §4.1 to §4.3).

An answer is a function of the request's parameters that gives its weight and its body; ``market_data`` has those
that a client seldom asks for, ``door`` puts them behind HTTP.
"""

from __future__ import annotations

from collections.abc import Callable

from exchange.emulator.contracts import DEPTH_LIMITS, exchange_info
from exchange.emulator.errors import VenueError as VenueError
from exchange.emulator.errors import invalid, missing
from exchange.emulator.history import INTERVALS_MS, History
from exchange.emulator.market import Market, depth_body
from exchange.emulator.parameters import Params, integer, limit, window
from models.instrument import Instrument

AGG_TRADES_MAX, AGG_TRADES_USUAL = 1_000, 500
KLINES_MAX, KLINES_USUAL = 1_500, 500
DEPTH_USUAL = 500

Public = Callable[[Params], tuple[int, object]]
"""Parameters → weight and body; raises VenueError"""


def depth_weight(limit: int) -> int:
    return 2 if limit <= 50 else 5 if limit <= 100 else 10 if limit <= 500 else 20


def klines_weight(limit: int) -> int:
    return 1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1000 else 10


class Rest:
    """Answers of one market. ``now_ms`` is the venue's clock; ``instruments`` what exchangeInfo tells (default: what
    the market trades).
    """

    def __init__(
        self,
        market: Market,
        now_ms: Callable[[], int],
        instruments: Callable[[], tuple[Instrument, ...]] | None = None,
    ) -> None:
        self.market, self.now_ms = market, now_ms
        self._instruments = instruments or (lambda: market.instruments)
        self.symbols: dict[str, Instrument] = {one.symbol: one for one in market.instruments}
        self.answers: dict[str, Public] = {
            "GET /fapi/v1/ping": self.ping,
            "GET /fapi/v1/time": self.time,
            "GET /fapi/v1/exchangeInfo": self.exchange_info,
            "GET /fapi/v1/depth": self.depth,
            "GET /fapi/v1/klines": self.klines,
            "GET /fapi/v1/aggTrades": self.agg_trades,
            "GET /fapi/v1/premiumIndex": self.premium_index,
        }

    def ping(self, params: Params) -> tuple[int, object]:
        return 1, {}

    def time(self, params: Params) -> tuple[int, object]:
        return 1, {"serverTime": self.now_ms()}

    def exchange_info(self, params: Params) -> tuple[int, object]:
        """Always everything: the venue ignores ``symbol`` here."""
        return 1, exchange_info(self._instruments(), self.now_ms())

    def depth(self, params: Params) -> tuple[int, object]:
        instrument = self.instrument(params)
        levels = integer(params, "limit")
        levels = DEPTH_USUAL if levels is None else levels
        if levels > DEPTH_LIMITS[-1]:
            raise invalid("limit")
        if levels not in DEPTH_LIMITS:
            raise VenueError(400, -4021, f"{levels} is not valid depth limit")
        return depth_weight(levels), self.book(instrument, levels)

    def book(self, instrument: Instrument, levels: int) -> dict[str, object]:
        """The depth body. Raises VenueError (-1001): a recording without a snapshot has none."""
        body = depth_body(self.market, instrument, levels)
        if body is None:
            raise VenueError(503, -1001, "Internal error; unable to process your request. Please try again.")
        return body

    def klines(self, params: Params) -> tuple[int, object]:
        return self.candles(self.instrument(params), params)

    def candles(self, instrument: Instrument, params: Params) -> tuple[int, list[list[object]]]:
        """Rows of an instrument as ``interval``, ``limit`` and the times ask for them."""
        interval = params.get("interval", "")
        if not interval:
            raise missing("interval")
        if interval not in INTERVALS_MS:
            raise VenueError(400, -1120, "Invalid interval.")
        count = limit(params, KLINES_USUAL, KLINES_MAX)
        start_ms, end_ms = window(params)
        rows = self.history(instrument).klines(INTERVALS_MS[interval], count, start_ms=start_ms, end_ms=end_ms)
        return klines_weight(count), rows

    def agg_trades(self, params: Params) -> tuple[int, object]:
        instrument = self.instrument(params)
        count = limit(params, AGG_TRADES_USUAL, AGG_TRADES_MAX)
        from_id = integer(params, "fromId")
        if from_id is not None and ("startTime" in params or "endTime" in params):
            raise VenueError(400, -1128, "Combination of optional parameters invalid.")
        start_ms, end_ms = window(params, 1)
        history = self.history(instrument)
        return 20, history.agg_trades(count, from_id=from_id, start_ms=start_ms, end_ms=end_ms)

    def premium_index(self, params: Params) -> tuple[int, object]:
        if "symbol" not in params:
            return 10, [self.market.premium(symbol) for symbol in self.symbols]
        return 1, self.market.premium(self.instrument(params).symbol)

    def history(self, instrument: Instrument) -> History:
        return self.market.history(instrument.symbol)

    def instrument(self, params: Params, name: str = "symbol") -> Instrument:
        """The instrument a parameter names. Raises VenueError (-1102, -1121)."""
        symbol = params.get(name, "")
        if not symbol:
            raise missing(name)
        instrument = self.symbols.get(symbol)
        if instrument is None:
            raise VenueError(400, -1121, "Invalid symbol.")
        return instrument
