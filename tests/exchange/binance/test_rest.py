"""The public REST reader, over real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from exchange.binance.rest import MarketRest, RestLimits, VenueAnswerError, premium_of
from exchange.binance.weights import SnapshotBudget, WeightLedger
from models.error import ConfigurationError, VenueUnreachableError
from tests.fakes.venue_rest import Answer, FakeRest, told

QUICK = RestLimits(connect_s=2.0, total_s=2.0, backoff_base_s=0.001)
DEPTH = b'{"lastUpdateId":7,"E":1,"T":1,"bids":[["1","1"]],"asks":[["2","1"]]}'
HTML = b"<html><body>maintenance</body></html>"


def asked(doing: Callable[[MarketRest, FakeRest], Awaitable[Any]], **kwargs: Any) -> Any:
    """Run ``doing`` against a fresh server."""

    async def run() -> Any:
        kwargs.setdefault("limits", QUICK)
        async with FakeRest() as venue, MarketRest(venue.url, time.monotonic_ns, **kwargs) as rest:
            return await doing(rest, venue)

    return asyncio.run(run())


def refused(answer: Answer, calls: int = 1) -> tuple[VenueAnswerError, FakeRest]:
    """The error of a ping when the server always gives ``answer``."""

    async def run(rest: MarketRest, venue: FakeRest) -> tuple[VenueAnswerError, FakeRest]:
        venue.standing["ping"] = answer
        with pytest.raises(VenueAnswerError) as caught:
            for _ in range(calls):
                await rest.ping()
        return caught.value, venue

    result: tuple[VenueAnswerError, FakeRest] = asked(run)
    return result


def test_a_body_comes_back_as_the_bytes_received() -> None:
    """A snapshot's bytes reach the caller unchanged."""

    async def run(rest: MarketRest, venue: FakeRest) -> bytes:
        venue.standing["depth"] = Answer(body=DEPTH)
        return await rest.depth("BTCUSDT")

    assert asked(run) == DEPTH


@pytest.mark.parametrize(
    ("call", "endpoint", "query", "body"),
    [
        (lambda rest: rest.depth("BTCUSDT", 5), "depth", {"symbol": ["BTCUSDT"], "limit": ["5"]}, DEPTH),
        (lambda rest: rest.exchange_info(), "exchangeInfo", {}, b'{"symbols":[]}'),
        (
            lambda rest: rest.agg_trades("BTCUSDT", start_ms=1, end_ms=2),
            "aggTrades",
            {"symbol": ["BTCUSDT"], "startTime": ["1"], "endTime": ["2"], "limit": ["1000"]},
            b"[]",
        ),
        (
            lambda rest: rest.agg_trades("BTCUSDT", from_id=9, limit=3),
            "aggTrades",
            {"symbol": ["BTCUSDT"], "fromId": ["9"], "limit": ["3"]},
            b"[]",
        ),
        (
            lambda rest: rest.klines("BTCUSDT", "5m", limit=40),
            "klines",
            {"symbol": ["BTCUSDT"], "interval": ["5m"], "limit": ["40"]},
            b"[]",
        ),
        (lambda rest: rest.premium_index("BTCUSDT"), "premiumIndex", {"symbol": ["BTCUSDT"]}, b'{"markPrice":"1"}'),
    ],
)  # fmt: skip
def test_each_endpoint_sends_its_parameters(call: Any, endpoint: str, query: dict[str, list[str]], body: bytes) -> None:
    """Every endpoint is asked with exactly the parameters given."""

    async def run(rest: MarketRest, venue: FakeRest) -> Any:
        venue.standing[endpoint] = Answer(body=body)
        await call(rest)
        return venue.requests[-1]

    request = asked(run)
    assert (request.endpoint, request.query) == (endpoint, query)


def test_symbols_beyond_ascii_are_percent_encoded() -> None:
    """A Korean or Chinese symbol travels as percent-encoded UTF-8."""

    async def run(rest: MarketRest, venue: FakeRest) -> str:
        venue.standing["depth"] = Answer(body=DEPTH)
        await rest.depth("币安USDT")
        return venue.requests[-1].target

    assert "symbol=%E5%B8%81%E5%AE%89USDT" in asked(run)


@pytest.mark.parametrize("body", [HTML, b"", b'{"lastUpdateId":7,"bids":[[', b"[]", b'{"code":0}'])
def test_a_broken_200_is_asked_again_and_then_blamed_on_the_venue(body: bytes) -> None:
    """HTML, an empty body, truncated or differently shaped JSON with status 200 never count as an answer."""

    async def run(rest: MarketRest, venue: FakeRest) -> tuple[str, int]:
        venue.standing["depth"] = Answer(body=body)
        with pytest.raises(VenueAnswerError) as caught:
            await rest.depth("BTCUSDT")
        return caught.value.blame, len(venue.requests)

    assert asked(run) == ("venue", QUICK.tries)


