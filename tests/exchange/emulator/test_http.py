"""The HTTP protocol: requests in any pieces, answers in order, and ends at any byte, over sockets and in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.emulator.http import BODY_BYTES_MAX, HEAD_BYTES_MAX, HttpConnection, Reply, Request, Respond

GET = b"GET /fapi/v1/ping?a=1 HTTP/1.1\r\nHost: x\r\nX-MBX-APIKEY: k\r\n\r\n"
POST = b"POST /fapi/v1/order HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na=1"
PATIENCE_S = 10.0


class Wire(asyncio.Transport):
    """A transport in memory: what was written, and how it ended."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.ended = ""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.ended
        self.written += bytes(data)

    def close(self) -> None:
        self.ended = self.ended or "closed"

    def abort(self) -> None:
        self.ended = self.ended or "cut"

    def is_closing(self) -> bool:
        return bool(self.ended)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("10.0.0.9", 1) if name == "peername" else default


class Server:
    """A connection in memory whose requests are kept, answered at once or when the test says so."""

    def __init__(self, *, reply: Reply | None = None, **options: Any) -> None:
        self.requests: list[Request] = []
        self.waiting: list[Respond] = []
        self.reply = reply
        self.open: set[HttpConnection] = set()
        self.connection = HttpConnection(self.answer, self.open, **options)
        self.wire = Wire()
        self.connection.connection_made(self.wire)

    def answer(self, request: Request, respond: Respond) -> None:
        self.requests.append(request)
        if self.reply is not None:
            respond(self.reply)
        else:
            self.waiting.append(respond)

    def hear(self, data: bytes) -> Server:
        self.connection.data_received(data)
        return self


OK = Reply(200, b"{}")


def test_a_request_is_read_whole() -> None:
    """Method, path, raw query, headers in lower case, body and address are what was sent."""
    server = Server(reply=OK).hear(GET).hear(POST)
    first, second = server.requests
    assert (first.method, first.path, first.query, first.body) == ("GET", "/fapi/v1/ping", b"a=1", b"")
    assert first.headers == {"host": "x", "x-mbx-apikey": "k"} and first.address == "10.0.0.9"
    assert (second.call, second.body) == ("POST /fapi/v1/order", b"a=1")


def test_a_request_shows_no_secret() -> None:
    """Printed, a request is its call: no header, query or body."""
    server = Server(reply=OK).hear(GET)
    assert repr(server.requests[0]) == "Request(GET /fapi/v1/ping)"


@settings(max_examples=60)
@given(st.lists(st.integers(0, len(GET + POST + GET)), max_size=6))
def test_pieces_do_not_matter(cuts: list[int]) -> None:
    """However the bytes of three requests are split, the same three requests are answered."""
    data, places = GET + POST + GET, sorted(cuts)
    server = Server(reply=OK)
    for start, end in zip([0, *places], [*places, len(data)], strict=True):
        server.hear(data[start:end])
    assert [one.call for one in server.requests] == ["GET /fapi/v1/ping", "POST /fapi/v1/order", "GET /fapi/v1/ping"]
    assert server.wire.written == OK.encoded() * 3


@settings(max_examples=150)
@given(st.binary(max_size=300))
def test_random_bytes_break_nothing(data: bytes) -> None:
    """Whatever arrives, the connection answers, waits or ends with a 4xx; it never raises."""
    server = Server(reply=OK).hear(data)
    assert server.wire.written[:9] in (b"", b"HTTP/1.1 ")


def test_answers_keep_the_order_of_their_requests() -> None:
    """A second request waits in the buffer until the first is answered."""
    server = Server().hear(GET + POST)
    assert len(server.requests) == 1
    server.waiting[0](Reply(200, b"1"))
    assert len(server.requests) == 2 and server.wire.written.endswith(b"\r\n\r\n1")
    server.waiting[1](Reply(200, b"2"))
    assert server.wire.written.endswith(b"\r\n\r\n2")


def test_a_thousand_requests_in_one_piece_are_answered() -> None:
    """Pipelined requests are a loop, not a recursion."""
    server = Server(reply=OK).hear(GET * 5_000)
    assert len(server.requests) == 5_000


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET\r\n\r\n", 400),
        (b"GET / HTTP/2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n folded: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (BODY_BYTES_MAX + 1), 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", 413),
        (b"GET /" + b"a" * HEAD_BYTES_MAX, 431),
        (b"GET /" + b"a" * HEAD_BYTES_MAX + b" HTTP/1.1\r\n\r\n", 400),
    ],
)
def test_what_is_no_http_is_answered_and_closed(data: bytes, status: int) -> None:
    """A request that breaks the protocol or a bound gets an HTML answer with its status, and the connection ends."""
    server = Server(reply=OK).hear(data).hear(GET)
    assert server.wire.written.startswith(b"HTTP/1.1 %d " % status) and b"text/html" in server.wire.written
    assert server.wire.ended == "closed" and not server.requests


def test_a_chunked_body_is_joined() -> None:
    """Chunks with extensions, in pieces, give the body they carry."""
    data = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\na=1\r\n4\r\n&b=2\r\n0\r\n\r\n"
    server = Server(reply=OK)
    for place in range(len(data)):
        server.hear(data[place : place + 1])
    assert [one.body for one in server.requests] == [b"a=1&b=2"]


