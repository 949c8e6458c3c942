"""One market connection over real sockets: control messages, limits, pings, and clients that mean no good."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import struct
from pathlib import Path
from typing import Any

import pytest
import websockets.asyncio.client

from exchange.emulator.sockets import MESSAGE_BYTES_MAX, MESSAGES_PER_S, Limits, Target, parse_target
from exchange.emulator.streams import STREAMS_MAX
from tests.exchange.emulator.client import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    TEXT,
    Ended,
    Refused,
    Talk,
    masked,
    running,
)
from tests.exchange.emulator.shape import golden

QUOTES = "btcusdt@bookTicker"


# -- addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/public/ws", Target("public", False, ())),
        ("/market/ws/", Target("market", False, ())),
        ("/public/ws/btcusdt@depth@100ms/btcusdt@bookTicker", Target("public", False, ("btcusdt@depth@100ms", QUOTES))),
        ("/market/stream?streams=a@aggTrade/!ticker@arr", Target("market", True, ("a@aggTrade", "!ticker@arr"))),
        ("/public/stream", Target("public", True, ())),
        ("/public/stream?timeUnit=x&streams=a@depth&streams=b@depth", Target("public", True, ("a@depth", "b@depth"))),
        ("/public/stream?streams=a%40depth%2Fb%40depth", Target("public", True, ("a@depth", "b@depth"))),
        ("/public/ws/%E5%B8%81usdt@depth", Target("public", False, ("币usdt@depth",))),
        ("/ws/btcusdt@depth", Target("public", False, ("btcusdt@depth",))),
        ("/stream?streams=btcusdt@depth/btcusdt@depth", Target("public", True, ("btcusdt@depth",))),
        ("/public/ws/0", Target("public", False, ("0",))),
        ("/private/ws?listenKey=abc&events=A", Target("private", False, (), (("abc", ("A",)),))),
        ("/private/ws/abc", Target("private", False, ("abc",))),
        ("/private/stream?listenKey=abc", Target("private", True, (), (("abc", ()),))),
        (
            "/private/stream?listenKey=k1&events=A/B&listenKey=k2&events=C",
            Target("private", True, (), (("k1", ("A", "B")), ("k2", ("C",)))),
        ),
        ("/public/ws?listenKey=abc", Target("public", False, ())),
        ("/", None), ("/wsx", None), ("/public", None), ("/public/wss/x", None), ("/publicity/ws", None), ("", None),
    ],
)  # fmt: skip
def test_addresses_are_the_venues(path: str, target: Target | None) -> None:
    """Each form of a stream address gives prefix, framing and names; anything else is no address."""
    assert parse_target(path) == target


def test_an_unknown_path_is_not_found() -> None:
    """A path that is no stream address is answered 404 and opens nothing."""

    async def doing(talk: Talk) -> int:
        with pytest.raises(Refused) as refused:
            async with talk.socket("/nowhere"):
                pass
        return refused.value.status

    assert running(doing) == 404


# -- control messages ------------------------------------------------------------------------------------------------

REQUESTS = ("subscribe", "subscribe-string-id", "unsubscribe", "list-subscriptions", "set-property", "get-property")


@pytest.mark.parametrize("prefix", ["/public", "/market", "/private", ""])
def test_golden_requests_get_golden_answers(wire: Path, prefix: str) -> None:
    """Sent in this order, every golden control message gets its golden answer, under every prefix."""

    async def doing(talk: Talk) -> None:
        async with talk.socket(f"{prefix}/ws") as client:
            for name in REQUESTS:
                expected = golden(wire, f"ws-{name}-response")
                if name == "list-subscriptions":  # the golden list is that of a client without the string-id request
                    expected["result"] = ["btcusdt@bookTicker", "btcusdt@aggTrade"]
                assert await client.ask(golden(wire, f"ws-{name}-request")) == expected

    running(doing)


WRONG: dict[str, Any] = {
    "Unknown property": {"method": "SET_PROPERTY", "params": ["colour", True], "id": 1},
    "Invalid value type: expected Boolean": {"method": "SET_PROPERTY", "params": ["combined", 1], "id": 1},
    "Invalid request: property name must be a string": {"method": "GET_PROPERTY", "params": [1], "id": 1},
    "Invalid request: request ID must be an unsigned integer": {"method": "LIST_SUBSCRIPTIONS", "id": -1},
    "Invalid request: unknown variant SUBSCRIB, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, "
    "`SET_PROPERTY`, `GET_PROPERTY` at line 1 column N": {"method": "SUBSCRIB", "id": 1},
    "Invalid request: too many parameters": {"method": "GET_PROPERTY", "params": ["combined", True], "id": 1},
    "Invalid request: missing field `method` at line 1 column N": {"params": [QUOTES], "id": 1},
    "Invalid JSON: expected value at line 1 column 1": "not json",
}
"""A request for each golden error, by its text; the column is where our text ends and theirs did."""


def test_every_golden_error_is_given(wire: Path) -> None:
    """Each error of the venue's list is provoked by its mistake, in its form, and the connection lives on."""
    listed = golden(wire, "ws-control-errors")
    errors = {re.sub(r"column \d\d+$", "column N", one["msg"]): one["code"] for one in listed}
    assert errors.keys() == WRONG.keys()

    async def doing(talk: Talk) -> None:
        async with talk.socket("/public/ws") as client:
            for text, request in WRONG.items():
                answer = await client.ask(request)
                assert answer.keys() == {"code", "msg"}
                assert (answer["code"], re.sub(r"column \d\d+$", "column N", answer["msg"])) == (errors[text], text)
            assert (await client.ask({"method": "LIST_SUBSCRIPTIONS", "id": 9}))["result"] == []

    running(doing)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ('{"method":"SUBSCRIBE","params":["a@depth"],"id":1.5}', 2),
        ('{"method":"SUBSCRIBE","params":["a@depth"],"id":true}', 2),
        ('{"method":"SUBSCRIBE","params":["a@depth"],"id":[1]}', 2),
        ('{"method":"SUBSCRIBE","params":["a@depth"],"id":1e999}', 3),
        ('{"method":"SUBSCRIBE","params":"a@depth","id":1}', 2),
        ('{"method":"SUBSCRIBE","params":null,"id":1}', 2),
        ('{"method":"SUBSCRIBE","params":[1],"id":1}', 2),
        ('{"method":"SUBSCRIBE","params":[["a@depth"]],"id":1}', 2),
        ('{"method":["SUBSCRIBE"],"id":1}', 2),
        ('{"method":null,"id":1}', 2),
        ('{"method":"SET_PROPERTY","id":1}', 2),
        ('{"method":"SET_PROPERTY","params":["combined"],"id":1}', 1),
        ('{"method":"SET_PROPERTY","params":["combined",null],"id":1}', 1),
        ("[]", 2), ("1", 2), ("null", 2), ('"SUBSCRIBE"', 2), ("", 3), ("{", 3), ("[" * 50_000, 3),
        ('{"method":"SUBSCRIBE","params":["\ud800"],"id":1}'.encode("utf-8", "surrogatepass"), 3),
    ],
)  # fmt: skip
def test_malformed_requests_are_answered(request_: Any, code: int) -> None:
    """Whatever is wrong with a message, the answer is one error of the venue's form and nothing is subscribed."""

    async def doing(talk: Talk) -> None:
        async with talk.socket("/public/ws") as client:
            answer = await client.ask(request_)
            assert (answer["code"], type(answer["msg"])) == (code, str)
            assert (await client.ask({"method": "LIST_SUBSCRIPTIONS", "id": 2})) == {"result": [], "id": 2}

    running(doing)


