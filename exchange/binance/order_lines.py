"""A few lines to one host, kept open and warm: the first order pays for no name look-up, no TCP and no TLS.

Two lines: an exit prefers the second, so that it never queues behind an entry's answer. An idle line is probed, one at
a time, so that a dead one is found before an order is; a lost one is opened again under one budget of attempts, and at
once when an exit waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random as dice
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from exchange.binance.order_line import Answer, Connect, Done, OrderLine, Sent
from exchange.binance.pace import Attempts, Pace

TICK_S = 0.25
DAY_S = 86_400.0


class Line(Protocol):
    """One connection: HTTP (``OrderLine``) or a socket of the WebSocket API. Past ``until_s`` it had better be new."""

    opened_s: float
    used_s: float
    until_s: float

    @property
    def open(self) -> bool: ...

    @property
    def waiting(self) -> int: ...

    def send(self, request: bytes, done: Done, deadline_s: float) -> None: ...

    def end(self, why: str) -> None: ...


OpenLine = Callable[[Callable[[Line, str], None]], Awaitable[Line]]
"""``open(down)``: a line that is open; ``down(line, why)`` is called when it has ended. Raises when it cannot."""


def http_lines(connect: Connect) -> OpenLine:
    """HTTP lines over ``connect`` (see ``order_line.connector``)."""

    async def open_line(down: Callable[[Line, str], None]) -> Line:
        line = OrderLine(asyncio.get_running_loop(), down)
        try:
            await connect(lambda: line)
        except BaseException:
            line.end("never used")
            raise
        return line

    return open_line


class LineLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of the lines, seconds."""

    connect_s: float = 5.0
    """TCP, TLS and an upgrade where there is one; two SYN retransmissions fit."""
    probe_every_s: float = 10.0
    """An idle line is asked something: front ends close idle connections after a minute at the earliest."""
    probe_s: float = 3.0
    """A probe without an answer by then means that the line is dead."""


class LineStats(msgspec.Struct, frozen=True):
    open: int
    sent: int
    unknown: int
    not_sent: int
    connects: int
    failures: int
    probes: int
    last_end: str


