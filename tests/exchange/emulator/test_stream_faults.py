"""What faults do to frames and connections: each stream and connection lever, in memory and over sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.emulator.faults import Faults
from exchange.emulator.generator import Generator
from exchange.emulator.sockets import Limits
from exchange.emulator.stream_faults import StreamFaults
from tests.exchange.emulator.client import START_NS, Ended, Refused, Talk, running
from tests.exchange.emulator.trader import Trader, event, trading

NAME = "btcusdt@depth@100ms"
QUOTES = "/public/ws/btcusdt@bookTicker"


class Line:
    """A connection that remembers what left on it."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def deliver(self, payload: bytes) -> None:
        self.sent.append(payload)


class Scene:
    """Stream faults on a loop, with a venue clock that is the loop's."""

    def __init__(self, seed: int = 1) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.faults = Faults(seed, lambda: loop.time() - began)
        self.streams = StreamFaults(self.faults, loop.time)
        self.line = Line()

    def send(self, *numbers: int, name: str = NAME, line: Line | None = None) -> list[int]:
        """Let numbered frames leave; what has left on the line so far."""
        for number in numbers:
            self.streams.deliver(line or self.line, name, str(number).encode())
        return [int(frame) for frame in (line or self.line).sent]


def looped(doing: Callable[[Scene], Awaitable[Any]], seed: int = 1) -> Any:
    async def run() -> Any:
        return await doing(Scene(seed))

    return asyncio.run(run())


def at_once(doing: Callable[[Scene], Any], seed: int = 1) -> Any:
    async def run(scene: Scene) -> Any:
        return doing(scene)

    return looped(run, seed)


@pytest.mark.parametrize(
    ("lever", "options", "expected"),
    [
        ("drop", {}, [2, 3, 4, 5]),
        ("drop", {"nth": 2, "count": 2}, [1, 4, 5]),
        ("stall", {"count": 0}, []),
        ("duplicate", {"nth": 3}, [1, 2, 3, 3, 4, 5]),
        ("duplicate", {"later": 2}, [1, 2, 3, 1, 4, 5]),
        ("duplicate", {"later": 1, "count": 2}, [1, 2, 1, 3, 2, 4, 5]),
        ("inject", {"text": "0", "nth": 2}, [1, 2, 0, 3, 4, 5]),
        ("reorder", {"window": 2, "count": 2}, [2, 1, 3, 4, 5]),
        ("reorder", {"window": 2, "count": 4}, [2, 1, 4, 3, 5]),
    ],
)
def test_frames_are_lost_doubled_and_moved(lever: str, options: dict[str, Any], expected: list[int]) -> None:
    """Each lever does to five frames what its name says, and leaves the others as they are."""

    def doing(scene: Scene) -> list[int]:
        scene.faults.arm(lever, "btcusdt@depth*", **options)
        return scene.send(1, 2, 3, 4, 5)

    assert at_once(doing) == expected


def test_other_streams_pass() -> None:
    """A lever on one stream leaves the others alone."""

    def doing(scene: Scene) -> list[int]:
        scene.faults.arm("stall", "btcusdt@aggTrade", count=0)
        return scene.send(1, 2, 3)

    assert at_once(doing) == [1, 2, 3]


def test_a_fault_may_meet_one_connection_only() -> None:
    """With ``connection`` 2 the second connection it meets is disturbed, the first is not."""

    def doing(scene: Scene) -> tuple[list[int], list[int]]:
        other = Line()
        scene.faults.arm("drop", NAME, connection=2, count=0)
        for number in (1, 2):
            scene.send(number)
            scene.send(number, line=other)
        return scene.send(), scene.send(line=other)

    assert at_once(doing) == ([1, 2], [])


def test_faults_follow_each_other() -> None:
    """What one lever lets pass goes on to the next."""

    def doing(scene: Scene) -> list[int]:
        scene.faults.arm("duplicate", count=0)
        scene.faults.arm("drop", nth=2)
        return scene.send(1, 2)

    assert at_once(doing) == [1, 2, 2]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(1, 20))