@pytest.mark.parametrize("broken", [Answer(drop=True), Answer(body=DEPTH, cut=20), Answer(503, HTML), Answer(408)])
def test_a_read_survives_a_fault_that_passes(broken: Answer) -> None:
    """A dropped or cut answer and a 5xx are retried, and the good answer that follows counts."""

    async def run(rest: MarketRest, venue: FakeRest) -> bytes:
        venue.standing["depth"] = Answer(body=DEPTH)
        venue.script += [broken, broken]
        return await rest.depth("BTCUSDT")

    assert asked(run) == DEPTH


def test_no_answer_at_all_is_a_network_error_naming_the_host() -> None:
    """When nobody listens the sentence names the host and the attempts."""

    async def run() -> None:
        async with FakeRest() as venue:
            url = venue.url
        async with MarketRest(url, time.monotonic_ns, limits=QUICK) as rest:
            with pytest.raises(VenueUnreachableError, match=r"127\.0\.0\.1:\d+ did not answer ping in 4 attempts"):
                await rest.ping()

    asyncio.run(run())


def test_a_slow_answer_ends_at_the_deadline() -> None:
    """An answer that does not come within the total deadline is given up."""

    async def run(rest: MarketRest, venue: FakeRest) -> None:
        venue.standing["ping"] = Answer(delay_s=60)
        with pytest.raises(VenueUnreachableError, match="2 attempts"):
            await rest.ping()

    asked(run, limits=RestLimits(total_s=0.05, tries=2, backoff_base_s=0.001))


@pytest.mark.parametrize(("status", "blame"), [(400, "us"), (404, "us"), (403, "access"), (451, "access")])
def test_a_refusal_that_cannot_improve_is_not_repeated(status: int, blame: str) -> None:
    """Requests that are wrong, or whose address is refused, are sent once, and the error says who is to change."""
    error, venue = refused(Answer(status, told(-1121, "Invalid symbol.")))
    assert (error.blame, error.venue_code, len(venue.requests)) == (blame, -1121, 1)


@pytest.mark.parametrize(
    ("answer", "seconds", "status"),
    [
        (Answer(429, told(-1003, "Too many"), (("Retry-After", "17"),)), 17.0, 429),
        (Answer(429, told(-1003, "Too many")), 60.0, 429),
        (Answer(418, b"", (("Retry-After", "300"),)), 300.0, 418),
        (Answer(418, HTML), 120.0, 418),
    ],
)
def test_after_a_limit_answer_nothing_is_sent(answer: Answer, seconds: float, status: int) -> None:
    """429 and 418 stop every further call for as long as the venue says, without a request leaving."""

    async def run(rest: MarketRest, venue: FakeRest) -> None:
        venue.standing["ping"] = answer
        with pytest.raises(VenueAnswerError) as first:
            await rest.ping()
        assert (first.value.blame, first.value.retry_after_s, first.value.status) == ("limit", seconds, status)
        for _ in range(5):
            with pytest.raises(VenueAnswerError) as later:
                await rest.ping()
            assert later.value.status == status
        assert len(venue.requests) == 1

    asked(run, monotonic_s=lambda: 1000.0)


def test_a_bans_own_end_is_honoured() -> None:
    """A 418 without Retry-After is waited for until the time in its text."""

    async def run(rest: MarketRest, venue: FakeRest) -> float:
        venue.standing["ping"] = Answer(418, told(-1003, "banned until 1700000090000. Please use the websocket"))
        with pytest.raises(VenueAnswerError) as caught:
            await rest.ping()
        return caught.value.retry_after_s

    async def with_clock() -> float:
        async with FakeRest() as venue, MarketRest(venue.url, lambda: 1_700_000_000_000_000_000, limits=QUICK) as rest:
            return await run(rest, venue)

    assert asyncio.run(with_clock()) == 90.0


def test_the_weight_header_feeds_the_ledger() -> None:
    """What the venue says is used counts, others on the same address included."""

    async def run(rest: MarketRest, venue: FakeRest) -> int:
        venue.standing["ping"] = Answer(headers=(("X-MBX-USED-WEIGHT-1M", "777"),))
        await rest.ping()
        return rest.stats().weight_used

    assert asked(run) == 777


