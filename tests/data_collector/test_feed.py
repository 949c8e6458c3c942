"""The market feed end to end against a venue on real sockets."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop

from data_collector.feed import MarketFeed
from data_collector.transport import TRANSPORTS
from models.error import ConfigurationError
from tests.fakes.listener import BOTH, HASTY, Listener, wanted
from tests.fakes.venue_socket import FakeVenue, until

Doing = Callable[[Listener, FakeVenue], Awaitable[Any]]


def listening(doing: Doing, period_s: float | None = 0.005, **kwargs: Any) -> Any:
    """Run ``doing`` with a feed on a fresh venue."""

    async def run() -> Any:
        async with FakeVenue(period_s=period_s) as venue, Listener(venue, **kwargs) as ear:
            return await doing(ear, venue)

    return uvloop.run(run())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_every_stream_delivers_over_its_own_prefix(transport: str) -> None:
    """Both connections open, subscribe, deliver, and each stream is told alive once."""

    async def doing(ear: Listener, venue: FakeVenue) -> None:
        await ear.hears()
        await until(lambda: len(ear.told) == len(BOTH))
        assert {client.path for client in venue.clients} == {"/public/stream", "/market/stream"}
        assert {state.stream for state in ear.told if state.alive} == {
            "depth", "bookTicker", "aggTrade", "markPrice", "forceOrder",
        }  # fmt: skip

    listening(doing, transport=transport)


def test_the_sink_gets_the_bytes_and_a_rising_stamp() -> None:
    """Frames reach the sink as sent, with the connection's number and strictly rising receive times."""

    async def doing(ear: Listener, venue: FakeVenue) -> None:
        await ear.hears()
        payload = venue.publish("btcusdt@forceOrder")
        await until(lambda: any(frame[1] == payload for frame in ear.frames))
        stamps = [received_ns for _, _, received_ns in ear.frames]
        assert all(later > earlier for earlier, later in itertools.pairwise(stamps))
        assert {number // 2 for number, _, _ in ear.frames} == {0, 1}

    listening(doing)


def test_delivering_is_false_when_the_venue_is_silent() -> None:
    """A venue that acknowledges and sends nothing does not count as delivering."""

    async def doing(ear: Listener, venue: FakeVenue) -> None:
        await until(lambda: len(venue.clients) == 2)
        assert not await ear.feed.delivering(0.1)

    listening(doing, period_s=None)


def test_delivering_is_false_without_a_venue() -> None:
    """Nobody listening is told within the timeout, and the feed stops cleanly afterwards."""

    async def run() -> bool:
        async with FakeVenue() as venue:
            pass
        async with Listener(venue) as ear:
            return await ear.feed.delivering(0.05)

    assert not asyncio.run(run())


def test_silence_ticks() -> None:
    """While nothing comes the feed tells the time, strictly later each time."""

    async def doing(ear: Listener, venue: FakeVenue) -> list[int]:
        await until(lambda: len(ear.ticks) >= 3)
        return ear.ticks

    ticks = listening(doing, period_s=None, change={"silence_ms": 10.0})
    assert ticks == sorted(set(ticks))


def test_frames_silence_the_tick() -> None:
    """While frames come more often than the silence bound there is no tick."""

    async def doing(ear: Listener, venue: FakeVenue) -> int:
        await ear.hears()
        before, heard = len(ear.ticks), len(ear.frames)
        await until(lambda: len(ear.frames) > heard + 100)
        return len(ear.ticks) - before

    assert listening(doing, change={"silence_ms": 5000.0}) == 0


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_failing_sink_is_counted_and_kills_nothing(transport: str) -> None:
    """A sink that raises on every frame leaves the connections alone and is told in the stats."""

    def broken(connection: int, payload: bytes, received_ns: int) -> None:
        raise ValueError("cannot read this")

    async def doing(ear: Listener, venue: FakeVenue) -> None:
        await ear.hears()
        await until(lambda: ear.feed.stats().connections[0].sink_errors > 50)
        assert ear.feed.stats().connections[0].sink_error == "ValueError: cannot read this"
        assert ear.opened == 2

    listening(doing, sink=broken, transport=transport)


def test_failing_observers_stop_nothing() -> None:
    """Callbacks for ticks and streams that raise are counted; the feed goes on."""

    def broken(*_: object) -> None:
        raise RuntimeError("observer")

    async def doing(ear: Listener, venue: FakeVenue) -> None:
        await ear.hears()
        venue.frozen = True
        await until(lambda: ear.feed.stats().ticks > 2)
        assert ear.feed.stats().callback_errors > len(BOTH)
        assert ear.feed.stats().callback_error == "RuntimeError: observer"

    listening(doing, tick=broken, on_stream=broken, change={"silence_ms": 10.0})


def test_hostile_frames_reach_the_sink_and_harm_nothing() -> None:
    """Noise of every kind is handed on, never raises, and the streams go on over the same connections."""
    noise = [
        b"", b"{", b'{"stream":"', b'{"stream":"' + b"x" * 100_000, b'{"stream":123}', b"[" * 10_000, b"null", b'"x"',
        b'{"result":null,"id":77}', b'{"result":null,"id":"x"}', b'{"result":null,"id":true}', b'{"id":1e999}',
        b'{"stream":"btcusdt@depth@100ms"}', b'{"stream":"ethusdt@depth","data":{}}', b"\xff\xfe", b"9" * 300_000,
    ]  # fmt: skip

    async def doing(ear: Listener, venue: FakeVenue) -> None:
        await ear.hears()
        for payload in noise:
            for client in venue.clients:
                client.text(payload)
        await until(lambda: sum(frame[1] in noise for frame in ear.frames) == 2 * len(noise))
        heard = len(ear.frames)
        await until(lambda: len(ear.frames) > heard + 20)
        assert ear.opened == 2

    listening(doing)


def test_stats_count_what_came() -> None:
    """Frames and bytes per stream, ages and connections are what the sink saw."""

    async def doing(ear: Listener, venue: FakeVenue) -> None:
        await ear.hears()
        stats = ear.feed.stats()
        depth = [payload for _, payload, _ in ear.frames if b'"stream":"btcusdt@depth@100ms"' in payload]
        counted = next(stream for stream in stats.streams if stream.label == "depth")
        assert (counted.frames, counted.bytes) == (len(depth), sum(map(len, depth)))
        assert counted.alive and counted.age_ns is not None and counted.age_ns >= 0
        assert [one.name for one in stats.connections if one.connected] == ["public", "market"]
        assert stats.attempts == 2

    listening(doing)


def test_a_stream_without_frames_has_no_age() -> None:
    """Before the first frame the age is unknown, not zero."""

    async def doing(ear: Listener, venue: FakeVenue) -> None:
        await ear.hears()
        (forced,) = [stream for stream in ear.feed.stats().streams if stream.label == "forceOrder"]
        assert (forced.frames, forced.age_ns) == (0, None)

    listening(doing)


def test_a_suspend_makes_everything_old() -> None:
    """A jump of the clock that also counts sleep drops all connections and connects again (F64)."""
    jump = [0.0]

    async def doing(ear: Listener, venue: FakeVenue) -> None:
        await ear.hears()
        jump[0] = 7200.0
        await until(lambda: ear.reasons() == ["suspend", "suspend"])
        await ear.hears_again(4)
        assert ear.feed.stats().suspends == 1
        assert {state.stream for state in ear.told if state.reason == "suspend"} >= {"depth", "aggTrade"}

    listening(doing, awake_s=lambda: time.monotonic() + jump[0])


def test_starting_twice_is_a_mistake() -> None:
    """A feed is started once."""

    async def doing(ear: Listener, venue: FakeVenue) -> None:
        with pytest.raises(RuntimeError, match="already started"):
            ear.feed.start()

    listening(doing)


def test_stopping_is_idempotent_and_leaves_no_task() -> None:
    """After stop only the caller's own task is left; a second stop does nothing."""

    async def run() -> set[str]:
        async with FakeVenue(period_s=0.005) as venue:
            before = asyncio.all_tasks()
            ear = Listener(venue)
            ear.feed.start()
            await ear.hears()
            await ear.feed.stop()
            await ear.feed.stop()
            await until(lambda: not venue.clients)
            left = asyncio.all_tasks() - before
            await until(lambda: all(task.done() for task in left))
            return {task.get_name() for task in asyncio.all_tasks() - before}

    assert uvloop.run(run()) == set()


def test_deadlines_follow_the_rate_of_the_clock() -> None:
    """On a clock running fifty times as fast a normal stream is not taken for stale."""

    async def doing(ear: Listener, venue: FakeVenue) -> int:
        await ear.hears()
        heard = len(ear.frames)
        await until(lambda: len(ear.frames) > heard + 200)
        return ear.opened

    async def run() -> int:
        async with FakeVenue() as venue:
            ear = Listener(venue, wanted(deadlines=HASTY | {"markPrice": (1.0, 1.0)}), rate=50.0)
            ear.clock = type(ear.clock)(0, 50.0)
            for connector in ear.feed.connectors:
                assert connector.streams
            ear.feed = MarketFeed(
                wanted(deadlines=dict.fromkeys(HASTY, (1.0, 1.0))),
                venue.url,
                lambda *frame: ear.frames.append(frame),
                ear.clock.now_ns,
                rate=50.0,
                on_connection=lambda number, opened, detail, at_ns: ear.legs.append((number, opened, detail)),
            )
            async with ear:
                return int(await doing(ear, venue))

    assert uvloop.run(run()) == 2


@pytest.mark.parametrize("url", ["fstream.binance.com", "https://fstream.binance.com", "ws://", "wss://x/?a=b"])
def test_a_wrong_address_is_refused(url: str) -> None:
    """An address that is no ws(s) URL is a configuration mistake, told before anything opens."""
    with pytest.raises(ConfigurationError, match="must look like wss"):
        MarketFeed(wanted(), url, lambda *_: None, time.monotonic_ns)
