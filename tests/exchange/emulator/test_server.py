"""The exchange as a whole: a client that follows it over real sockets, its clocks, slow readers, its end."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import uvloop

from exchange.emulator.generator import Generator
from exchange.emulator.market import depth_body
from exchange.emulator.server import Emulator
from exchange.emulator.sockets import Limits
from exchange.emulator.tape import Record, Tape
from models.error import UsageError
from models.recording import RecordKind
from tests.exchange.emulator.client import START_NS, Ended, Refused, Socket, Talk, running
from tests.exchange.emulator.follow import Follower
from tests.exchange.emulator.recorded import taken
from tests.exchange.emulator.shifted import shifted, since

BOTH = ("BTCUSDT", "ETHUSDT")
EAGER = Limits(start_s=0.0)
PUBLIC = "/public/stream?streams=btcusdt@depth@100ms/btcusdt@bookTicker"


def tape(records: tuple[Record, ...] | list[Record]) -> Tape:
    return Tape(lambda: records, Generator(1, START_NS, BOTH).instruments)


async def followed(talk: Talk, client: Socket, symbols: tuple[str, ...], events: int) -> dict[str, Follower]:
    """Follow the books of ``symbols`` on one connection: the snapshot is asked for after the fifth event of each."""
    books = {symbol: Follower() for symbol in symbols}
    heard = dict.fromkeys(symbols, 0)
    asked: dict[str, asyncio.Task[Any]] = {}
    while min(book.applied for book in books.values()) < events:
        event = (await client.event())["data"]
        book = books[event["s"]]
        if event["e"] == "bookTicker":
            book.quote(event)
            continue
        heard[event["s"]] += 1
        book.diff(event)
        if heard[event["s"]] == 5:
            asked[event["s"]] = asyncio.create_task(talk.get("depth", symbol=event["s"], limit=1000))
        task = asked.get(event["s"])
        if task is not None and task.done():
            book.snapshot(task.result().body)
            del asked[event["s"]]
    return books


@pytest.mark.parametrize("speed", [10, 100])
def test_a_client_follows_both_books_over_sockets_and_rest(speed: float) -> None:
    """Buffer, snapshot, bridge, follow, for two symbols at once: no gap, no crossed book, quotes agree at equal ids."""
    names = [f"{symbol.lower()}@{kind}" for symbol in BOTH for kind in ("depth@100ms", "bookTicker")]

    async def doing(talk: Talk) -> None:
        async with talk.socket("/public/stream?streams=" + "/".join(names)) as client:
            books = await followed(talk, client, BOTH, 100)
            assert min(book.compared for book in books.values()) > 20

    running(doing, Generator(3, START_NS, BOTH), speed=speed)


@pytest.mark.parametrize("kind", ["depth", "depth@500ms", "depth@0ms"])
def test_slower_books_are_followed_too(kind: str) -> None:
    """Each speed of diffs bridges the same snapshot with a chain of its own."""

    async def doing(talk: Talk) -> None:
        async with talk.socket(f"/public/stream?streams=btcusdt@{kind}") as client:
            books = await followed(talk, client, ("BTCUSDT",), 60)
            assert books["BTCUSDT"].applied >= 60

    running(doing, speed=50)


def test_a_recorded_book_is_followed_at_full_speed() -> None:
    """From a recording, as fast as it is read: its REST snapshot bridges its diffs, the end closes the connection."""
    asked_ns = next(at for at, kind, _, _ in taken() if kind == RecordKind.DEPTH_ANSWER)
    records = [record for record in taken() if record[0] > asked_ns - 10**9]

    async def doing(talk: Talk) -> None:
        async with talk.socket(PUBLIC) as client:
            books = await followed(talk, client, ("BTCUSDT",), 100)
            assert books["BTCUSDT"].compared > 20
            assert (await client.ended()).code == 1000
        await talk.exchange.finished()

    running(doing, tape(records), speed=None)


@pytest.mark.parametrize("speed", [None, 40.0])
def test_a_recording_is_delivered_whole(speed: float | None) -> None:
    """At full speed and at a multiple a reader gets every recorded frame of its streams, byte for byte."""

    async def doing(talk: Talk) -> list[bytes]:
        heard: list[bytes] = []
        async with talk.socket(PUBLIC) as client:
            try:
                while True:
                    heard.append(await client.text())
            except Ended as end:
                assert end.code == 1000
                return heard

    assert running(doing, tape(taken()), speed=speed) == frames_of(("btcusdt@depth@100ms", "btcusdt@bookTicker"))


def frames_of(names: tuple[str, ...]) -> list[bytes]:
    """The recorded frames of some streams."""
    frames = [payload for _, kind, _, payload in taken() if kind == RecordKind.FRAME]
    return [payload for payload in frames if orjson.loads(payload)["stream"] in names]


def test_both_connections_are_there_before_a_recording_starts() -> None:
    """A recording begins a moment after its first reader, so that a second connection misses nothing."""
    paths = {
        PUBLIC: ("btcusdt@depth@100ms", "btcusdt@bookTicker"),
        "/market/stream?streams=btcusdt@aggTrade/btcusdt@kline_1m": ("btcusdt@aggTrade", "btcusdt@kline_1m"),
    }

    async def doing(talk: Talk) -> None:
        one, two = paths
        async with talk.socket(one) as public, talk.socket(two) as market:
            for client, names in zip((public, market), paths.values(), strict=True):
                assert [await client.text() for _ in range(20)] == frames_of(names)[:20]

    running(doing, tape(taken()), speed=None)


def test_a_recordings_clock_stands_still_until_somebody_listens() -> None:
    """Server time and trades do not move before the first reader, and move on after."""

    async def doing(talk: Talk) -> None:
        first = (await talk.get("time")).body["serverTime"]
        assert first == taken()[0][0] // 10**6
        for _ in range(20):
            await talk.get("ping")
        assert (await talk.get("time")).body["serverTime"] == first
        assert (await talk.get("aggTrades", symbol="BTCUSDT")).body == []
        async with talk.socket(PUBLIC) as client:
            for _ in range(50):
                await client.event()
            assert (await talk.get("time")).body["serverTime"] > first

    running(doing, tape(taken()), limits=EAGER, speed=20)


def test_the_same_seed_gives_the_same_bytes_over_sockets() -> None:
    """At full speed two runs of the same seed send the same bytes on all three kinds of connection."""

    async def doing(talk: Talk) -> list[str]:
        market = "/market/stream?streams=btcusdt@aggTrade/btcusdt@kline_1m/!forceOrder@arr"
        paths = (PUBLIC, market, "/public/ws/btcusdt@depth5")
        async with talk.socket(paths[0]) as one, talk.socket(paths[1]) as two, talk.socket(paths[2]) as three:

            async def digest(client: Socket, count: int) -> str:
                told = hashlib.sha256()
                for _ in range(count):
                    told.update(await client.text())
                return told.hexdigest()

            return list(await asyncio.gather(digest(one, 3_000), digest(two, 800), digest(three, 150)))

    assert running(doing, speed=None) == running(doing, speed=None)


@pytest.mark.parametrize(("speed", "made_s"), [(20.0, 12.34), (20.0, 58.9), (None, 31.5)])
def test_sockets_and_virtual_time_play_the_same_frames(speed: float | None, made_s: float) -> None:
    """Both sockets of a client hear six seconds of two symbols as virtual time has them: after one shift of all times
    the same bytes in the same order, whatever was asked before.
    """
    played = since(START_NS, Generator(9, START_NS, BOTH).frames(6 * 10**9))
    wanted = [("depth@100ms", "bookTicker"), ("aggTrade", "markPrice@1s", "forceOrder")]
    expected = [[payload for _, stream, payload in played if stream.partition("@")[2] in kinds] for kinds in wanted]

    async def doing(talk: Talk) -> None:
        await talk.get("premiumIndex")
        await talk.get("depth", symbol="BTCUSDT")
        async with talk.socket("/public/stream") as public, talk.socket("/market/stream") as market:
            for client, kinds in zip((public, market), wanted, strict=True):  # both ask before either is answered
                names = [f"{symbol.lower()}@{kind}" for symbol in BOTH for kind in kinds]
                client.send(orjson.dumps({"method": "SUBSCRIBE", "params": names, "id": 1}))

            async def heard(client: Socket, count: int) -> list[bytes]:
                assert orjson.loads(await client.text()) == {"result": None, "id": 1}
                return [await client.text() for _ in range(count)]

            told = await asyncio.gather(heard(public, len(expected[0])), heard(market, len(expected[1])))
        first = next(payload for payload in told[0] if b"depthUpdate" in payload)
        began_ms = orjson.loads(first)["data"]["E"] - 100
        assert began_ms % 500 == 0
        assert [[shifted(payload, -began_ms) for payload in one] for one in told] == expected

    running(doing, Generator(9, START_NS + int(made_s * 1e9), BOTH), speed=speed)


def test_at_full_speed_the_market_waits_for_its_slowest_reader() -> None:
    """A reader that pauses loses nothing: aggregate ids go on by one, however fast another one reads."""

    async def doing(talk: Talk) -> None:
        path = "/market/ws/btcusdt@aggTrade"
        async with talk.socket(path) as fast, talk.socket(path, deaf=True) as slow:

            async def race() -> None:
                while True:
                    await fast.text()

            racing = asyncio.create_task(race())
            last = (await slow.event())["a"]
            for number in range(3_000):
                if number % 300 == 0:
                    await asyncio.sleep(0.02)
                event = await slow.event()
                assert event["a"] == last + 1
                last = event["a"]
            racing.cancel()

    running(doing, speed=None)


def test_at_full_speed_who_takes_nothing_is_cut_off() -> None:
    """A reader that stalls is dropped after its time; the others' market goes on."""

    async def doing(talk: Talk) -> None:
        async with talk.socket("/public/ws/btcusdt@depth@100ms", deaf=True), talk.socket(PUBLIC) as good:
            while len(talk.exchange.connections) == 2:
                await good.text()
            for _ in range(200):
                await good.text()
            assert len(talk.exchange.connections) == 1

    running(doing, speed=None, limits=Limits(stalled_s=0.2))