def test_a_body_may_be_announced() -> None:
    """A client that asks whether to go on is told to, and then answered."""
    server = Server(reply=OK).hear(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    assert server.wire.written == b"HTTP/1.1 100 Continue\r\n\r\n"
    server.hear(b"a=1")
    assert server.requests[0].body == b"a=1" and server.wire.written.endswith(OK.encoded())


@pytest.mark.parametrize(
    ("head", "stays"),
    [
        (b"GET / HTTP/1.1\r\n", True),
        (b"GET / HTTP/1.1\r\nConnection: close\r\n", False),
        (b"GET / HTTP/1.0\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n", True),
    ],
)
def test_connections_are_kept_as_http_says(head: bytes, stays: bool) -> None:
    """HTTP/1.1 keeps the connection unless told otherwise, 1.0 closes it; the answer says so."""
    server = Server(reply=OK).hear(head + b"\r\n")
    assert server.wire.ended == ("" if stays else "closed")
    assert (b"Connection: close" in server.wire.written) is not stays


def test_a_question_for_the_head_gets_no_body() -> None:
    """HEAD is answered with the headers of the answer alone."""
    server = Server(reply=Reply(404, b"12345")).hear(b"HEAD / HTTP/1.1\r\n\r\n")
    assert server.wire.written.endswith(b"Content-Length: 5\r\n\r\n")


def test_the_absolute_form_is_understood() -> None:
    """A target with scheme and host is its path."""
    server = Server(reply=OK).hear(b"GET http://127.0.0.1:1/fapi/v1/time?x=1 HTTP/1.1\r\n\r\n")
    assert (server.requests[0].path, server.requests[0].query) == ("/fapi/v1/time", b"x=1")


def test_headers_of_an_answer_replace_the_usual_ones() -> None:
    """A plan may lie about the length; names compare without case."""
    data = Reply(200, b"ab", {"content-length": "9", "X-A": "1"}).encoded()
    assert data.count(b"ength: ") == 1 and b"content-length: 9" in data and b"X-A: 1" in data


@pytest.mark.parametrize("at_byte", range(len(OK.encoded()) + 2))
def test_an_answer_may_end_at_any_byte(at_byte: int) -> None:
    """Exactly that many bytes leave, then the connection ends and nothing more is read."""
    server = Server(reply=Reply(200, b"{}", cut_at=at_byte)).hear(GET + GET)
    assert server.wire.written == OK.encoded()[:at_byte]
    assert server.wire.ended == "closed" and len(server.requests) == 1


def test_a_hanging_answer_keeps_the_connection_open_and_silent() -> None:
    """Nothing is written and nothing more is read, but the connection stays."""
    server = Server(reply=Reply(hang=True)).hear(GET + GET)
    assert (server.wire.written, server.wire.ended, len(server.requests)) == (b"", "", 1)


@pytest.mark.parametrize("at_byte", [0, 1, 20, 41, len(POST) - 1])
def test_a_request_may_end_at_any_byte(at_byte: int) -> None:
    """When that byte has come the connection ends and nobody is asked; the call is met once, by its line."""
    calls: list[str] = []

    def intercept(call: str) -> tuple[int, bool] | None:
        calls.append(call)
        return at_byte, False

    server = Server(reply=OK, intercept=intercept)
    for place in range(len(POST)):
        server.hear(POST[place : place + 1])
    assert (server.wire.ended, server.requests, calls) == ("closed", [], ["POST /fapi/v1/order"])


def test_only_the_intercepted_request_ends() -> None:
    """The requests before it are answered."""
    plans = iter([None, (5, False)])
    server = Server(reply=OK, intercept=lambda call: next(plans)).hear(GET + GET + GET)
    assert (len(server.requests), server.wire.ended) == (1, "closed")


def test_a_refused_connection_ends_at_once() -> None:
    """Nothing it sends is read, and it is not counted as open."""
    server = Server(reply=OK, refused=lambda: True)
    assert server.wire.ended == "closed" and not server.open
    assert not server.hear(GET).requests


def test_an_answer_to_somebody_who_left_goes_nowhere() -> None:
    """A late answer after the connection is lost is dropped, and the connection is forgotten."""
    server = Server().hear(GET)
    server.connection.connection_lost(None)
    server.waiting[0](OK)
    assert server.wire.written == b"" and not server.open


# -- over sockets ----------------------------------------------------------------------------------------------------


def serving(reply: Reply, doing: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]) -> Any:
    """Run a client against a server that always gives ``reply``."""

    async def run() -> Any:
        open_: set[HttpConnection] = set()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: HttpConnection(lambda request, respond: respond(reply), open_), "127.0.0.1", 0
        )
        async with server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
            try:
                async with asyncio.timeout(PATIENCE_S):
                    return await doing(reader, writer)
            finally:
                writer.close()

    return uvloop.run(run())


def test_a_reset_is_a_reset_on_the_wire() -> None:
    """The client sees a reset connection, not an orderly end."""

    async def doing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GET)
        with pytest.raises(ConnectionResetError):
            assert await reader.read() == b""
            raise AssertionError("an orderly end")

    serving(Reply(cut_at=0, reset=True), doing)


def test_a_cut_answer_arrives_up_to_its_byte() -> None:
    """The bytes before the cut are read, then the stream ends."""

    async def doing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(GET)
        return await reader.read()

    assert serving(Reply(200, b"{}", cut_at=30), doing) == OK.encoded()[:30]