@pytest.mark.parametrize("number", [0, 7, 2**53, 2**64 - 1, "", "881b142e-75fc-43ed-b450-d59ad5331fde", None])
def test_ids_come_back_as_they_were(number: Any) -> None:
    """Unsigned integers, the texts of the official connector, and a missing id are echoed."""

    async def doing(talk: Talk) -> Any:
        async with talk.socket("/public/ws") as client:
            return await client.ask({"method": "LIST_SUBSCRIPTIONS", "id": number})

    assert running(doing) == {"result": [], "id": number}


def test_subscriptions_start_and_stop_the_stream() -> None:
    """After SUBSCRIBE events come; after the answer to UNSUBSCRIBE none of that stream does."""

    async def doing(talk: Talk) -> None:
        async with talk.socket("/public/ws") as client:
            await client.ask({"method": "SUBSCRIBE", "params": [QUOTES, "btcusdt@depth@100ms"], "id": 1})
            seen = set()
            while len(seen) < 2:
                seen.add((await client.event())["e"])
            await client.ask({"method": "UNSUBSCRIBE", "params": [QUOTES], "id": 2})
            assert [(await client.event())["e"] for _ in range(5)] == ["depthUpdate"] * 5
            answer = await client.ask({"method": "LIST_SUBSCRIPTIONS", "id": 3})
            assert answer["result"] == ["btcusdt@depth@100ms"]

    running(doing, speed=20)