def test_who_reads_too_slowly_is_cut_off_and_memory_stays_bounded() -> None:
    """In real time nobody is waited for: what waits for a deaf reader never exceeds its bound by more than one frame,
    then it is gone; a good reader hears on without a hole.
    """
    limit = 300_000
    largest = 0

    async def doing(talk: Talk) -> None:
        nonlocal largest
        deaf_path = "/public/ws/btcusdt@depth@100ms/btcusdt@depth/btcusdt@depth@500ms/btcusdt@depth@0ms"
        async with talk.socket("/market/ws/btcusdt@aggTrade") as good, talk.socket(deaf_path, deaf=True):
            last = (await good.event())["a"]
            while len(talk.exchange.connections) == 2:
                largest = max(largest, *(one.behind for one in talk.exchange.connections))
                event = await good.event()
                assert event["a"] == last + 1
                last = event["a"]
            for _ in range(100):
                await good.event()

    running(doing, speed=400, limits=Limits(buffer_bytes=limit))
    assert 0 < largest <= limit + 40_000


def test_a_deaf_reader_whose_time_is_up_does_not_stay() -> None:
    """At the end of its lifetime a connection that takes nothing is closed, and cut when the goodbye finds no ear."""

    async def doing(talk: Talk) -> None:
        async with talk.socket("/public/ws/btcusdt@depth@100ms", deaf=True):
            await talk.until(lambda: bool(talk.exchange.connections))
            (connection,) = talk.exchange.connections
            await talk.until(lambda: connection.behind > 0)
            connection.close()
            behind = connection.behind
            connection.deliver(b"x" * 1_000)
            assert connection.behind == behind
            connection.tend(connection._closed_s + 4.9, 0)
            assert talk.exchange.connections
            connection.tend(connection._closed_s + 5.0, 0)
            await talk.until(lambda: not talk.exchange.connections)

    running(doing, speed=400)


