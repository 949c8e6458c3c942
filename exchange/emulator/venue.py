"""The venue behind its doors: accounts and trading desk, keys, limits, private streams, faults, joined to a market.

``server`` gives it sockets and time; everything here works without any, so that a run in memory can use it too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec
import orjson
from picows import WSUpgradeRequest

from exchange.emulator.calls import Calls
from exchange.emulator.door import Door
from exchange.emulator.faults import Fault, Faults
from exchange.emulator.hands import Hands
from exchange.emulator.http import HttpConnection, Reply, Request, Respond
from exchange.emulator.keys import HMAC, ApiKey, KeyRing, rehearsal_key
from exchange.emulator.limits import OrderCounts, Quota, Weights
from exchange.emulator.listen_keys import LIFETIME_MS, ListenKeys
from exchange.emulator.market import Frame, Market
from exchange.emulator.market_data import MarketData
from exchange.emulator.rest import Rest
from exchange.emulator.sockets import Connection, Limits, accept, refused
from exchange.emulator.stream_faults import StreamFaults
from exchange.emulator.streams import Hub
from exchange.emulator.trading.desk import TradingDesk
from exchange.emulator.user_streams import UserStreams
from exchange.emulator.ws_api import ApiConnection, ApiServer, is_api_path
from models.instrument import E8

MakeDesk = Callable[..., Any]
"""``trading.desk.TradingDesk`` or something with its interface"""


class AccountPlan(msgspec.Struct, frozen=True):
    """An account to open. Without ``key`` and ``secret`` both are drawn from the venue's seed; ``secret`` is the public
    key (PEM) when ``kind`` is RSA or ED25519. ``options`` go to ``TradingDesk.open_account``.
    """

    name: str = "main"
    usdt_e8: int = 70 * E8
    key: str = ""
    secret: str = ""
    kind: str = HMAC
    options: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"AccountPlan(name={self.name!r}, usdt_e8={self.usdt_e8})"


class VenueTerms(msgspec.Struct, frozen=True):
    """How a venue is set up. ``orderly``: user events leave at once in the order they happened, for runs that are about
    something else than their order. ``audit`` gets one record for everything that happens to an account.
    """

    accounts: Sequence[AccountPlan] = ()
    seed: int = 0
    faults: Sequence[Fault] = ()
    quota: Quota = Quota()
    orderly: bool = False
    listen_key_ms: int = LIFETIME_MS
    audit: Callable[[dict[str, object]], None] | None = None
    make_desk: MakeDesk | None = TradingDesk


class VenueClock:
    """The venue's clock as its doors show it: the market's time, off by a skew and a drift when a fault says so."""

    def __init__(self, base_ms: Callable[[], int]) -> None:
        self._base_ms = base_ms
        self._skew_ms, self._ppm, self._from_ms = 0, 0.0, 0

    def now_ms(self) -> int:
        base_ms = self._base_ms()
        if self._ppm:
            return base_ms + self._skew_ms + int((base_ms - self._from_ms) * self._ppm / 1e6)
        return base_ms + self._skew_ms

    def skew(self, ms: int, ppm: float = 0.0) -> None:
        """From now on ``ms`` off and ``ppm`` millionths fast."""
        self._skew_ms, self._ppm, self._from_ms = ms, ppm, self._base_ms()


class Venue:
    """Everything of the exchange but its market, its time and its sockets."""

    def __init__(self, market: Market, now_ms: Callable[[], int], terms: VenueTerms) -> None:
        self.market, self.terms = market, terms
        self.clock = VenueClock(now_ms)
        self._base_ms, self._started_ms = now_ms, now_ms()
        self.faults = Faults(terms.seed, self.now_s, terms.faults)
        self.stream_faults = StreamFaults(self.faults, lambda: asyncio.get_running_loop().time())
        now = self.clock.now_ms
        self.keys = KeyRing()
        self.listen_keys = ListenKeys(now, terms.seed, terms.listen_key_ms)
        self.streams = UserStreams(self.listen_keys, now, terms.seed, self.stream_faults.deliver)
        self.streams.orderly = terms.orderly
        self.hub = Hub(market, self.streams, self.stream_faults)
        self.weights, self.counts = Weights(now, terms.quota), OrderCounts(now, terms.quota)
        self.desk = self._desk()
        self.accounts: dict[str, Any] = {} if self.desk is None else self.desk.accounts
        self.rest = Rest(market, now, lambda: getattr(self.desk, "instruments", market.instruments))
        self.market_data = MarketData(self.rest)
        handlers = {} if self.desk is None else self.desk.handlers
        self.calls = Calls(now, handlers, self.listen_keys, self.streams, self.counts, self.faults)
        public = self.rest.answers | self.market_data.answers
        self.door = Door(now, public, self.calls, self.keys, self.accounts, self.weights, self.counts)
        self.api = ApiServer(
            now,
            public,
            self.calls,
            self.keys,
            self.accounts,
            Weights(now, terms.quota),
            self.counts,
            self.faults.cut,
        )
        self.http_connections: set[HttpConnection] = set()
        self.hands = Hands(self)
        self.faults.act = self.hands.pull
        self._marks: dict[str, dict[str, Any]] = {}
        self.wake: Callable[[], None] = lambda: None

    def _desk(self) -> Any:
        """The trading desk with its accounts open; None for a market alone."""
        terms = self.terms
        if not terms.accounts or terms.make_desk is None:
            return None
        desk = terms.make_desk(self.market, self.clock.now_ms, self._told, seed=terms.seed, audit=terms.audit)
        for plan in terms.accounts:
            desk.open_account(plan.name, plan.usdt_e8, **plan.options)
            drawn = rehearsal_key(terms.seed, plan.name)
            self.keys.add(ApiKey(plan.key or drawn.key, plan.secret or drawn.secret, plan.name, plan.kind))
        return desk

    def _told(self, account: Any, event: dict[str, object]) -> None:
        """An event of an account. An order wakes the market as a reader does: whoever trades without streams must not
        trade in one that stands still.
        """
        if event["e"] == "ORDER_TRADE_UPDATE":
            self.wake()
        self.streams.emit(account, event)

    def revoked(self, account: str) -> None:
        """The keys of an account have lost their rights: sessions of the WebSocket API are told."""
        for connection in list(self.connections()):
            if isinstance(connection, ApiConnection) and connection.account == account:
                connection.revoke()

    def key(self, account: str = "main") -> ApiKey:
        """The key of an account, for whoever starts the exchange and its client together."""
        return next(one for one in self.keys.keys.values() if one.account == account)

    def start(self) -> None:
        """The venue's time begins: faults count their seconds from here."""
        self._started_ms = self._base_ms()

    def now_s(self) -> float:
        """Venue seconds since the start."""
        return (self._base_ms() - self._started_ms) / 1000

    # -- what happens ------------------------------------------------------------------------------------------------

    def market_event(self, frame: Frame) -> None:
        """A market frame that has just been published."""
        if "@markPrice" in frame[1]:
            self._note_mark(frame)
        if self.desk is not None:
            self.desk.market_event(frame)
            if self.streams.waiting:
                self.streams.release()

    def _note_mark(self, frame: Frame) -> None:
        """Keep the last mark before a settlement for the history of funding rates."""
        event = orjson.loads(frame[2])
        before = self._marks.get(frame[1])
        if before is not None and event.get("E", 0) >= before["T"] > 0:
            self.market_data.settle(before["s"], before["T"], before["r"], before["p"])
        self._marks[frame[1]] = event

    def tick(self) -> None:
        """What time does by itself; called every few milliseconds."""
        self.faults.tick()
        self.stream_faults.tick(self._lines)
        if self.desk is not None:
            self.desk.timer()
        self.streams.tend()
        if self.streams.waiting:
            self.streams.release()

    def _lines(self) -> Iterator[tuple[str, Any]]:
        for connection in [*self.connections(), *self.http_connections]:
            yield connection.door, connection

    connections: Callable[[], Iterable[Any]] = staticmethod(tuple)
    """The open WebSockets; the server that has them says so."""

    # -- doors -------------------------------------------------------------------------------------------------------

    def http(self) -> HttpConnection:
        """A new HTTP connection."""
        return HttpConnection(
            self.door.answer,
            self.http_connections,
            self.faults.cut,
            lambda: self.stream_faults.refusal("http") is not None,
        )

    def request(self, request: Request, respond: Respond) -> None:
        """One request without HTTP around it."""
        self.door.answer(request, respond)

    def accept(
        self, request: WSUpgradeRequest, limits: Limits, connections: set[Connection], wake: Callable[[], None]
    ) -> Any:
        """The listener of a new WebSocket: the API's, or a stream's."""
        path = request.path.decode("ascii", "replace")
        if not is_api_path(path):
            return accept(request, self.hub, limits, connections, wake)
        refusal = self.stream_faults.refusal("ws-api")
        if refusal is not None:
            return refused(refusal)
        return self.api.connection(path.partition("?")[2], self.hub, limits, connections, wake)


__all__ = ["AccountPlan", "Reply", "Request", "Venue", "VenueClock", "VenueTerms"]