class OrderLines:
    """``send(request, done, deadline_s)`` as on one line. ``start`` inside a running loop, ``close`` at the end.

    ``heed`` sees every answer before its listener does (limits are told in headers); ``quiet`` says whether the venue
    has told us to be silent, and stops probes. ``probe`` is a whole request, b"" for none.
    """

    def __init__(
        self,
        open_line: OpenLine,
        *,
        probe: bytes = b"",
        count: int = 2,
        limits: LineLimits | None = None,
        pace: Pace | None = None,
        heed: Callable[[Answer], None] | None = None,
        quiet: Callable[[], bool] | None = None,
    ) -> None:
        self._open_line = open_line
        self._probe = probe
        self._limits = limits or LineLimits()
        self._pace = pace or Pace(Attempts(), dice.random)
        self._heed = heed
        self._quiet = quiet or (lambda: False)
        self._lines: list[Line | None] = [None] * count
        self._tasks: list[asyncio.Task[None]] = []
        self._woken, self._opened = asyncio.Event(), asyncio.Event()
        self._urgent = False
        self._sent = self._unknown = self._not_sent = self._connects = self._failures = self._probes = 0
        self._last_end = ""

    # -- life -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._loop = asyncio.get_running_loop()
        for number in range(len(self._lines)):
            self._tasks.append(self._loop.create_task(self._keep(number), name=f"order line {number}"))
        self._tasks.append(self._loop.create_task(self._keep_warm(), name="order lines warm"))

    async def close(self) -> None:
        """Drop every line. Whoever waits for an answer learns that nothing is known. Idempotent."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for line in list(self._lines):
            if line is not None:
                line.end("closed by us")

    async def ready(self, timeout_s: float, count: int | None = None) -> bool:
        """Wait until so many lines (all of them) are open; False when the time is up."""
        wanted = len(self._lines) if count is None else count
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.open < wanted:
                    self._opened.clear()
                    await self._opened.wait()
        return self.open >= wanted

    @property
    def open(self) -> int:
        return sum(line is not None and line.open for line in self._lines)

    def stats(self) -> LineStats:
        return LineStats(
            self.open, self._sent, self._unknown, self._not_sent, self._connects, self._failures, self._probes,
            self._last_end,
        )  # fmt: skip

    # -- use --------------------------------------------------------------------------------------------------

    def send(self, request: bytes, done: Done, deadline_s: float, *, exit: bool = False) -> None:
        """Write ``request`` to the line that is least busy. ``done`` is never called before this returns."""
        best = self.best(exit=exit)
        if best is None:
            self._not_sent += 1
            asyncio.get_running_loop().call_soon(done, Answer(Sent.NOT_SENT, why="no connection is open"))
            if exit:
                self._urgent = True
                self._woken.set()
            return
        self._sent += 1
        best.send(request, self._noting(done), deadline_s)

    def best(self, *, exit: bool = False) -> Line | None:
        """The open line with the fewest answers to come; for an exit the last of equals."""
        best: Line | None = None
        for line in reversed(self._lines) if exit else self._lines:
            if line is not None and line.open and (best is None or line.waiting < best.waiting):
                best = line
        return best

    def _noting(self, done: Done) -> Done:
        def noted(answer: Answer) -> None:
            if answer.outcome is Sent.UNKNOWN:
                self._unknown += 1
            elif self._heed is not None:
                self._heed(answer)
            done(answer)

        return noted

    # -- keeping ----------------------------------------------------------------------------------------------

    async def _keep(self, number: int) -> None:
        """Open line ``number`` whenever it is not, and let one that is old and idle go while another is there."""
        while True:
            line, now_s = self._lines[number], self._loop.time()
            if line is None:
                wait_s = self._pace.wait_s(now_s, urgent=self._urgent)
                if wait_s <= 0:
                    await self._open(number)
                    continue
                wait_s = min(wait_s, TICK_S)
            elif now_s < line.until_s:
                wait_s = line.until_s - now_s
            elif not line.waiting and self.open == len(self._lines):
                line.end("old enough")
                continue
            else:
                wait_s = TICK_S
            self._woken.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(wait_s, DAY_S)):  # wait_for can swallow the cancel of a woken task
                    await self._woken.wait()

    async def _open(self, number: int) -> None:
        self._pace.tried(self._loop.time())
        self._connects += 1
        try:
            async with asyncio.timeout(self._limits.connect_s):
                line = await self._open_line(lambda line, why: self._down(number, line, why))
        except asyncio.CancelledError:
            self._pace.failed(self._loop.time())
            raise
        except Exception as error:  # refused, no such host, TLS, too slow, or what a WebSocket library makes of it
            self._failures += 1
            self._last_end = f"no connection ({type(error).__name__})"
            self._pace.failed(self._loop.time())
            return
        if not line.open:  # it ended as soon as it was there
            self._pace.failed(self._loop.time())
            return
        self._pace.opened()
        self._lines[number] = line
        self._opened.set()
        self._urgent = False

    def _down(self, number: int, line: Line, why: str) -> None:
        if self._lines[number] is line:
            self._lines[number] = None
            self._last_end = why
            self._pace.lost(self._loop.time(), self._loop.time() - line.opened_s)
            self._woken.set()

    async def _keep_warm(self) -> None:
        """Probe one idle line at a time, so that another is always free for an order."""
        wait_s = TICK_S
        while True:
            await asyncio.sleep(wait_s)
            wait_s = TICK_S
            if not self._probe or self._quiet() or any(line is not None and line.waiting for line in self._lines):
                continue
            idle = [line for line in self._lines if line is not None and line.open]
            line = min(idle, key=lambda one: one.used_s, default=None)
            if line is None:
                continue
            wait_s = line.used_s + self._limits.probe_every_s - self._loop.time()
            if wait_s <= 0:
                self._probes += 1
                line.send(self._probe, self._noting(lambda answer: None), self._limits.probe_s)
            wait_s = max(wait_s, TICK_S)