def test_ports_are_neighbours() -> None:
    """A given port is REST's, the streams are one above; a taken one is told as the system tells it."""

    async def run() -> tuple[str, str]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        market = Generator(1, START_NS)
        async with Emulator(market, port=port) as exchange:
            with pytest.raises(OSError):
                async with Emulator(market, port=port):
                    pass
            assert exchange.rest_url.endswith(f":{port}") and exchange.stream_url.endswith(f":{port + 1}")
            return exchange.rest_url, exchange.stream_url

    rest, streams = uvloop.run(run())
    assert rest.startswith("http://127.0.0.1:") and streams.startswith("ws://127.0.0.1:")


@pytest.mark.parametrize("speed", [0, -1, float("nan")])
def test_a_speed_must_be_positive(speed: float) -> None:
    """Nothing, backwards or no number is refused."""
    with pytest.raises(UsageError, match="positive or max"):
        Emulator(Generator(1, START_NS), speed=speed)


def test_a_market_behind_its_clock_catches_up() -> None:
    """A market made a minute ago is brought to the clock before the first events a reader sees."""

    async def doing(talk: Talk) -> None:
        async with talk.socket("/market/ws/btcusdt@aggTrade") as client:
            assert (await client.event())["T"] * 10**6 >= START_NS + 60 * 10**9
            assert (await talk.get("time")).body["serverTime"] * 10**6 >= START_NS + 60 * 10**9

    running(doing, anchor_ns=START_NS + 60 * 10**9)