def test_reordered_groups_hold_the_same_frames(seed: int, window: int, count: int) -> None:
    """Each whole group has its own frames in another order; nothing is lost and no frame leaves its group."""

    def doing(scene: Scene) -> list[int]:
        scene.faults.arm("reorder", NAME, window=window, count=count)
        return scene.send(*range(count))

    sent = at_once(doing, seed)
    for start in range(0, count, window):
        group = list(range(start, min(start + window, count)))
        assert sorted(sent[start : start + window]) == group
        assert len(group) == 1 or sent[start : start + window] != group


def test_a_group_that_does_not_fill_is_let_go() -> None:
    """Frames do not wait for others longer than ``within_s``."""

    async def doing(scene: Scene) -> list[int]:
        scene.faults.arm("reorder", NAME, window=5, within_s=0.01, count=0)
        assert scene.send(1, 2) == []
        await asyncio.sleep(0.05)
        return scene.send()

    assert looped(doing) == [2, 1]


def test_late_frames_keep_their_order() -> None:
    """Frames behind the end of a lag wait for those before them."""

    async def doing(scene: Scene) -> list[int]:
        scene.faults.arm("lag", NAME, s=0.02, count=2)
        assert scene.send(1, 2, 3) == []
        scene.streams.tick(lambda: ())
        assert scene.send(4) == []
        await asyncio.sleep(0.1)
        return scene.send(5)

    assert looped(doing) == [1, 2, 3, 4, 5]


def test_a_stall_that_keeps_delivers_at_its_end() -> None:
    """Everything held comes in order when the stall is over."""

    async def doing(scene: Scene) -> list[int]:
        scene.faults.arm("stall", NAME, keep=True, for_s=0.03, count=0)
        assert scene.send(1, 2) == []
        await asyncio.sleep(0.1)
        return scene.send(3)

    assert looped(doing) == [1, 2, 3]


def test_faults_that_are_over_are_forgotten() -> None:
    """After their last frame nothing of them is kept, and a closed connection leaves nothing behind."""

    def doing(scene: Scene) -> tuple[bool, int]:
        scene.faults.arm("drop", NAME)
        scene.faults.arm("duplicate", NAME, count=0, for_s=1e9)
        scene.send(1, 2)
        scene.streams.tick(lambda: ())
        scene.streams.forget(scene.line)
        return scene.streams.busy, len(scene.streams._taps)

    assert at_once(doing) == (True, 0)


def test_the_same_seed_disturbs_alike() -> None:
    """Two runs with one seed lose and move the same frames."""

    def doing(scene: Scene) -> list[int]:
        scene.faults.arm("drop", count=0, probability=0.3)
        scene.faults.arm("reorder", count=0, window=4)
        return scene.send(*range(200))

    first = at_once(doing, 3)
    assert first == at_once(doing, 3) and first != at_once(doing, 4)


# -- over sockets ----------------------------------------------------------------------------------------------------


async def armed(talk: Talk, lever: str, when: str = "", **options: Any) -> None:
    talk.exchange.venue.faults.arm(lever, when, **options)


def test_edited_frames_reach_the_client_changed() -> None:
    """A field becomes a text, another is missing, in raw and combined framing."""

    async def doing(talk: Talk) -> None:
        await armed(talk, "edit_frame", "btcusdt@bookTicker", set={"E": "x"}, delete=["u"], count=0)
        for path in (QUOTES, "/public/stream?streams=btcusdt@bookTicker"):
            async with talk.socket(path) as client:
                said = await client.event()
                said = said.get("data", said)
                assert said["E"] == "x" and "u" not in said and said["s"] == "BTCUSDT"

    running(doing)


