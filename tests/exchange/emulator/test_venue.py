"""The venue as a whole: accounts and keys, private sockets in every form, time, and a run without sockets."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from exchange.emulator.faults import Fault
from exchange.emulator.generator import Generator
from exchange.emulator.http import Reply, Request
from exchange.emulator.server import Emulator
from exchange.emulator.trading.desk import TradingDesk
from exchange.emulator.venue import AccountPlan, Venue, VenueClock, VenueTerms
from models.instrument import E8
from tests.exchange.emulator.client import START_NS, Talk, running
from tests.exchange.emulator.desk import StubDesk
from tests.exchange.emulator.trader import Trader, event, trading

TWO = (AccountPlan(), AccountPlan("other", 5 * E8))


@pytest.mark.parametrize(
    "path",
    [
        "/private/ws?listenKey={key}",
        "/private/ws?listenKey={key}&events=TRADE_LITE/ORDER_TRADE_UPDATE",
        "/private/ws/{key}",
        "/private/stream?listenKey={key}&events=TRADE_LITE",
        "/private/stream?listenKey=nobodys&events=A&listenKey={key}",
        "/private/stream?streams={key}",
    ],
)
def test_every_form_of_a_private_address_is_served(path: str) -> None:
    """Raw forms give the event, combined ones the listenKey around it."""

    async def doing(trader: Trader) -> None:
        trader.desk.say = [event("TRADE_LITE")]
        async with trader.private(path) as socket:
            await trader.order()
            said = await socket.event()
            if "/stream" in path:
                assert said["stream"] == await trader.listen_key()
                said = said["data"]
            assert said == event("TRADE_LITE")

    trading(doing)


def test_a_key_is_subscribed_on_an_open_connection() -> None:
    """The official connector's way: connect, SUBSCRIBE with the listenKey, later UNSUBSCRIBE."""

    async def doing(trader: Trader) -> None:
        trader.desk.say = [event("TRADE_LITE")]
        key = await trader.listen_key()
        async with trader.talk.socket("/private/stream") as socket:
            assert await socket.ask({"method": "SUBSCRIBE", "params": [key], "id": "a-b"}) == {
                "result": None,
                "id": "a-b",
            }
            await trader.order()
            assert (await socket.event()) == {"stream": key, "data": event("TRADE_LITE")}
            await socket.ask({"method": "UNSUBSCRIBE", "params": [key], "id": 2})
            await trader.order()
            await socket.ask({"method": "LIST_SUBSCRIPTIONS", "id": 3})
            assert not socket.events

    trading(doing)


def test_private_events_come_only_under_their_prefix() -> None:
    """The key on the public, market or bare address opens and stays silent; so does an unknown key."""

    async def doing(trader: Trader) -> None:
        trader.desk.say = [event("TRADE_LITE")]
        key = await trader.listen_key()
        for path in (f"/ws/{key}", f"/public/ws?listenKey={key}", f"/market/ws/{key}", "/private/ws?listenKey=unknown"):
            async with trader.talk.socket(path) as socket:
                await trader.order()
                await socket.ask({"method": "LIST_SUBSCRIPTIONS", "id": 1})
                assert not socket.events, path

    trading(doing)


def test_accounts_are_apart() -> None:
    """Two accounts have keys, streams and calls of their own."""

    async def doing(talk: Talk) -> None:
        main, other = Trader(talk), Trader(talk, "other")
        assert main.key.key != other.key.key
        main.desk.say = [event("TRADE_LITE")]
        async with main.private() as mine, other.private() as theirs:
            await other.order()
            assert (await theirs.event())["e"] == "TRADE_LITE"
            await mine.ask({"method": "LIST_SUBSCRIPTIONS", "id": 1})
            assert not mine.events
        assert [account for _, account, _ in main.desk.asked] == ["other"]

    running(doing, terms=VenueTerms(accounts=TWO, make_desk=StubDesk, orderly=True))


def test_a_venue_without_accounts_is_a_market() -> None:
    """Signed calls are refused for want of a key, public ones are answered, private sockets stay silent."""

    async def doing(talk: Talk) -> None:
        refused = await talk.send("GET", "/fapi/v3/account", None, {"X-MBX-APIKEY": "a" * 64})
        assert (refused.status, refused.body["code"]) == (401, -2015)
        assert (await talk.get("ping")).status == 200
        async with talk.socket("/private/ws/abc") as socket:
            await socket.ask({"method": "LIST_SUBSCRIPTIONS", "id": 1})

    running(doing)


def test_credentials_are_drawn_from_the_seed_or_given() -> None:
    """Without a key both halves follow from the seed; given ones are used as they are; neither is shown."""
    given = AccountPlan("given", key="g" * 64, secret="hush")
    made = [
        Venue(Generator(1, START_NS), lambda: 0, VenueTerms((AccountPlan(), given), seed, make_desk=StubDesk))
        for seed in (1, 1, 2)
    ]
    keys = [venue.key() for venue in made]
    assert (keys[0].key, keys[0].secret) == (keys[1].key, keys[1].secret) != (keys[2].key, keys[2].secret)
    assert (made[0].key("given").key, made[0].key("given").secret) == ("g" * 64, "hush")
    shown = f"{given!r}{made[0].terms!r}{keys!r}"
    assert not any(text in shown for text in ("hush", "g" * 64, keys[0].key, keys[0].secret))


