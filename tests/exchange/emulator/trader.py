"""A client with an account: it signs its calls (HMAC over the raw bytes) and hears its private stream."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

from exchange.emulator.generator import Generator
from exchange.emulator.keys import ApiKey
from exchange.emulator.venue import AccountPlan, VenueTerms
from tests.exchange.emulator.client import START_NS, Answer, Socket, Talk, running
from tests.exchange.emulator.desk import StubDesk

MAIN = (AccountPlan(),)


class Trader:
    """``talk`` with an account's key."""

    def __init__(self, talk: Talk, account: str = "main") -> None:
        self.talk, self.venue = talk, talk.exchange.venue
        self.key: ApiKey = self.venue.key(account)

    @property
    def desk(self) -> Any:
        return self.venue.desk

    def signature(self, payload: str) -> str:
        return hmac.new(self.key.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()

    def signed(self, **parameters: Any) -> str:
        """A query string with timestamp and signature."""
        parameters.setdefault("timestamp", self.venue.clock.now_ms())
        text = urlencode(parameters)
        return f"{text}&signature={self.signature(text)}"

    async def raw(
        self, call: str, query: str = "", body: str | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """One call with the bytes given."""
        method, _, path = call.partition(" ")
        given = {"X-MBX-APIKEY": self.key.key} | (headers or {})
        if body is not None:
            given.setdefault("Content-Type", "application/x-www-form-urlencoded")
        return await self.talk.send(method, path + (f"?{query}" if query else ""), body, given)

    async def call(self, call: str, **parameters: Any) -> Answer:
        """One signed call, everything in the query."""
        return await self.raw(call, self.signed(**parameters))

    async def order(self, **parameters: Any) -> Answer:
        usual = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001"}
        return await self.call("POST /fapi/v1/order", **usual | parameters)

    async def listen_key(self) -> str:
        return str((await self.raw("POST /fapi/v1/listenKey")).body["listenKey"])

    @contextlib.asynccontextmanager
    async def private(self, path: str = "/private/ws?listenKey={key}") -> AsyncIterator[Socket]:
        """A socket on the account's stream."""
        async with self.talk.socket(path.format(key=await self.listen_key())) as socket:
            yield socket


Trading = Callable[[Trader], Awaitable[Any]]


def trading(doing: Trading, *, desk: Any = StubDesk, speed: float | None = 1.0, seed: int = 7, **terms: Any) -> Any:
    """Run ``doing`` as a client with an account of a fresh exchange; ``terms`` are those of ``VenueTerms``."""
    options = {"accounts": MAIN, "make_desk": desk, "orderly": True} | terms

    async def run(talk: Talk) -> Any:
        return await doing(Trader(talk))

    return running(run, Generator(seed, START_NS), speed=speed, terms=VenueTerms(**options))


def event(kind: str, **fields: Any) -> dict[str, Any]:
    """A private event of no importance."""
    return {"e": kind, "E": 1, **fields}
