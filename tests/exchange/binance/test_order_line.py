"""One line over real loopback sockets: every request ends in exactly one answer, whatever the server does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange.binance.order_line import Answer, Connect, OrderLine, Sent, asked, connector
from models.error import ConfigurationError
from tests.exchange.binance.desk import on_uvloop, until
from tests.fakes.order_server import HOLD, OrderServer, Reply, http

REQUEST = b"POST /fapi/v1/order HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na=1"
ANSWER = http(200, b'{"orderId":7}', X_MBX_ORDER_COUNT_10S="1")
CHUNKED = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"ord\r\n8\r\nerId":7}\r\n0\r\n\r\n'
FAR_S = 30.0


class Ends(list[str]):
    def down(self, line: OrderLine, why: str) -> None:
        self.append(why)


async def _line(connect: Connect, ends: Ends) -> OrderLine:
    line = OrderLine(asyncio.get_running_loop(), ends.down)
    await connect(lambda: line)
    return line


def with_line(doing: Callable[[OrderServer, OrderLine, Ends], Awaitable[Any]]) -> Any:
    """Run ``doing`` with a fresh server and a line to it."""

    async def run() -> Any:
        async with OrderServer() as server:
            ends = Ends()
            line = await _line(connector(server.url), ends)
            result = await doing(server, line, ends)
            line.end("the test is over")
            return result

    return on_uvloop(run())


def test_a_request_leaves_as_it_was_given() -> None:
    """The server receives exactly the bytes, and the answer comes back whole."""

    async def run(server: OrderServer, line: OrderLine, ends: Ends) -> None:
        server.script.append(ANSWER)
        answer = await asked(line.send, REQUEST, FAR_S)
        assert server.requests[0].raw == REQUEST
        assert (answer.outcome, answer.status, answer.body) == (Sent.ANSWERED, 200, b'{"orderId":7}')
        assert answer.headers["x-mbx-order-count-10s"] == "1"

    with_line(run)


def test_answers_belong_to_requests_in_their_order() -> None:
    """Requests written one after the other without waiting get their own answers."""

    async def run(server: OrderServer, line: OrderLine, ends: Ends) -> list[bytes]:
        server.script += [http(200, b"%d" % number) for number in range(5)]
        answers = await asyncio.gather(*(asked(line.send, REQUEST, FAR_S) for _ in range(5)))
        return [answer.body for answer in answers]

    assert with_line(run) == [b"0", b"1", b"2", b"3", b"4"]


@pytest.mark.parametrize("whole", [ANSWER, CHUNKED, b"HTTP/1.1 100 Continue\r\n\r\n" + ANSWER])
@pytest.mark.parametrize("reset", [False, True])
def test_a_cut_at_every_byte_of_the_answer_leaves_the_outcome_unknown(whole: bytes, reset: bool) -> None:
    """Wherever an answer ends too early, by an end or a reset, its request is UNKNOWN and the line is gone (F17)."""

    async def run() -> list[tuple[int, Sent, int]]:
        wrong = []
        async with OrderServer() as server:
            connect = connector(server.url)
            for cut in range(len(whole)):
                ends = Ends()
                line = await _line(connect, ends)
                server.script.append(Reply((whole[:cut],), end=True, reset=reset))
                answer = await asked(line.send, REQUEST, FAR_S)
                if answer.outcome is not Sent.UNKNOWN or len(ends) != 1:
                    wrong.append((cut, answer.outcome, len(ends)))
        return wrong

    assert on_uvloop(run()) == []


@pytest.mark.parametrize("whole", [ANSWER, CHUNKED])
def test_an_answer_in_two_pieces_cut_at_every_byte_is_the_answer(whole: bytes) -> None:
    """However the network cuts an answer, it is read as one."""

    async def run(server: OrderServer, line: OrderLine, ends: Ends) -> None:
        for cut in range(1, len(whole)):
            server.script.append(Reply((whole[:cut], whole[cut:])))
            assert (await asked(line.send, REQUEST, FAR_S)).body == b'{"orderId":7}'

    with_line(run)


def test_everything_written_is_unknown_when_the_line_ends() -> None:
    """All requests that wait on a line learn that nothing is known, each once, before the line is told as down."""

    async def run(server: OrderServer, line: OrderLine, ends: Ends) -> None:
        server.script += [ANSWER, HOLD]
        heard: list[Answer] = []
        for _ in range(3):
            line.send(REQUEST, heard.append, FAR_S)
        await until(lambda: heard and len(server.requests) >= 2)
        server.writers[0].transport.abort()
        await until(lambda: ends)
        assert [answer.outcome for answer in heard] == [Sent.ANSWERED, Sent.UNKNOWN, Sent.UNKNOWN]
        assert not line.open

    with_line(run)


def test_no_answer_in_time_is_unknown_and_ends_the_line() -> None:
    """After the deadline nobody waits any longer, and the line with its missing answer is dropped."""

    async def run(server: OrderServer, line: OrderLine, ends: Ends) -> Answer:
        server.script.append(HOLD)
        answer = await asked(line.send, REQUEST, 0.02)
        assert ends == ["no answer in time"]
        return answer

    assert with_line(run).outcome is Sent.UNKNOWN


def test_an_answer_in_time_stops_its_deadline() -> None:
    """A line lives on after the deadline of an answered request."""

    async def run(server: OrderServer, line: OrderLine, ends: Ends) -> None:
        await asked(line.send, REQUEST, 0.05)
        server.script.append(HOLD)
        line.send(REQUEST, lambda answer: None, FAR_S)
        await asyncio.sleep(0.08)
        assert (line.waiting, ends) == (1, [])

    with_line(run)


@pytest.mark.parametrize(
    "reply", [b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 ", b"rubbish\r\n\r\n"]
)
def test_bytes_nobody_asked_for_end_the_line(reply: bytes) -> None:
    """What comes while nobody waits is never kept as the answer to a later request."""

    async def run(server: OrderServer, line: OrderLine, ends: Ends) -> None:
        await until(lambda: server.writers)
        server.writers[0].write(reply)
        await until(lambda: ends)
        assert not line.open

    with_line(run)


def test_a_second_answer_to_one_request_ends_the_line() -> None:
    """Two answers for one request cannot both be right; the line is dropped after the first."""

    async def run(server: OrderServer, line: OrderLine, ends: Ends) -> None:
        server.script.append(ANSWER + ANSWER)
        assert (await asked(line.send, REQUEST, FAR_S)).outcome is Sent.ANSWERED
        await until(lambda: ends)

    with_line(run)


def test_a_goodbye_is_kept() -> None:
    """After «Connection: close» the answer counts and nothing more is written to the line."""

    async def run(server: OrderServer, line: OrderLine, ends: Ends) -> None:
        server.script.append(http(200, b"{}", Connection="close"))
        assert (await asked(line.send, REQUEST, FAR_S)).outcome is Sent.ANSWERED
        assert not line.open

    with_line(run)


def test_a_listener_that_fails_takes_no_other_answer_with_it() -> None:
    """An exception of one listener goes to the loop; the next answer still arrives."""

    async def run(server: OrderServer, line: OrderLine, ends: Ends) -> None:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))

        def failing(answer: Answer) -> None:
            raise ValueError("a listener's mistake")

        line.send(REQUEST, failing, FAR_S)
        assert (await asked(line.send, REQUEST, FAR_S)).outcome is Sent.ANSWERED
        assert (len(told), line.errors) == (1, 1)

    with_line(run)


def test_nagle_is_off() -> None:
    """A small request does not wait for the acknowledgement of the one before."""

    async def run(server: OrderServer, line: OrderLine, ends: Ends) -> int:
        import socket

        assert line._transport is not None
        raw = line._transport.get_extra_info("socket")
        return int(raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    assert with_line(run) != 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.one_of(st.binary(max_size=40), st.just(ANSWER), st.just(CHUNKED)), max_size=5), st.integers(1, 4))
def test_any_bytes_give_each_request_exactly_one_answer(pieces: list[bytes], count: int) -> None:
    """Whatever a server sends, each listener is called once, and only whole answers count as answers."""

    async def run() -> None:
        loop, ends = asyncio.get_running_loop(), Ends()
        line = OrderLine(loop, ends.down)
        line.connection_made(_Wire())
        heard: list[list[Answer]] = [[] for _ in range(count)]
        for answers in heard:
            line.send(REQUEST, answers.append, FAR_S)
        for piece in pieces:
            line.data_received(piece)
        line.connection_lost(None)
        line.connection_lost(None)
        assert [len(answers) for answers in heard] == [1] * count
        assert len(ends) == 1
        whole = [answers[0] for answers in heard if answers[0].outcome is Sent.ANSWERED]
        assert len(whole) <= b"".join(pieces).count(b"HTTP/1.")

    asyncio.run(run())


class _Wire(asyncio.Transport):
    """A transport in memory."""

    def __init__(self) -> None:
        super().__init__()
        self._closing = False

    def write(self, data: Any) -> None:
        assert not self._closing

    def is_closing(self) -> bool:
        return self._closing

    def abort(self) -> None:
        self._closing = True


@pytest.mark.parametrize("url", ["fapi.binance.com", "ws://x", "https://"])
def test_a_wrong_address_is_refused(url: str) -> None:
    """An address that is no http(s) URL is a configuration mistake."""
    with pytest.raises(ConfigurationError, match="must look like"):
        connector(url)