def test_framing_follows_the_address_and_the_property() -> None:
    """``combined`` is false on /ws and true on /stream; SET_PROPERTY changes it from the next event on."""

    async def doing(talk: Talk) -> None:
        for path, combined in ((f"/public/ws/{QUOTES}", False), (f"/public/stream?streams={QUOTES}", True)):
            async with talk.socket(path) as client:
                assert ("stream" in await client.event()) is combined
                answer = await client.ask({"method": "GET_PROPERTY", "params": ["combined"], "id": 1})
                assert answer["result"] is combined
                await client.ask({"method": "SET_PROPERTY", "params": ["combined", not combined], "id": 2})
                event = await client.event()
                assert ("stream" in event) is not combined
                if not combined:
                    assert event["stream"] == QUOTES and event["data"]["e"] == "bookTicker"

    running(doing, speed=20)


@pytest.mark.parametrize(
    ("path", "heard"),
    [
        ("/public/ws", {"bookTicker", "depthUpdate"}), ("/ws", {"bookTicker", "depthUpdate"}),
        ("/market/ws", {"aggTrade", "markPriceUpdate", "kline"}), ("/private/ws", set()),
    ],
)  # fmt: skip
def test_a_stream_under_a_wrong_prefix_is_accepted_and_silent(path: str, heard: set[str]) -> None:
    """Every prefix acknowledges every stream, and delivers those of its own category only; no prefix is /public."""
    names = [QUOTES, "btcusdt@depth@100ms", "btcusdt@aggTrade", "btcusdt@markPrice@1s", "btcusdt@kline_1m"]

    async def doing(talk: Talk) -> None:
        async with talk.socket(path) as client, talk.socket("/market/ws/btcusdt@markPrice@1s") as clock:
            assert await client.ask({"method": "SUBSCRIBE", "params": names, "id": 1}) == {"result": None, "id": 1}
            for _ in range(4):
                await clock.event()
            assert (await client.ask({"method": "LIST_SUBSCRIPTIONS", "id": 2}))["result"] == names
            assert {event["e"] for event in client.events} == heard

    running(doing, speed=20)


def test_a_name_that_is_no_stream_is_accepted() -> None:
    """A connection number or a listen key in the address opens; a subscription beside it works."""

    async def doing(talk: Talk) -> None:
        for path in ("/public/ws/0", "/public/ws/BTCUSDT@depth/dogeusdt@depth"):
            async with talk.socket(path) as client:
                await client.ask({"method": "SUBSCRIBE", "params": [QUOTES], "id": 1})
                assert (await client.event())["e"] == "bookTicker"

    running(doing, speed=20)


# -- limits ----------------------------------------------------------------------------------------------------------


def test_more_than_ten_messages_in_a_second_close_the_connection() -> None:
    """Ten messages at once are answered, the eleventh closes with 1008 and nothing after it is."""

    async def doing(talk: Talk) -> None:
        async with talk.socket("/public/ws") as client:
            for number in range(200):
                client.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
            answers = [await client.event() for _ in range(MESSAGES_PER_S)]
            assert [answer["id"] for answer in answers] == list(range(MESSAGES_PER_S))
            assert (await client.ended()).code == 1008

    running(doing)


def test_a_thousand_subscriptions_are_served_and_no_more_than_the_limit() -> None:
    """Up to 1,024 streams a connection, the last of them delivers; one more is refused and changes nothing."""
    names = [f"s{number}usdt@depth" for number in range(STREAMS_MAX - 1)] + [QUOTES]

    async def doing(talk: Talk) -> None:
        async with talk.socket("/public/ws") as client:
            assert await client.ask({"method": "SUBSCRIBE", "params": names, "id": 1}) == {"result": None, "id": 1}
            assert (await client.event())["e"] == "bookTicker"
            again = await client.ask({"method": "SUBSCRIBE", "params": names[:50], "id": 2})
            assert again == {"result": None, "id": 2}
            refused = await client.ask({"method": "SUBSCRIBE", "params": ["btcusdt@depth"], "id": 3})
            assert refused == {"code": 2, "msg": "Invalid request: too many parameters"}
            assert (await client.ask({"method": "LIST_SUBSCRIPTIONS", "id": 4}))["result"] == names
            await client.ask({"method": "UNSUBSCRIBE", "params": names, "id": 5})
            assert (await client.ask({"method": "LIST_SUBSCRIPTIONS", "id": 6}))["result"] == []

    running(doing, speed=20)