def test_the_desk_gets_frames_time_and_terms() -> None:
    """Every published frame reaches the desk, its timer runs many times a second, its clock is the venue's."""

    async def doing(trader: Trader) -> None:
        desk = trader.desk
        async with trader.talk.socket("/public/ws/btcusdt@bookTicker"):
            await trader.talk.until(lambda: desk.frames > 100 and desk.timers > 20)
        assert desk.now_ms() - trader.venue.clock.now_ms() <= 0

    trading(doing, speed=10)


def test_events_of_market_and_time_are_released() -> None:
    """What a frame or the timer causes reaches the private stream without any call."""

    class Busy(StubDesk):
        def market_event(self, frame: Any) -> None:
            if self.frames == 0:
                self.emit(self.accounts["main"], event("ACCOUNT_UPDATE"))
            self.frames += 1

        def timer(self) -> None:
            if self.frames > 50 and not self.timers:
                self.timers = 1
                self.emit(self.accounts["main"], event("ORDER_TRADE_UPDATE"))

    async def doing(trader: Trader) -> list[str]:
        async with trader.private() as socket, trader.talk.socket("/public/ws/btcusdt@bookTicker"):
            trader.desk.frames = 0
            return [(await socket.event())["e"] for _ in range(2)]

    assert trading(doing, desk=Busy) == ["ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"]


def test_faults_of_the_terms_act_on_the_venues_clock() -> None:
    """At ten times the speed a fault of second five comes after half a second; the clock of faults begins with us."""

    async def doing(trader: Trader) -> float:
        await trader.talk.until(lambda: bool(trader.venue.faults.pulled))
        return float(trader.venue.faults.pulled[0][0])

    at_s = trading(doing, speed=50, faults=(Fault("ban", at_s=5.0),))
    assert 5.0 <= at_s < 60.0


def test_a_market_behind_its_clock_does_not_hurry_the_faults() -> None:
    """Seconds count from the start of the exchange, not from where the market stood."""

    async def doing(talk: Talk) -> bool:
        return talk.exchange.venue.now_s() < 100

    assert running(doing, anchor_ns=START_NS + 3_600 * 10**9, terms=VenueTerms()) is True


def test_clocks_can_be_off_and_drift() -> None:
    """A skew shifts, a drift grows from the moment it was set."""
    base = [1_000_000]
    clock = VenueClock(lambda: base[0])
    assert clock.now_ms() == 1_000_000
    clock.skew(-500, 100.0)
    base[0] += 1_000_000
    assert clock.now_ms() == 2_000_000 - 500 + 100
    clock.skew(0)
    assert clock.now_ms() == 2_000_000


def test_a_venue_works_without_sockets() -> None:
    """Requests can be given and events heard in memory, on any loop, with no server at all."""

    async def run() -> None:
        venue = Venue(
            Generator(1, START_NS), lambda: START_NS // 10**6, VenueTerms(TWO, make_desk=StubDesk, orderly=True)
        )
        heard: list[bytes] = []
        replies: list[Reply] = []

        class Ear:
            combined = False

            def deliver(self, payload: bytes) -> None:
                heard.append(payload)

        def ask(method: str, path: str) -> Any:
            headers = {"x-mbx-apikey": venue.key().key}
            venue.request(Request(method, path, b"", headers, b"", "memory"), replies.append)
            return json.loads(replies[-1].body)

        key = ask("POST", "/fapi/v1/listenKey")["listenKey"]
        venue.streams.join(Ear(), key)
        venue.streams.emit(venue.accounts["main"], event("TRADE_LITE"))
        venue.tick()
        assert [json.loads(payload)["e"] for payload in heard] == ["TRADE_LITE"]
        assert ask("GET", "/fapi/v1/time") == {"serverTime": START_NS // 10**6}

    asyncio.run(run())


def test_leaving_ends_http_connections_too() -> None:
    """When the exchange is left nobody keeps a connection to it."""

    async def run() -> tuple[bytes, int]:
        async with Emulator(Generator(7, START_NS)) as exchange:
            port = int(exchange.rest_url.rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /fapi/v1/ping HTTP/1.1\r\n\r\n")
            await reader.readuntil(b"{}")
        left = await reader.read()
        writer.close()
        return left, len(exchange.venue.http_connections)

    assert asyncio.run(run()) == (b"", 0)


def test_an_order_wakes_the_market() -> None:
    """Whoever trades without reading a stream does not trade in a market that stands still; asking wakes nobody."""

    async def doing(trader: Trader) -> tuple[bool, bool]:
        await trader.call("GET /fapi/v3/account")
        asleep = trader.venue.market.begun
        await trader.order(type="MARKET", quantity="0.001")
        await trader.talk.until(lambda: trader.venue.market.begun)
        return asleep, trader.venue.market.begun

    assert trading(doing, desk=TradingDesk, speed=20) == (False, True)