def test_beyond_half_of_the_weight_calls_wait() -> None:
    """A heavy call that would go above half of the limit does not leave; one of weight 1, which a start needs, does, up
    to 95 %.
    """

    async def run(rest: MarketRest, venue: FakeRest) -> int:
        venue.standing["ping"] = Answer(headers=(("X-MBX-USED-WEIGHT-1M", "1200"),))
        await rest.ping()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(rest.agg_trades("BTCUSDT"), 0.05)
        venue.standing["ping"] = Answer(headers=(("X-MBX-USED-WEIGHT-1M", "2280"),))
        await rest.ping()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(rest.ping(), 0.05)
        return len(venue.requests)

    assert asked(run) == 2


def test_snapshots_of_one_symbol_are_limited() -> None:
    """The snapshot beyond the budget of a minute waits; another symbol's does not."""

    async def run(rest: MarketRest, venue: FakeRest) -> int:
        venue.standing["depth"] = Answer(body=DEPTH)
        for _ in range(2):
            await rest.depth("BTCUSDT")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(rest.depth("BTCUSDT"), 0.05)
        await rest.depth("ETHUSDT")
        return len(venue.requests)

    assert asked(run, snapshots=SnapshotBudget(2), ledger=WeightLedger()) == 3


def test_an_unknown_depth_limit_is_refused_before_sending() -> None:
    """A limit the venue does not have is our fault and is told at once."""

    async def run(rest: MarketRest, venue: FakeRest) -> int:
        with pytest.raises(VenueAnswerError, match="it is one of 5, 10, 20, 50, 100, 500, 1000"):
            await rest.depth("BTCUSDT", 7)
        return len(venue.requests)

    assert asked(run) == 0


def test_the_clock_offset_bound_holds_the_truth() -> None:
    """Whatever the trip times were, the true offset lies within the stated uncertainty."""
    ahead_ns = 123_456_789

    async def run(rest: MarketRest, venue: FakeRest) -> tuple[int, int]:
        venue.venue_ms = lambda: (time.monotonic_ns() + ahead_ns) // 1_000_000
        offset = await rest.clock_offset(7)
        return offset.offset_ns, offset.uncertainty_ns

    offset_ns, uncertainty_ns = asked(run)
    assert abs(offset_ns - ahead_ns) <= uncertainty_ns


def test_a_stepped_venue_clock_still_gives_an_offset() -> None:
    """Probes that contradict each other leave one probe's own bound, never a negative uncertainty."""
    steps = iter([0, 5_000, 10_000])

    async def run(rest: MarketRest, venue: FakeRest) -> int:
        venue.venue_ms = lambda: time.monotonic_ns() // 1_000_000 + next(steps)
        return (await rest.clock_offset(3)).uncertainty_ns

    assert asked(run) > 0


def test_requests_are_counted_by_endpoint_and_class() -> None:
    """The counters keep endpoint and status class apart."""

    async def run(rest: MarketRest, venue: FakeRest) -> Any:
        # aiohttp itself sends an idempotent request once more on a dropped connection: two drops are one failure
        venue.script += [Answer(drop=True), Answer(drop=True), Answer(500)]
        await rest.ping()
        return rest.stats()

    stats = asked(run)
    assert stats.requests == {("ping", "5xx"): 1, ("ping", "timeout"): 1, ("ping", "2xx"): 1}
    assert stats.retries == 2


def test_an_oversized_body_is_refused() -> None:
    """A body above the bound is not read to its end."""

    async def run(rest: MarketRest, venue: FakeRest) -> None:
        venue.standing["ping"] = Answer(body=b" " * 5000)
        with pytest.raises(VenueAnswerError, match="more than 1000 bytes"):
            await rest.ping()

    asked(run, limits=RestLimits(body_bytes_max=1000))


def test_a_wrong_address_is_refused() -> None:
    """An address that is no http(s) URL is a configuration mistake."""
    with pytest.raises(ConfigurationError, match="must look like https"):
        MarketRest("fapi.binance.com", time.monotonic_ns)


def test_a_premium_body_becomes_integers(wire: Any) -> None:
    """The golden premiumIndex body reads as integers at 1e-8."""
    premium = premium_of((wire / "rest-premiumIndex-BTCUSDT.json").read_bytes())
    assert (premium.mark_e8, premium.index_e8, premium.rate_e8) == (7_691_695_122_464, 7_695_967_847_826, 8_972)


def test_a_premium_body_without_its_fields_blames_the_venue() -> None:
    """A premium body that lacks a field is told as the venue's fault."""
    with pytest.raises(VenueAnswerError, match="premiumIndex cannot be used"):
        premium_of(b'{"symbol":"BTCUSDT"}')
