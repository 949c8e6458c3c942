"""The pool of lines: warm, two of them, and open again after whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from exchange.binance.order_line import Answer, Sent, asked, connector
from exchange.binance.order_lines import LineLimits, OrderLines, http_lines
from exchange.binance.pace import Attempts, Budget, Pace
from tests.exchange.binance.desk import on_uvloop, until
from tests.fakes.order_server import HOLD, Asked, OrderServer, Reply, http

ENTRY = b"POST /entry HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
EXIT = b"POST /exit HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
PROBE = b"GET /fapi/v1/ping HTTP/1.1\r\nHost: x\r\n\r\n"
FAR_S = 30.0


def _pace(budget: Budget) -> Pace:
    """Attempts as soon as may be."""
    return Pace(budget, lambda: 0.0)


def with_lines(doing: Callable[[OrderServer, OrderLines], Awaitable[Any]], **given: Any) -> Any:
    """Run ``doing`` with a fresh server and open lines to it."""

    async def run() -> Any:
        async with OrderServer() as server:
            lines = OrderLines(http_lines(connector(server.url)), pace=_pace(Attempts()), **given)
            lines.start()
            assert await lines.ready(5.0)
            try:
                return await doing(server, lines)
            finally:
                await lines.close()

    return on_uvloop(run())


def test_lines_are_open_before_the_first_order() -> None:
    """After ``ready`` both connections stand, and a request opens none."""

    async def run(server: OrderServer, lines: OrderLines) -> None:
        await until(lambda: server.connections == 2)
        await asked(lines.send, ENTRY, FAR_S)
        assert (server.connections, lines.open) == (2, 2)

    with_lines(run)


def test_an_exit_never_queues_behind_an_entry() -> None:
    """While an entry waits for its answer an exit takes the other line and is answered."""

    async def run(server: OrderServer, lines: OrderLines) -> Answer:
        server.script.append(HOLD)
        lines.send(ENTRY, lambda answer: None, FAR_S)
        await until(lambda: server.requests)

        def send(request: bytes, done: Any, deadline_s: float) -> None:
            lines.send(request, done, deadline_s, exit=True)

        return await asked(send, EXIT, FAR_S)

    assert with_lines(run).outcome is Sent.ANSWERED


def test_a_lost_line_is_opened_again() -> None:
    """When the venue closes both lines they are open again without anybody asking."""

    async def run(server: OrderServer, lines: OrderLines) -> None:
        await until(lambda: len(server.writers) == 2)
        for writer in list(server.writers):
            writer.transport.abort()
        await until(lambda: server.connections == 4 and lines.open == 2)
        assert (await asked(lines.send, ENTRY, FAR_S)).outcome is Sent.ANSWERED

    with_lines(run)


def test_without_a_line_nothing_is_sent_and_the_caller_learns_it_later() -> None:
    """With no line open the answer is NOT_SENT, and it never comes before ``send`` has returned."""

    async def run() -> None:
        async with OrderServer() as server:
            lines = OrderLines(http_lines(connector(server.url)))
            heard: list[Answer] = []
            lines.send(ENTRY, heard.append, FAR_S)
            assert heard == []
            await until(lambda: heard)
            assert heard[0].outcome is Sent.NOT_SENT
            assert server.requests == []

    on_uvloop(run())


def test_an_exit_without_a_line_is_no_matter_for_budgets() -> None:
    """With the budget of attempts used up an exit still gets its line within moments."""

    async def run() -> None:
        async with OrderServer() as server:
            lines = OrderLines(http_lines(connector(server.url)), pace=_pace(_Spent()))
            lines.start()
            await asyncio.sleep(0.05)
            assert lines.open == 0
            lines.send(EXIT, lambda answer: None, FAR_S, exit=True)
            await until(lambda: lines.open)
            await lines.close()

    on_uvloop(run())


class _Spent:
    """A budget that is used up for ever."""

    def wait_s(self, now_s: float) -> float:
        return 1e9

    def take(self, now_s: float) -> None:
        """Beyond the budget."""


def test_refused_connections_are_tried_again_at_a_bounded_rate() -> None:
    """While nobody listens attempts stay within the budget, and are counted."""

    async def run() -> int:
        async with OrderServer() as server:
            url = server.url
        lines = OrderLines(http_lines(connector(url)), pace=_pace(Attempts()))
        lines.start()
        await until(lambda: lines.stats().failures >= 10)
        await asyncio.sleep(0.1)
        failures = lines.stats().failures
        await lines.close()
        return failures

    assert on_uvloop(run()) == 10


def test_idle_lines_are_probed_one_at_a_time() -> None:
    """Every idle line is asked something from time to time, never two at once."""

    async def run(server: OrderServer, lines: OrderLines) -> None:
        await until(lambda: lines.stats().probes >= 3)
        assert {request.raw for request in server.requests} == {PROBE}
        assert lines.open == 2

    with_lines(run, probe=PROBE, limits=LineLimits(probe_every_s=0.0))


def test_a_line_that_does_not_answer_its_probe_is_replaced() -> None:
    """A probe without an answer proves a line dead before an order does."""

    async def run(server: OrderServer, lines: OrderLines) -> None:
        server.script.append(HOLD)
        await until(lambda: server.connections >= 3)
        await until(lambda: lines.open == 2)
        assert lines.stats().last_end == "no answer in time"

    with_lines(run, probe=PROBE, limits=LineLimits(probe_every_s=0.0, probe_s=0.02))


def test_no_probe_leaves_while_the_venue_wants_silence() -> None:
    """Probes stop when they would make a ban longer."""

    async def run(server: OrderServer, lines: OrderLines) -> int:
        await asyncio.sleep(0.6)
        return len(server.requests)

    assert with_lines(run, probe=PROBE, limits=LineLimits(probe_every_s=0.0), quiet=lambda: True) == 0


def test_headers_are_heeded_before_the_listener_hears() -> None:
    """The limits in an answer are known when its listener acts on it."""
    order: list[str] = []

    async def run(server: OrderServer, lines: OrderLines) -> None:
        server.standing = lambda request: http(200, b"{}", X_MBX_USED_WEIGHT_1M="5")
        heard: list[Answer] = []
        lines.send(ENTRY, lambda answer: (order.append("listener"), heard.append(answer))[0], FAR_S)
        await until(lambda: heard)

    with_lines(run, heed=lambda answer: order.append(answer.headers["x-mbx-used-weight-1m"]))
    assert order == ["5", "listener"]


def test_closing_tells_everybody_who_waits() -> None:
    """Requests under way when the lines are closed end as UNKNOWN."""

    async def run() -> list[Answer]:
        async with OrderServer() as server:
            lines = OrderLines(http_lines(connector(server.url)))
            lines.start()
            await lines.ready(5.0)
            server.script.append(HOLD)
            heard: list[Answer] = []
            lines.send(ENTRY, heard.append, FAR_S)
            await lines.close()
            return heard

    assert [answer.outcome for answer in on_uvloop(run())] == [Sent.UNKNOWN]


def test_a_venue_that_hangs_up_at_once_is_not_hammered() -> None:
    """Connections that end as soon as they stand count as failures of the pace."""

    async def run() -> int:
        async with OrderServer() as server:
            server.refusing = True
            lines = OrderLines(http_lines(connector(server.url)), pace=_pace(Attempts()))
            lines.start()
            await asyncio.sleep(0.3)
            await lines.close()
            return server.connections

    assert on_uvloop(run()) <= 20


def test_churn_leaves_nothing_behind() -> None:
    """After many lost connections the same number of tasks and lines is alive (F07)."""

    async def run() -> tuple[int, int]:
        async with OrderServer() as server:
            server.standing = lambda request: Reply((http(),), end=True) if _odd(request) else http()
            lines = OrderLines(http_lines(connector(server.url)), pace=_pace(_Free()))
            lines.start()
            await lines.ready(5.0)
            before = len(asyncio.all_tasks())
            for _ in range(60):
                await asked(lines.send, ENTRY, FAR_S)
                await until(lambda: lines.open == 2)
            await until(lambda: len(asyncio.all_tasks()) <= before)
            alive = lines.open
            await lines.close()
            return before - len(asyncio.all_tasks()), alive

    gone, alive = on_uvloop(run())
    assert (gone >= 3, alive) == (True, 2)


def _odd(request: Asked) -> bool:
    return request.path == "/entry"


class _Free:
    def wait_s(self, now_s: float) -> float:
        return 0.0

    def take(self, now_s: float) -> None:
        """Any number."""