def test_a_silent_subscription_is_answered_and_never_speaks() -> None:
    """SUBSCRIBE gives ``null`` for both streams, data comes of one; a new connection hears it."""

    async def doing(talk: Talk) -> None:
        await armed(talk, "silent_ack", "btcusdt@bookTicker")
        async with talk.socket("/public/ws") as client:
            answer = await client.ask(
                {"method": "SUBSCRIBE", "params": ["btcusdt@bookTicker", "btcusdt@depth@100ms"], "id": 1}
            )
            assert answer == {"result": None, "id": 1}
            assert {(await client.event())["e"] for _ in range(20)} == {"depthUpdate"}
            listed = await client.ask({"method": "LIST_SUBSCRIPTIONS", "id": 2})
            assert "btcusdt@bookTicker" in listed["result"]
        async with talk.socket(QUOTES) as client:
            assert (await client.event())["e"] == "bookTicker"

    running(doing, speed=10)


def test_a_silent_private_connection() -> None:
    """With ``private`` the user stream is subscribed in vain while the key stays good."""

    async def doing(trader: Trader) -> None:
        trader.venue.faults.arm("silent_ack", "private")
        trader.desk.say = [event("TRADE_LITE")]
        async with trader.private() as deaf, trader.private() as good:
            await trader.order()
            assert (await good.event())["e"] == "TRADE_LITE"
            assert await deaf.ask({"method": "LIST_SUBSCRIPTIONS", "id": 1}) and not deaf.events

    trading(doing)


@pytest.mark.parametrize("at_byte", [0, 1, 2, 3, 50])
def test_a_frame_ends_at_any_byte(at_byte: int) -> None:
    """That many bytes of the frame arrive, then the stream ends without a close frame."""

    async def doing(talk: Talk) -> bytes:
        await armed(talk, "cut_frame", "btcusdt@bookTicker", at_byte=at_byte)
        async with talk.socket(QUOTES) as client:
            return bytes(await client.reader.read())

    arrived = running(doing)
    assert len(arrived) == at_byte and arrived == (b"\x81\x7e\x00" + arrived[3:])[:at_byte]


def test_a_trickling_frame_arrives_whole_and_in_order() -> None:
    """Its bytes come in small steps; the frames behind it wait and nothing is lost."""

    async def doing(talk: Talk) -> None:
        await armed(talk, "slow_drip", "btcusdt@depth@100ms", bytes_per_s=20_000, count=2)
        async with talk.socket("/public/ws/btcusdt@depth@100ms") as client:
            before = (await client.event())["u"]
            for _ in range(10):
                said = await client.event()
                assert said["pu"] == before
                before = said["u"]

    running(doing, speed=20)


@pytest.mark.parametrize("kind", ["json", "utf8", "opcode", "text"])
def test_malformed_frames(kind: str) -> None:
    """Half an event, bytes that are no text, a reserved opcode, or a text of one's own; the stream goes on."""

    async def doing(talk: Talk) -> tuple[int, bytes]:
        await armed(talk, "malformed", "btcusdt@bookTicker", kind=kind, text="<html>")
        async with talk.socket(QUOTES) as client:
            opcode, payload = await client.frame()
            assert json.loads((await client.frame())[1])["e"] == "bookTicker"
            return opcode, payload

    opcode, payload = running(doing)
    if kind == "json":
        with pytest.raises(json.JSONDecodeError):
            json.loads(payload)
    elif kind == "utf8":
        with pytest.raises(UnicodeDecodeError):
            payload.decode()
    assert opcode == (3 if kind == "opcode" else 1) and (payload == b"<html>") is (kind == "text")


def test_connections_are_closed_after_a_frame() -> None:
    """The frame arrives, then the close frame with its code and reason."""

    async def doing(talk: Talk) -> Ended:
        await armed(talk, "close_after", "btcusdt@bookTicker", code=1012, reason="restart", nth=2)
        async with talk.socket(QUOTES) as client:
            await client.event()
            await client.event()
            return await client.ended()

    end = running(doing)
    assert (end.code, end.reason) == (1012, "restart")


