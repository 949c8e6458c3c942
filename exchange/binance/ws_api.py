"""Order entry over the venue's WebSocket API, behind the interface of ``OrderLines`` (venue reference §1.6).

A request is one text frame with a number; its answer names the number. What is not answered ends as on an HTTP line:
UNKNOWN when it was written, NOT_SENT when no socket was open. The API's request weight is a pool of its own; order
counts are the account's, whatever way an order took.
"""

from __future__ import annotations

import asyncio
import random as dice
from collections.abc import Callable, Sequence

import msgspec
import orjson

from exchange.binance.order_line import NO_HEADERS, Answer, Done, Sent
from exchange.binance.order_lines import Line, OpenLine
from exchange.binance.requests import READ_WINDOW_MS, Params, Terms, order_params, stop_params
from exchange.binance.signing import Signer
from exchange.binance.user_stream import OpenSocket, Socket
from models.instrument import Instrument
from models.order import ApprovedOrder, OrderType

LIFETIME_S, LIFETIME_SPREAD = 23.0 * 3_600, 0.02
"""The venue cuts at 24 h; an idle socket makes way for a fresh one an hour before, each at its own time."""
_COUNT_HEADERS = {("ORDERS", "SECOND", 10): "x-mbx-order-count-10s", ("ORDERS", "MINUTE", 1): "x-mbx-order-count-1m"}


class WsRequests:
    """``OrderRequests`` as JSON without its number, which the socket puts before it."""

    probe = b""

    def __init__(self, signer: Signer, instruments: Sequence[Instrument], terms: Terms) -> None:
        self._signer = signer
        self._instruments = tuple(instruments)
        self._terms = terms

    def order(self, order: ApprovedOrder, at_ms: int) -> bytes:
        instrument = self._instruments[order.instrument]
        if order.type is OrderType.STOP_MARKET:
            return self.signed("algoOrder.place", stop_params(order, instrument, self._terms), at_ms)
        return self.signed("order.place", order_params(order, instrument, self._terms), at_ms)

    def cancel(self, instrument: int, client_id: str, at_ms: int) -> bytes:
        params = (
            ("symbol", self._instruments[instrument].symbol), ("origClientOrderId", client_id),
            ("recvWindow", str(READ_WINDOW_MS)),
        )  # fmt: skip
        return self.signed("order.cancel", params, at_ms)

    def cancel_stop(self, client_id: str, at_ms: int) -> bytes:
        return self.signed(
            "algoOrder.cancel", (("clientAlgoId", client_id), ("recvWindow", str(READ_WINDOW_MS))), at_ms
        )

    def signed(self, method: str, params: Params, at_ms: int) -> bytes:
        """Parameters sorted by name and signed as plain text; numbers as JSON numbers, decimals as text."""
        named = sorted((*params, ("apiKey", self._signer.api_key), ("timestamp", str(at_ms))))
        payload = "&".join(f"{name}={value}" for name, value in named).encode()
        whole: dict[str, str | int] = dict(named)
        for name in ("recvWindow", "timestamp"):
            if name in whole:
                whole[name] = int(whole[name])
        whole["signature"] = self._signer.sign_text(payload)
        return orjson.dumps({"method": method, "params": whole})[1:]


class _Limit(msgspec.Struct):
    rateLimitType: str
    interval: str
    intervalNum: int
    count: int = 0


class _Frame(msgspec.Struct):
    status: int
    id: int | str | None = None
    result: msgspec.Raw = msgspec.Raw(b"")
    error: msgspec.Raw = msgspec.Raw(b"")
    rateLimits: list[_Limit] = []


class _Waiting:
    __slots__ = ("done", "timer")

    def __init__(self, done: Done, timer: asyncio.TimerHandle) -> None:
        self.done = done
        self.timer = timer


class WsLine:
    """One socket of the API. ``down(line, why)`` once, after every answer."""

    def __init__(self, loop: asyncio.AbstractEventLoop, down: Callable[[Line, str], None], lifetime_s: float) -> None:
        self.opened_s = self.used_s = loop.time()
        self.until_s = self.opened_s + lifetime_s
        self._loop = loop
        self._down = down
        self._socket: Socket | None = None
        self._waiting: dict[int, _Waiting] = {}
        self._number = 0
        self._ended = False

    @property
    def open(self) -> bool:
        return self._socket is not None and not self._ended

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def opened(self, socket: Socket) -> None:
        self._socket = socket
        if self._ended:  # closed before we had it
            socket.abort()

    def send(self, request: bytes, done: Done, deadline_s: float) -> None:
        """Send ``request`` at once under a number of its own; the line must be ``open``."""
        assert self._socket is not None
        self._number += 1
        number = self._number
        self._waiting[number] = _Waiting(done, self._loop.call_later(deadline_s, self._late, number))
        self._socket.send(b'{"id":%d,' % number + request)
        self.used_s = self._loop.time()

    def on_frame(self, payload: bytes, received_ns: int) -> None:
        if self._ended:
            return
        try:
            frame = msgspec.json.decode(payload, type=_Frame)
        except msgspec.DecodeError:
            self.end("the answer cannot be read")
            return
        waiting = self._waiting.pop(frame.id, None) if isinstance(frame.id, int) else None
        if waiting is not None:
            body = bytes(frame.result if frame.status == 200 else frame.error)
            self._tell(waiting, Answer(Sent.ANSWERED, frame.status, _headers(frame.rateLimits), body))
        elif frame.id is None:
            self.end(f"the venue ended the session ({frame.status})")

    def on_closed(self, reason: str, detail: str) -> None:
        self.end(f"the connection was lost ({reason})")

    def end(self, why: str) -> None:
        """Drop the socket; whoever waits learns that nothing is known."""
        if self._ended:
            return
        self._ended = True
        if self._socket is not None:
            self._socket.abort()
        waiting, self._waiting = self._waiting, {}
        for one in waiting.values():
            self._tell(one, Answer(Sent.UNKNOWN, why=why))
        self._down(self, why)

    def _late(self, number: int) -> None:
        """Only this request is given up: answers are matched by number, the others lose nothing."""
        waiting = self._waiting.pop(number, None)
        if waiting is not None:
            self._tell(waiting, Answer(Sent.UNKNOWN, why="no answer in time"))

    def _tell(self, waiting: _Waiting, answer: Answer) -> None:
        waiting.timer.cancel()
        try:
            waiting.done(answer)
        except Exception as error:
            self._loop.call_exception_handler({"message": "an answer's listener failed", "exception": error})


def socket_lines(open_socket: OpenSocket, url: str, *, random: Callable[[], float] = dice.random) -> OpenLine:
    """For ``OrderLines``: sockets of ``url``, such as ``wss://ws-fapi.binance.com/ws-fapi/v1``."""

    async def open_line(down: Callable[[Line, str], None]) -> Line:
        lifetime_s = LIFETIME_S * (1.0 - LIFETIME_SPREAD * random())
        line = WsLine(asyncio.get_running_loop(), down, lifetime_s)
        try:
            line.opened(await open_socket(url, line.on_frame, line.on_closed))
        except BaseException:
            line.end("never used")
            raise
        return line

    return open_line


def _headers(limits: Sequence[_Limit]) -> dict[str, str]:
    """The order counts of an answer under the names that REST gives them."""
    if not limits:
        return NO_HEADERS
    named = ((_COUNT_HEADERS.get((one.rateLimitType, one.interval, one.intervalNum)), one.count) for one in limits)
    return {name: str(count) for name, count in named if name is not None}