def test_an_address_with_too_many_streams_is_refused() -> None:
    """1,024 names in the address open; one more is a bad request."""

    async def doing(talk: Talk) -> None:
        names = [f"{number}@depth" for number in range(STREAMS_MAX + 1)]
        async with talk.socket("/public/stream?streams=" + "/".join(names[:-1])) as client:
            assert len((await client.ask({"method": "LIST_SUBSCRIPTIONS", "id": 1}))["result"]) == STREAMS_MAX
        with pytest.raises(Refused) as refused:
            async with talk.socket("/public/stream?streams=" + "/".join(names)):
                pass
        assert refused.value.status == 400

    running(doing)


def test_the_server_pings_and_keeps_who_answers() -> None:
    """Pings carry the venue's time; a client that echoes them stays, well beyond the time for a pong."""

    async def doing(talk: Talk) -> None:
        async with talk.socket("/public/ws/" + QUOTES) as client:
            while len(client.pings) < 12:
                await client.event()
            times = [int(payload) for payload in client.pings]
            assert times == sorted(times) and times[0] > 1_795_262_400_000

    running(doing, limits=Limits(ping_s=0.1, pong_s=1.0))


def test_who_answers_no_ping_is_closed() -> None:
    """Without a pong the connection is closed with 1008; until then one ping a period is sent, not a flood."""

    async def doing(talk: Talk) -> tuple[int, int]:
        async with talk.socket("/public/ws", answers_pings=False) as client:
            end = await client.ended()
            return end.code, len(client.pings)

    code, pings = running(doing, limits=Limits(ping_s=0.1, pong_s=0.4))
    assert code == 1008 and 1 <= pings <= 5


def test_a_client_may_ping_and_pong_unasked() -> None:
    """A client's ping is echoed; a pong nobody asked for does no harm."""

    async def doing(talk: Talk) -> None:
        async with talk.socket("/public/ws") as client:
            client.send(b"unasked", 0xA)
            client.send(b"hello", PING)
            await client.ask({"method": "LIST_SUBSCRIPTIONS", "id": 1})
            assert client.pongs == [b"hello"]

    running(doing)


def test_a_connection_has_a_lifetime() -> None:
    """After its lifetime a connection is closed properly, whatever it receives."""

    async def doing(talk: Talk) -> int:
        async with talk.socket("/public/ws/" + QUOTES) as client:
            return (await client.ended()).code

    assert running(doing, limits=Limits(lifetime_s=0.2), speed=20) == 1000


@pytest.mark.parametrize(("payload", "code"), [(b"", 1000), (struct.pack(">H", 1001) + b"bye", 1001)])
def test_a_close_frame_comes_back(payload: bytes, code: int) -> None:
    """The server answers a close frame with the code it got, a valid one when it got none, and hangs up."""

    async def doing(talk: Talk) -> int:
        async with talk.socket("/public/ws/" + QUOTES) as client:
            client.send(payload, CLOSE)
            end = await client.ended()
            await talk.until(lambda: not talk.exchange.connections)
            return end.code

    assert running(doing) == code


def test_the_common_client_library_is_content() -> None:
    """The websockets library, strict about the protocol, subscribes, listens, pings and closes without complaint."""

    async def doing(talk: Talk) -> None:
        url = f"{talk.exchange.stream_url}/public/stream?streams={QUOTES}"
        async with websockets.asyncio.client.connect(url, proxy=None) as client:
            await client.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": 1}))
            said = [json.loads(await client.recv()) for _ in range(20)]
            assert {"result": [QUOTES], "id": 1} in said
            assert sum(one.get("stream") == QUOTES for one in said) >= 19
            await (await client.ping())
        assert client.close_code == 1000
        assert (await talk.get("ping")).status == 200

    running(doing, speed=20)


# -- hostile clients -------------------------------------------------------------------------------------------------