@pytest.mark.parametrize(("lever", "options", "code"), [("close", {"code": 1008}, 1008), ("abort", {}, 0)])
def test_connections_of_a_door_are_ended(lever: str, options: dict[str, Any], code: int) -> None:
    """Public connections end, with or without a word; the market's stay."""

    async def doing(talk: Talk) -> int:
        async with talk.socket("/public/ws") as public, talk.socket("/market/ws") as market:
            await talk.until(lambda: len(talk.exchange.connections) == 2)
            await armed(talk, lever, "public", **options)
            end = await public.ended()
            assert await market.ask({"method": "LIST_SUBSCRIPTIONS", "id": 1}) == {"result": [], "id": 1}
            return end.code

    assert running(doing) == code


@pytest.mark.parametrize(("how", "expected"), [("status", 503), ("close", 1013), ("cut", 0)])
def test_new_connections_are_refused(how: str, expected: int) -> None:
    """The first two are refused by a status, closed or cut at once; the third is served."""

    async def doing(talk: Talk) -> list[int]:
        await armed(talk, "refuse_connect", "public", how=how, count=2)
        seen = []
        for _ in range(2):
            try:
                async with talk.socket(QUOTES) as client:
                    seen.append((await client.ended()).code)
            except Refused as refused:
                seen.append(refused.status)
        async with talk.socket(QUOTES) as client:
            assert (await client.event())["e"] == "bookTicker"
        return seen

    assert running(doing) == [expected, expected]


def test_http_connections_are_refused() -> None:
    """The next TCP connection to REST is reset, the one after it is answered."""

    async def doing(talk: Talk) -> int:
        await armed(talk, "refuse_connect", "http")
        reader, writer = await asyncio.open_connection("127.0.0.1", int(talk.exchange.rest_url.rpartition(":")[2]))
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        return (await talk.get("ping")).status

    assert running(doing) == 200


def test_pongs_are_not_heard() -> None:
    """A client that answers every ping is closed all the same while the door is deaf."""

    async def doing(talk: Talk) -> Ended:
        await armed(talk, "deaf", "public", for_s=1e6)
        async with talk.socket("/public/ws") as client:
            return await client.ended()

    end = running(doing, limits=Limits(ping_s=0.05, pong_s=0.2))
    assert end.code == 1008


def test_pings_come_out_of_turn() -> None:
    """The client gets a ping long before one is due."""

    async def doing(talk: Talk) -> list[bytes]:
        async with talk.socket(QUOTES) as client:
            await client.event()
            await armed(talk, "ping", "public")
            while not client.pings:
                await client.event()
            return client.pings

    assert running(doing) == [b"now"]


def test_private_events_are_disturbed_by_their_type() -> None:
    """ORDER_TRADE_UPDATE is lost, everything else of the account comes."""

    async def doing(trader: Trader) -> list[str]:
        trader.venue.faults.arm("drop", "user:ORDER_TRADE_UPDATE", count=0)
        trader.desk.say = [event("ORDER_TRADE_UPDATE"), event("TRADE_LITE"), event("ACCOUNT_UPDATE")]
        async with trader.private() as socket:
            await trader.order()
            return [(await socket.event())["e"] for _ in range(2)]

    assert trading(doing) == ["TRADE_LITE", "ACCOUNT_UPDATE"]


def test_disturbed_runs_of_one_seed_are_the_same() -> None:
    """Over sockets too: the same seed and faults give the same bytes."""

    def once() -> list[Any]:
        async def doing(talk: Talk) -> list[Any]:
            await armed(talk, "drop", NAME, count=0, probability=0.3)
            await armed(talk, "duplicate", NAME, count=0, probability=0.3)
            async with talk.socket(f"/public/ws/{NAME}") as client:
                return [(await client.event())["u"] for _ in range(60)]

        result: list[Any] = running(doing, Generator(3, START_NS), speed=20)
        return result

    assert once() == once()