def test_a_market_that_fails_is_told() -> None:
    """A recording that cannot be read on stops the exchange with its reason, not in silence."""
    records = taken()[:200]
    passes = [0]

    def broken() -> Iterator[Record]:
        passes[0] += 1
        yield from records
        if passes[0] > 1:
            raise OSError("the disk is gone")

    async def run() -> BaseException | None:
        market = Tape(broken, Generator(1, START_NS, BOTH).instruments)
        async with Emulator(market, speed=None, limits=EAGER) as exchange, Socket(exchange.stream_url, PUBLIC):
            with pytest.raises(OSError, match="the disk is gone"):
                await exchange.finished()
            return exchange.failed

    assert isinstance(uvloop.run(run()), OSError)


def test_leaving_closes_every_connection() -> None:
    """When the exchange stops its clients are told goodbye, deaf ones are cut, and the port is free again."""

    async def run() -> int:
        market = Generator(1, START_NS)
        async with Emulator(market, speed=400) as exchange:
            url, rest = exchange.stream_url, exchange.rest_url
            client = await Socket(url, "/public/ws").__aenter__()
            deaf = await Socket(url, "/public/ws/btcusdt@depth@100ms", deaf=True).__aenter__()
            async with asyncio.timeout(20):
                while not any(one.behind for one in exchange.connections):
                    await asyncio.sleep(0.001)
        code = (await client.ended()).code
        for one in (client, deaf):
            await one.__aexit__()
        async with Emulator(market, port=int(rest.rpartition(":")[2])):
            pass
        with pytest.raises((OSError, Refused)):
            await Socket(url, "/public/ws").__aenter__()
        return code

    assert uvloop.run(run()) == 1000


def test_rest_and_streams_tell_one_story() -> None:
    """What a stream told is in REST's answers: the trade in the page of its id, its price in the candle."""

    async def doing(talk: Talk) -> None:
        async with talk.socket("/market/ws/btcusdt@aggTrade") as client:
            for _ in range(30):
                event = await client.event()
            (same,) = (await talk.get("aggTrades", symbol="BTCUSDT", fromId=event["a"], limit=1)).body
            assert same == {name: event[name] for name in same}
            rows = (await talk.get("klines", symbol="BTCUSDT", interval="1m", startTime=event["T"] - 59_999)).body
            assert rows[0][0] <= event["T"] <= rows[0][6]
            assert float(rows[0][3]) <= float(event["p"]) <= float(rows[0][2])
        book: Any = depth_body(talk.exchange.market, talk.exchange.market.instruments[0], 5)
        answer = (await talk.get("depth", symbol="BTCUSDT", limit=5)).body
        assert answer["lastUpdateId"] >= book["lastUpdateId"]

    running(doing, speed=5)
