"""The venue's public REST endpoints over a market (venue reference §4.1 to §4.3)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import orjson
from aiohttp import web

from exchange.emulator.contracts import DEPTH_LIMITS, exchange_info
from exchange.emulator.history import INTERVALS_MS
from exchange.emulator.market import Market, depth_body
from models.instrument import Instrument

WEIGHT_PER_MINUTE = 2_400
CLIENTS_KEPT = 256  # addresses whose weight is counted; loopback has one
AGG_TRADES_MAX, AGG_TRADES_USUAL = 1_000, 500
KLINES_MAX, KLINES_USUAL = 1_500, 500
DEPTH_USUAL = 500
HOUR_MS = 3_600_000

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class VenueError(Exception):
    """An error body of the venue: HTTP status, code and text."""

    def __init__(self, status: int, code: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers or {}


class Weights:
    """Request weight used by each address in the running minute of the venue's clock."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._minute = 0
        self._used: dict[str, int] = {}

    def spend(self, address: str, weight: int) -> int:
        """The address's weight after this request. Raises VenueError (429) beyond the limit."""
        now_ms = self._now_ms()
        minute = now_ms // 60_000
        if minute != self._minute or len(self._used) > CLIENTS_KEPT:
            self._minute = minute
            self._used.clear()
        used = self._used[address] = self._used.get(address, 0) + weight
        if used > WEIGHT_PER_MINUTE:
            raise VenueError(
                429,
                -1003,
                f"Too many requests; current limit is {WEIGHT_PER_MINUTE} requests per minute. "
                "Please use the websocket for live updates to avoid polling the API.",
                {"Retry-After": str(60 - now_ms // 1000 % 60), "X-MBX-USED-WEIGHT-1M": str(used)},
            )
        return used


def depth_weight(limit: int) -> int:
    return 2 if limit <= 50 else 5 if limit <= 100 else 10 if limit <= 500 else 20


def klines_weight(limit: int) -> int:
    return 1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1000 else 10


class Rest:
    """Answers of one market. ``now_ms`` is the venue's clock."""

    def __init__(self, market: Market, now_ms: Callable[[], int]) -> None:
        self._market, self._now_ms = market, now_ms
        self._weights = Weights(now_ms)
        self._symbols: dict[str, Instrument] = {one.symbol: one for one in market.instruments}

    def application(self) -> web.Application:
        """The routes; whatever else is asked for gets the venue's «path is invalid»."""
        application = web.Application(middlewares=[_errors])
        answers: dict[str, Callable[[web.Request], tuple[int, object]]] = {
            "ping": self.ping,
            "time": self.time,
            "exchangeInfo": self.exchange_info,
            "depth": self.depth,
            "klines": self.klines,
            "aggTrades": self.agg_trades,
            "premiumIndex": self.premium_index,
        }
        for name, answer in answers.items():
            application.router.add_get(f"/fapi/v1/{name}", self._handler(answer))
        application.router.add_route("*", "/{path:.*}", _unknown)
        return application

    def _handler(self, answer: Callable[[web.Request], tuple[int, object]]) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            began_ns = time.perf_counter_ns()
            weight, body, refusal = 1, None, None
            try:
                weight, body = answer(request)
            except VenueError as error:
                refusal = error  # a refused request costs weight too
            used = self._weights.spend(request.remote or "", weight)
            took_ms = (time.perf_counter_ns() - began_ns) // 1_000_000
            headers = {"X-MBX-USED-WEIGHT-1M": str(used), "X-RESPONSE-TIME": f"{took_ms}ms"}
            if refusal is not None:
                refusal.headers |= headers
                raise refusal
            return web.Response(body=orjson.dumps(body), content_type="application/json", headers=headers)

        return handle

    def ping(self, request: web.Request) -> tuple[int, object]:
        return 1, {}

    def time(self, request: web.Request) -> tuple[int, object]:
        return 1, {"serverTime": self._now_ms()}

    def exchange_info(self, request: web.Request) -> tuple[int, object]:
        """Always everything: the venue ignores ``symbol`` here."""
        return 1, exchange_info(self._market.instruments, self._now_ms())

    def depth(self, request: web.Request) -> tuple[int, object]:
        instrument = self._symbol(request)
        limit = _integer(request, "limit")
        limit = DEPTH_USUAL if limit is None else limit
        if limit > DEPTH_LIMITS[-1]:
            raise _invalid("limit")
        if limit not in DEPTH_LIMITS:
            raise VenueError(400, -4021, f"{limit} is not valid depth limit")
        body = depth_body(self._market, instrument, limit)
        if body is None:  # a recording without a snapshot has none
            raise VenueError(503, -1001, "Internal error; unable to process your request. Please try again.")
        return depth_weight(limit), body

    def klines(self, request: web.Request) -> tuple[int, object]:
        instrument = self._symbol(request)
        interval = request.query.get("interval", "")
        if not interval:
            raise _missing("interval")
        if interval not in INTERVALS_MS:
            raise VenueError(400, -1120, "Invalid interval.")
        limit = _limit(request, KLINES_USUAL, KLINES_MAX)
        start_ms, end_ms = _integer(request, "startTime"), _integer(request, "endTime")
        rows = self._market.history(instrument.symbol).klines(
            INTERVALS_MS[interval], limit, start_ms=start_ms, end_ms=end_ms
        )
        return klines_weight(limit), rows

    def agg_trades(self, request: web.Request) -> tuple[int, object]:
        instrument = self._symbol(request)
        limit = _limit(request, AGG_TRADES_USUAL, AGG_TRADES_MAX)
        from_id = _integer(request, "fromId")
        start_ms, end_ms = _integer(request, "startTime"), _integer(request, "endTime")
        if from_id is not None and (start_ms is not None or end_ms is not None):
            raise VenueError(400, -1128, "Combination of optional parameters invalid.")
        if start_ms is not None and end_ms is not None and end_ms - start_ms >= HOUR_MS:
            raise VenueError(400, -1127, "More than 1 hours between startTime and endTime.")
        history = self._market.history(instrument.symbol)
        return 20, history.agg_trades(limit, from_id=from_id, start_ms=start_ms, end_ms=end_ms)

    def premium_index(self, request: web.Request) -> tuple[int, object]:
        if "symbol" not in request.query:
            return 10, [self._market.premium(symbol) for symbol in self._symbols]
        return 1, self._market.premium(self._symbol(request).symbol)

    def _symbol(self, request: web.Request) -> Instrument:
        symbol = request.query.get("symbol", "")
        if not symbol:
            raise _missing("symbol")
        instrument = self._symbols.get(symbol)
        if instrument is None:
            raise VenueError(400, -1121, "Invalid symbol.")
        return instrument


def _missing(name: str) -> VenueError:
    return VenueError(400, -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def _invalid(name: str) -> VenueError:
    return VenueError(400, -1130, f"Data sent for parameter '{name}' is not valid.")


def _integer(request: web.Request, name: str) -> int | None:
    text = request.query.get(name)
    if text is None:
        return None
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        raise _missing(name)
    return int(text)


def _limit(request: web.Request, usual: int, largest: int) -> int:
    limit = _integer(request, "limit")
    if limit is None:
        return usual
    if not 0 < limit <= largest:
        raise _invalid("limit")
    return limit


async def _unknown(request: web.Request) -> web.StreamResponse:
    raise VenueError(404, -5000, f"Path {request.path}, Method {request.method} is invalid")


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors in the venue's form."""
    try:
        return await handler(request)
    except VenueError as error:
        body = orjson.dumps({"code": error.code, "msg": str(error)})
        return web.Response(status=error.status, body=body, content_type="application/json", headers=error.headers)
