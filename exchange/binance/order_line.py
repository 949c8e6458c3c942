"""One warm connection for requests whose outcome matters: one write a request, answers matched by their order.

``send`` never waits. What it was given ends in exactly one ``Answer``: the venue's own, or UNKNOWN when the line ended,
the time was up or the bytes were no answer after the request had been written (faults F17, F33). Nothing is written to
a line that is closing; whoever finds no open line knows that nothing was sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import math
import socket
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import msgspec

from exchange.binance.http_answers import BODY_BYTES_MAX, AnswerParser, BrokenAnswer, HttpAnswer
from models.error import ConfigurationError

NO_HEADERS: dict[str, str] = {}


class Sent(enum.Enum):
    """What is known of a request without reading the venue's words."""

    ANSWERED = "ANSWERED"
    UNKNOWN = "UNKNOWN"  # written, at least in part; no answer that could be read
    NOT_SENT = "NOT_SENT"  # no byte of it left


class Answer(msgspec.Struct, frozen=True):
    """``status``, ``headers`` and ``body`` as the venue sent them when ANSWERED; ``why`` is for people."""

    outcome: Sent
    status: int = 0
    headers: dict[str, str] = NO_HEADERS
    body: bytes = b""
    why: str = ""


Done = Callable[[Answer], None]
Connect = Callable[[Callable[[], asyncio.Protocol]], Awaitable[object]]
"""Opens a connection for a protocol: ``loop.create_connection`` with its address, or something in memory."""


def connector(url: str, ssl_context: ssl.SSLContext | None = None) -> Connect:
    """Connections to ``https://fapi.binance.com`` or ``http://127.0.0.1:PORT``, with one TLS context for all."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"the REST address {url!r} must look like https://fapi.binance.com")
    secure = parts.scheme == "https"
    context = (ssl_context or ssl.create_default_context()) if secure else None
    host, port = parts.hostname, parts.port or (443 if secure else 80)

    async def connect(make: Callable[[], asyncio.Protocol]) -> object:
        return await asyncio.get_running_loop().create_connection(make, host, port, ssl=context)

    return connect


class _Waiting:
    __slots__ = ("done", "timer")

    def __init__(self, done: Done) -> None:
        self.done = done
        self.timer: asyncio.TimerHandle | None = None


class OrderLine(asyncio.Protocol):
    """One connection, used once: ``down(line, why)`` is called when it has ended, never before its answers are."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        down: Callable[[OrderLine, str], None],
        body_bytes_max: int = BODY_BYTES_MAX,
    ) -> None:
        self.opened_s = self.used_s = loop.time()
        self.until_s = math.inf
        self.errors = 0
        self._loop = loop
        self._down = down
        self._parser = AnswerParser(body_bytes_max)
        self._transport: asyncio.WriteTransport | None = None
        self._waiting: deque[_Waiting] = deque()
        self._ended = False

    # -- use --------------------------------------------------------------------------------------------------

    @property
    def open(self) -> bool:
        transport = self._transport
        return transport is not None and not transport.is_closing()

    @property
    def waiting(self) -> int:
        """Requests whose answers have not come."""
        return len(self._waiting)

    def send(self, request: bytes, done: Done, deadline_s: float) -> None:
        """Write ``request`` at once; the line must be ``open``. ``done`` gets its answer, later, exactly once."""
        assert self._transport is not None
        waiting = _Waiting(done)
        self._waiting.append(waiting)
        self._transport.write(request)
        self.used_s = self._loop.time()
        waiting.timer = self._loop.call_later(deadline_s, self._late)

    def end(self, why: str) -> None:
        """Drop the connection; whoever waits learns that nothing is known."""
        if self._ended:
            return
        self._ended = True
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        while self._waiting:
            self._tell(self._waiting.popleft(), Answer(Sent.UNKNOWN, why=why))
        self._down(self, why)

    # -- the connection ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self.opened_s = self.used_s = self._loop.time()
        raw = transport.get_extra_info("socket")
        if raw is not None:
            with contextlib.suppress(OSError):  # a socket that is no TCP
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        if self._ended:
            return
        try:
            answers = self._parser.feed(data)
        except BrokenAnswer as broken:
            self.end(f"the answer cannot be read: {broken}")
            return
        for answer in answers:
            if self._ended:
                return
            if not self._waiting:
                self.end("an answer nobody asked for")
                return
            self._tell(self._waiting.popleft(), _whole(answer))
            if not answer.keep:
                self.end("the venue ended the connection")
                return
        if self._parser.inside and not self._waiting:
            self.end("bytes nobody asked for")

    def eof_received(self) -> bool:
        self.end("the venue ended the connection")
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self.end("the connection was lost" + (f" ({type(error).__name__})" if error is not None else ""))

    def _late(self) -> None:
        self.end("no answer in time")

    def _tell(self, waiting: _Waiting, answer: Answer) -> None:
        """Hand over an answer. A listener that fails must not take the other answers with it: the loop is told."""
        if waiting.timer is not None:
            waiting.timer.cancel()
        try:
            waiting.done(answer)
        except Exception as error:
            self.errors += 1
            self._loop.call_exception_handler({"message": "an answer's listener failed", "exception": error})


def _whole(answer: HttpAnswer) -> Answer:
    return Answer(Sent.ANSWERED, answer.status, answer.headers, answer.body)


async def asked(send: Callable[[bytes, Done, float], None], request: bytes, deadline_s: float) -> Answer:
    """``send`` for whoever can wait."""
    answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def done(told: Answer) -> None:
        if not answer.done():  # the one who waited may be gone
            answer.set_result(told)

    send(request, done, deadline_s)
    return await answer