HUGE = {
    "one frame": masked(TEXT, b"x" * (MESSAGE_BYTES_MAX + 1)),
    "one declared frame": struct.pack(">BBQ", 0x81, 0xFF, 1 << 60) + b"mask" + b"x" * 1_000,
    "many fragments": masked(TEXT, b"x" * (MESSAGE_BYTES_MAX // 2), fin=False)
    + masked(CONTINUATION, b"x" * (MESSAGE_BYTES_MAX // 2 + 1), fin=False),
}


@pytest.mark.parametrize("kind", HUGE)
def test_huge_messages_end_their_connection_only(kind: str) -> None:
    """A message beyond 128 KiB, however it is cut, closes with 1009; another client hears on."""

    async def doing(talk: Talk) -> int:
        async with talk.socket("/public/ws/" + QUOTES) as other:
            async with talk.socket("/public/ws") as client:
                client.writer.write(HUGE[kind])
                code = (await client.ended()).code
            assert (await other.event())["e"] == "bookTicker"
            return code

    assert running(doing, speed=20) == 1009


@pytest.mark.parametrize(
    "data",
    [
        b"\x81\x05hello",  # not masked
        masked(0x5, b"x"),  # an opcode that is none
        masked(PING, b"x" * 126),  # a control frame that is too long
        masked(CLOSE, b"\x03"),  # half a close code
        masked(CLOSE, struct.pack(">H", 1000) + b"\xff\xfe"),  # a reason that is no text
        masked(CONTINUATION, b"x", fin=False) * 50,
        b"\x00" * 5_000,
        bytes(range(256)) * 50,
    ],
    ids=("bare", "opcode", "long ping", "half a code", "no text", "pieces", "zeros", "every byte"),  # masks are random
)
def test_breaches_of_the_protocol_harm_nobody_else(data: bytes) -> None:
    """Whatever bytes a client sends after its handshake, the server goes on and others hear their streams."""

    async def doing(talk: Talk) -> None:
        async with talk.socket("/public/ws/" + QUOTES) as other:
            async with talk.socket("/public/ws") as client:
                client.writer.write(data)
                client.writer.write(masked(CLOSE, b""))
                client.writer.write_eof()
                await client.ended()
            assert (await other.event())["e"] == "bookTicker"
            await talk.until(lambda: len(talk.exchange.connections) == 1)

    running(doing, speed=20)


def test_binary_frames_are_read_as_text() -> None:
    """A control message in a binary frame works; binary noise is answered as bad JSON."""

    async def doing(talk: Talk) -> None:
        async with talk.socket("/public/ws") as client:
            client.send(b'{"method":"LIST_SUBSCRIPTIONS","id":1}', BINARY)
            assert await client.event() == {"result": [], "id": 1}
            client.send(b"\x00\xff\x01", BINARY)
            assert (await client.event())["code"] == 3

    running(doing)


def test_a_message_may_come_in_fragments() -> None:
    """A control message cut into frames, with a ping between, is one message."""

    async def doing(talk: Talk) -> None:
        async with talk.socket("/public/ws") as client:
            client.send(b'{"method":"LIST_', TEXT, fin=False)
            client.send(b"between", PING)
            client.send(b'SUBSCRIPTIONS","id":1}', CONTINUATION)
            assert (await client.event(), client.pongs) == ({"result": [], "id": 1}, [b"between"])

    running(doing)


@pytest.mark.parametrize(
    "junk",
    [
        b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01" * 100 + b"\r\n\r\n", b"POST /public/ws HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /public/ws HTTP/1.1\r\nX: " + b"y" * 200_000 + b"\r\n\r\n", b"",
    ],
)  # fmt: skip
def test_what_is_no_handshake_is_turned_away(junk: bytes) -> None:
    """Plain HTTP, TLS, endless headers or nothing at all leave no connection behind, and the next client is served."""

    async def doing(talk: Talk) -> None:
        host, _, port = talk.exchange.stream_url.removeprefix("ws://").partition(":")
        with socket.create_connection((host, int(port))) as raw:
            raw.setblocking(False)
            with contextlib.suppress(OSError):
                raw.send(junk)
            async with talk.socket("/public/ws/" + QUOTES) as client:
                assert (await client.event())["e"] == "bookTicker"
                assert len(talk.exchange.connections) == 1

    running(doing, speed=20)


def test_a_storm_of_connections_leaves_nothing_behind() -> None:
    """300 clients that connect, subscribe and vanish, half of them without a word, leave no reader behind."""

    async def doing(talk: Talk) -> None:
        for number in range(300):
            async with talk.socket(f"/public/ws/{QUOTES}/btcusdt@depth5") as client:
                if number % 2:
                    client.writer.transport.abort()
                elif number % 4:
                    client.send(b"", CLOSE)
        await talk.until(lambda: not talk.exchange.connections and not talk.exchange.hub.read)
        async with talk.socket("/public/ws/" + QUOTES) as client:
            assert (await client.event())["e"] == "bookTicker"

    running(doing)


def test_a_cut_connection_ends_without_a_close_frame() -> None:
    """``cut`` drops the connection at once: the client sees the end and no goodbye."""

    async def doing(talk: Talk) -> Ended:
        async with talk.socket("/public/ws") as client:
            await client.ask({"method": "LIST_SUBSCRIPTIONS", "id": 1})
            for connection in list(talk.exchange.connections):
                connection.cut()
                connection.deliver(b"never")
            return await client.ended()

    assert running(doing).code == 0
