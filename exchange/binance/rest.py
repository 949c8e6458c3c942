"""The venue's public REST interface: read-only market data, no key, no signature.

Source: venue reference §4.1, §4.2, §6, §7. Bodies come back as the bytes received (they are recorded as such), after
a check that they are whole JSON of the expected shape. Every call has a deadline; reads are retried a bounded number
of times; weight, blocks and the snapshot budget are kept before anything is sent (faults F12, F22, F33).
"""

from __future__ import annotations

import asyncio
import random as dice
import ssl
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
import msgspec
import orjson
from yarl import URL

from exchange.binance.refusals import VenueAnswerError, refusal, said
from exchange.binance.server_time import bounds_of, offset_within
from exchange.binance.weights import ESSENTIAL_SHARE, NORMAL_SHARE, WINDOW_S, SnapshotBudget, WeightLedger
from models.error import ConfigurationError, ScalperError, VenueUnreachableError
from models.event import ClockOffset
from models.instrument import to_e8

HOSTS: Mapping[str, str] = {
    "production": "https://fapi.binance.com",
    "testnet": "https://demo-fapi.binance.com",
    "testnet-old": "https://testnet.binancefuture.com",
}
DEPTH_WEIGHTS = {5: 2, 10: 2, 20: 2, 50: 2, 100: 5, 500: 10, 1000: 20}
KLINES_MAX, TRADES_MAX = 1500, 1000
MS = 1_000_000


class RestLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of the REST reader, seconds unless named otherwise."""

    connect_s: float = 5.0
    """TCP and TLS; two SYN retransmissions fit."""
    total_s: float = 10.0
    """One attempt as a whole; exchangeInfo (1.1 MB) takes below 2 s on a slow line."""
    tries: int = 4
    """Attempts of one read; with the waits below a read ends within 42 s."""
    backoff_base_s: float = 0.2
    """First wait at most 0.2 s, then 0.4 and 0.8 (reference §7), uniform from zero (full jitter)."""
    body_bytes_max: int = 16 << 20
    """The recording's bound; the largest body is exchangeInfo with 1.1 MB."""
    connections_max: int = 4
    """Snapshots of several symbols at once; more would only queue at the venue."""


class Premium(msgspec.Struct, frozen=True):
    """Mark and index price, funding rate (all 1e-8) and the next funding time; ``at_ms`` is the venue's time."""

    symbol: str
    mark_e8: int
    index_e8: int
    rate_e8: int
    next_ms: int
    at_ms: int


class RestStats(msgspec.Struct, frozen=True):
    """What was asked so far. ``requests`` counts by (endpoint, ``2xx`` … ``timeout``)."""

    requests: dict[tuple[str, str], int]
    retries: int
    weight_used: int
    blocked_s: float
    banned: bool


class MarketRest:
    """Public market data of one venue host.

    ``base_url`` as in ``HOSTS`` or ``http://127.0.0.1:PORT``. ``now_ns`` is the run's receive clock (for the clock
    offset); ``monotonic_s`` and ``random`` are injected for tests. Every call raises VenueAnswerError or
    VenueUnreachableError, nothing else. Use as an async context manager, or call ``close``.
    """

    def __init__(
        self,
        base_url: str,
        now_ns: Callable[[], int],
        *,
        limits: RestLimits | None = None,
        ledger: WeightLedger | None = None,
        snapshots: SnapshotBudget | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = dice.random,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ConfigurationError(f"the REST address {base_url!r} must look like https://fapi.binance.com")
        self.base_url = base_url.rstrip("/")
        self.ledger = ledger or WeightLedger()
        self.snapshots = snapshots or SnapshotBudget()
        self._now_ns = now_ns
        self._limits = limits or RestLimits()
        self._monotonic_s = monotonic_s
        self._random = random
        self._ssl_context = ssl_context
        self._session: aiohttp.ClientSession | None = None
        self._requests: dict[tuple[str, str], int] = {}
        self._retries = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; idempotent."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    # --- endpoints -------------------------------------------------------------------------------------------------

    async def ping(self) -> None:
        """Is the venue there?"""
        await self._get("ping", {}, 1, None)

    async def time_ms(self) -> int:
        """The venue's clock, ms. Its answer is truncated to the millisecond."""
        return int(orjson.loads(await self._get("time", {}, 1, "serverTime"))["serverTime"])

    async def clock_offset(self, probes: int = 5) -> ClockOffset:
        """Venue clock minus our receive clock, with a bound that holds whatever the two ways of the trip took."""
        bounds: list[tuple[int, int]] = []
        for _ in range(max(probes, 1)):
            sent_ns = self._now_ns()
            bounds.append(bounds_of(sent_ns, await self.time_ms(), self._now_ns()))
        return ClockOffset(self._now_ns(), *offset_within(bounds))

    async def exchange_info(self) -> bytes:
        """All symbols and their filters (the venue ignores a symbol parameter); see ``instruments_of``."""
        return await self._get("exchangeInfo", {}, 1, "symbols")

    async def depth(self, symbol: str, limit: int = 1000) -> bytes:
        """A book snapshot. Waits for the snapshot budget of the symbol (below a minute)."""
        if limit not in DEPTH_WEIGHTS:
            known = ", ".join(map(str, DEPTH_WEIGHTS))
            raise VenueAnswerError(f"depth limit {limit} does not exist at the venue; it is one of {known}", blame="us")
        while (wait_s := self.snapshots.wait_s(symbol, self._monotonic_s())) > 0:
            await asyncio.sleep(wait_s)
        self.snapshots.take(symbol, self._monotonic_s())
        return await self._get("depth", {"symbol": symbol, "limit": limit}, DEPTH_WEIGHTS[limit], "lastUpdateId")

    async def agg_trades(
        self,
        symbol: str,
        *,
        start_ms: int | None = None,
        end_ms: int | None = None,
        from_id: int | None = None,
        limit: int = TRADES_MAX,
    ) -> bytes:
        """Aggregate trades, ascending; by id or by time (below one hour apart), else the newest ``limit``."""
        asked = {"symbol": symbol, "fromId": from_id, "startTime": start_ms, "endTime": end_ms, "limit": limit}
        return await self._get("aggTrades", asked, 20, [])

    async def klines(
        self,
        symbol: str,
        interval: str = "1m",
        *,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 500,
    ) -> bytes:
        """Bars, ascending; the last one is unfinished."""
        asked = {"symbol": symbol, "interval": interval, "startTime": start_ms, "endTime": end_ms, "limit": limit}
        weight = 1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1000 else 10
        return await self._get("klines", asked, weight, [])

    async def premium_index(self, symbol: str) -> bytes:
        """Mark price, index price and funding of one symbol; see ``premium_of``."""
        return await self._get("premiumIndex", {"symbol": symbol}, 1, "markPrice")

    def stats(self) -> RestStats:
        now_s = self._monotonic_s()
        blocked_s = self.ledger.blocked_s(now_s)
        return RestStats(dict(self._requests), self._retries, self.ledger.used(now_s), blocked_s, self.ledger.banned)

    # --- one read --------------------------------------------------------------------------------------------------

    async def _get(self, endpoint: str, asked: Mapping[str, Any], weight: int, shape: str | list[Any] | None) -> bytes:
        """A read with retries. ``shape``: the key the object must have, ``[]`` for an array, None for any object."""
        query = urlencode([(name, value) for name, value in asked.items() if value is not None], quote_via=quote)
        url = URL(f"{self.base_url}/fapi/v1/{endpoint}{'?' if query else ''}{query}", encoded=True)
        for attempt in range(1, self._limits.tries + 1):
            await self._allowed(weight)
            try:
                return await self._once(endpoint, url, weight, shape)
            except VenueAnswerError as error:
                if error.blame != "venue" or attempt == self._limits.tries:
                    raise
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                if attempt == self._limits.tries:
                    raise VenueUnreachableError(
                        f"{urlsplit(self.base_url).netloc} did not answer {endpoint} in {attempt} attempts "
                        f"({type(error).__name__}: {error}); check the network or try again later"
                    ) from error
            self._retries += 1
            await asyncio.sleep(self._random() * self._limits.backoff_base_s * 2 ** (attempt - 1))
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _allowed(self, weight: int) -> None:
        """Wait for the weight budget (below a minute); a block by the venue is refused at once, nothing is sent."""
        while True:
            now_s = self._monotonic_s()
            blocked_s = self.ledger.blocked_s(now_s)
            if blocked_s > 0:
                what = "banned this address" if self.ledger.banned else "refused further requests"
                raise VenueAnswerError(
                    f"the venue {what}; nothing is asked for another {blocked_s:.0f} s",
                    blame="limit", status=418 if self.ledger.banned else 429, retry_after_s=blocked_s,
                )  # fmt: skip
            # The clock, the rules and a mark weigh 1 and are what a start needs before it can protect a position; what
            # fills windows and books weighs 20, and leaves them room.
            share = NORMAL_SHARE if weight > 1 else ESSENTIAL_SHARE
            wait_s = self.ledger.wait_s(weight, now_s, share)
            if wait_s <= 0:
                self.ledger.spend(weight, now_s)
                return
            await asyncio.sleep(min(wait_s, WINDOW_S))

    async def _once(self, endpoint: str, url: URL, weight: int, shape: str | list[Any] | None) -> bytes:
        label = "timeout"
        try:
            async with self._open_session().get(url, allow_redirects=False) as answer:
                label = f"{answer.status // 100}xx"
                self._heed(answer)
                body = await self._body(endpoint, answer)
        finally:
            key = (endpoint, label)
            self._requests[key] = self._requests.get(key, 0) + 1
        if answer.status != 200:
            raise self._refusal(endpoint, answer, body)
        return _whole(endpoint, body, shape)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            limits = self._limits
            connector = aiohttp.TCPConnector(
                limit=limits.connections_max, ssl=self._ssl_context if self._ssl_context is not None else True
            )
            timeout = aiohttp.ClientTimeout(total=limits.total_s, connect=limits.connect_s)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        return self._session

    async def _body(self, endpoint: str, answer: aiohttp.ClientResponse) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in answer.content.iter_any():
            size += len(part)
            if size > self._limits.body_bytes_max:
                raise VenueAnswerError(
                    f"{endpoint} answered with more than {self._limits.body_bytes_max} bytes", blame="us"
                )
            parts.append(part)
        return b"".join(parts)

    def _heed(self, answer: aiohttp.ClientResponse) -> None:
        used = answer.headers.get("X-MBX-USED-WEIGHT-1M", "")
        if used.isascii() and used.isdigit():
            self.ledger.told(int(used), self._monotonic_s())

    def _refusal(self, endpoint: str, answer: aiohttp.ClientResponse, body: bytes) -> VenueAnswerError:
        """What an answer other than 200 means; a limit told in it is kept from now on."""
        error = refusal(endpoint, answer.status, answer.headers.get("Retry-After", ""), body, self._now_ns() // MS)
        if error.blame == "limit":
            self.ledger.block(error.retry_after_s, self._monotonic_s(), banned=answer.status == 418)
        return error


def _whole(endpoint: str, body: bytes, shape: str | list[Any] | None) -> bytes:
    """``body`` when it is whole JSON of the expected shape. Raises VenueAnswerError blaming the venue."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise VenueAnswerError(
            f"{endpoint} answered 200 with {said(body)[1]} of {len(body)} bytes ({error}); the venue is at fault",
            blame="venue", status=200,
        ) from None  # fmt: skip
    fits = isinstance(answer, list) if isinstance(shape, list) else isinstance(answer, dict)
    if fits and isinstance(shape, str):
        fits = shape in answer
    if not fits:
        wanted = "an array" if isinstance(shape, list) else f"an object with {shape}" if shape else "an object"
        raise VenueAnswerError(
            f"{endpoint} answered 200 with JSON that is not {wanted}: {body[:80]!r}", blame="venue", status=200
        )
    return body


class _PremiumBody(msgspec.Struct):
    symbol: str
    markPrice: str
    indexPrice: str
    lastFundingRate: str
    nextFundingTime: int
    time: int


def premium_of(body: bytes) -> Premium:
    """A premiumIndex body of one symbol as integers. Raises VenueAnswerError when a field is missing or no number."""
    try:
        read = msgspec.json.decode(body, type=_PremiumBody)
        mark_e8, index_e8, rate_e8 = (
            to_e8(text or "0") for text in (read.markPrice, read.indexPrice, read.lastFundingRate)
        )
    except (msgspec.DecodeError, ScalperError) as error:
        raise VenueAnswerError(f"premiumIndex cannot be used: {error}", blame="venue", status=200) from None
    return Premium(read.symbol, mark_e8, index_e8, rate_e8, read.nextFundingTime, read.time)
