"""Connections in memory: bytes and messages that arrive late, in order, or not at all.

A connection has two ends and a latency for each thing sent. ``Network`` opens them for one bot: TCP for order and read
lines (``http``), WebSockets for private stream, WebSocket API and market streams (``socket``). A fault can cut a
connection, make it half open (nothing arrives any more and nobody is told) or slow all of them down. ``kill`` is what
SIGKILL does to a process's connections: what was written still arrives, nothing comes back, the peer sees a reset.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from random import Random
from typing import Any
from urllib.parse import urlsplit

from picows import WSMsgType

from exchange.emulator.venue import Venue
from wiring.simulation.loop import VirtualLoop

EPSILON_S = 1e-6  # what follows on a connection arrives later than what went before
PONG_S = (10.0, 30.0)  # when a client finds out that its half-open WebSocket is one
PEER = ("127.0.0.1", 50_000)


class Ordered(dict[Any, None]):
    """A set that is walked in the order in which things came."""

    def add(self, item: Any) -> None:
        self[item] = None

    def discard(self, item: Any) -> None:
        self.pop(item, None)


class Channel:
    """What both kinds of connection share: two directions with their latencies, and the ways to end."""

    kind = ""

    def __init__(self, network: Network, door: str) -> None:
        self.network, self.door = network, door
        self.dead = False  # the client's process is gone
        self.silent = False  # half open
        self.over = False
        self._arrives = [0.0, 0.0]
        self._contexts = contextvars.copy_context(), contextvars.Context()  # what an arrival makes belongs to its end

    def later(self, to: int, act: Callable[..., None], *args: Any) -> None:
        """Do something at an end (0 client, 1 server) when what is sent now arrives there."""
        loop = self.network.loop
        at_s = max(loop.now_s + self.network.latency_s(), self._arrives[to] + EPSILON_S)
        self._arrives[to] = at_s
        loop.call_at(at_s, self._arrive, to, act, args, context=self._contexts[to])

    def _arrive(self, to: int, act: Callable[..., None], args: Any) -> None:
        if not (self.silent or (to == 0 and self.dead)):
            act(*args)

    def kill(self) -> None:
        """The client's process is killed."""
        self.dead = True
        self.later(1, self.server_lost)
        self.network.channels.discard(self)

    def cut(self) -> None:
        """Both ends see a reset at once."""
        if not self.over:
            self.over = True
            self.network.channels.discard(self)
            if not self.dead:
                self.network.loop.call_soon(self.client_lost, "reset")
            self.network.loop.call_soon(self.server_lost)

    def half_open(self) -> None:
        """Nothing arrives any more."""
        self.silent = True

    def client_lost(self, reason: str) -> None:
        raise AssertionError(self.kind)

    def server_lost(self) -> None:
        raise AssertionError(self.kind)


class Wire(asyncio.Transport):
    """One end of a TCP connection, as its protocol sees it."""

    def __init__(self, pipe: Pipe, number: int) -> None:
        super().__init__()
        self._pipe, self._number = pipe, number
        self.closing = False

    def write(self, data: Any) -> None:
        if not self.closing and not (self._number == 0 and self._pipe.dead):
            self._pipe.later(1 - self._number, self._pipe.data, 1 - self._number, bytes(data))

    def close(self) -> None:
        self._end(self._pipe.finished)

    def abort(self) -> None:
        self._end(self._pipe.reset)

    def _end(self, tell: Callable[[int], None]) -> None:
        if self.closing:
            return
        self.closing = True
        pipe, number = self._pipe, self._number
        pipe.network.loop.call_soon(pipe.lost, number, None)
        if not (number == 0 and pipe.dead):
            pipe.later(1 - number, tell, 1 - number)

    def is_closing(self) -> bool:
        return self.closing

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return PEER if name == "peername" else default


class Pipe(Channel):
    """A TCP connection between two protocols."""

    kind = "http"

    def __init__(self, network: Network, protocols: tuple[Any, Any]) -> None:
        super().__init__(network, "http")
        self.protocols = protocols
        self.ends = Wire(self, 0), Wire(self, 1)
        self._gone = [False, False]

    def data(self, number: int, data: bytes) -> None:
        if not self.ends[number].closing:
            self.protocols[number].data_received(data)

    def finished(self, number: int) -> None:
        end = self.ends[number]
        if not end.closing:
            self.protocols[number].eof_received()
            end.closing = True
            self.lost(number, None)

    def reset(self, number: int) -> None:
        if not self.ends[number].closing:
            self.ends[number].closing = True
            self.lost(number, ConnectionResetError("reset by peer"))

    def lost(self, number: int, error: Exception | None) -> None:
        if self._gone[number] or (number == 0 and self.dead):
            return
        self._gone[number] = True
        if all(self._gone):
            self.network.channels.discard(self)
        self.protocols[number].connection_lost(error)

    def client_lost(self, reason: str) -> None:
        self.reset(0)

    def server_lost(self) -> None:
        self.reset(1)


class Message:
    """A whole message as the server's listener takes it."""

    fin = True

    def __init__(self, payload: bytes) -> None:
        self.msg_type = WSMsgType.TEXT
        self._payload = payload

    def get_payload_as_bytes(self) -> bytes:
        return self._payload


class Line(Channel):
    """A WebSocket. The server's listener has it as its transport; the client has ``ClientSocket``."""

    kind = "socket"

    def __init__(self, network: Network, door: str, on_frame: Any, on_closed: Any, now_ns: Callable[[], int]) -> None:
        super().__init__(network, door)
        self._on_frame, self._on_closed, self._now_ns = on_frame, on_closed, now_ns
        self.listener: Any = None
        self.underlying_transport = self
        self._closed = [False, False]  # client, server: has been told
        self._batch: list[bytes] = []
        self._batch_s = -1.0

    # -- the server's side, as picows has it ---------------------------------------------------------------------

    def send(self, kind: WSMsgType, payload: bytes) -> None:
        if self._closed[1] or self.over:
            return
        now_s = self.network.loop.now_s
        if self._batch_s != now_s:  # what is sent at one instant travels together
            self._batch, self._batch_s = [], now_s
            self.later(0, self._deliver, self._batch)
        self._batch.append(payload)

    def _deliver(self, batch: list[bytes]) -> None:
        for payload in batch:
            if self._closed[0] or self.dead:
                return
            self._on_frame(bytes(payload), self._now_ns())

    def send_ping(self, payload: bytes) -> None:
        """Pings are answered by the client's library."""

    def send_close(self, code: Any, reason: bytes = b"") -> None:
        number = int(getattr(code, "value", code))
        self.later(0, self.client_lost, "closed", f"code {number}")

    def disconnect(self, graceful: bool = True) -> None:
        if not self._closed[1]:
            self.later(0, self.client_lost, "reset")
            self.network.loop.call_soon(self.server_lost)

    def write(self, data: bytes) -> None:
        """Bytes that are no whole frame: the connection ends before the client can read them."""

    def close(self) -> None:
        self.disconnect(False)

    def is_closing(self) -> bool:
        return self._closed[1]

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return PEER if name == "peername" else default

    # -- ends ----------------------------------------------------------------------------------------------------

    def client_lost(self, reason: str, detail: str = "") -> None:
        if self._closed[0] or self.dead:
            return
        self._closed[0] = True
        if self._closed[1]:
            self.network.channels.discard(self)
        self._on_closed(reason, detail)

    def server_lost(self) -> None:
        if self._closed[1]:
            return
        self._closed[1] = True
        if self._closed[0]:
            self.network.channels.discard(self)
        self.listener.on_ws_disconnected(self)

    def half_open(self) -> None:
        super().half_open()
        low, high = PONG_S
        self.network.loop.call_later(low + self.network.dice.random() * (high - low), self._no_pong)

    def _no_pong(self) -> None:
        self.client_lost("keepalive", "no pong")

    # -- the client's side ---------------------------------------------------------------------------------------

    def from_client(self, text: bytes) -> None:
        if not (self.dead or self._closed[0]):
            self.later(1, self._heard, bytes(text))

    def _heard(self, text: bytes) -> None:
        if not self._closed[1]:
            self.listener.on_ws_frame(self, Message(text))

    def leave(self, reason: str) -> None:
        """The client goes."""
        if not (self.dead or self._closed[0]):
            self.later(1, self.server_lost)
            self.network.loop.call_soon(self.client_lost, reason)


class ClientSocket:
    """``data_collector.transport.Transport`` over a line in memory."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def send(self, text: bytes) -> None:
        self._line.from_client(text)

    def close(self) -> None:
        self._line.leave("closed")

    def abort(self) -> None:
        self._line.leave("reset")


class Upgrade:
    """A WebSocket request as the venue reads it."""

    def __init__(self, path: str) -> None:
        self.path = path.encode()


class Network:
    """Opens connections to a venue for one bot; ``base_s`` is the usual one-way latency, stormy times add to it."""

    def __init__(self, loop: VirtualLoop, venue: Venue, connections: Ordered, limits: Any, dice: Random) -> None:
        self.loop, self.dice = loop, dice
        self.channels = Ordered()
        self.hosts: set[str] = set()
        self.opened = 0
        self.dead = False
        self.base_s, self.storm_s, self.storm_until_s = 0.004, 0.0, 0.0
        self._venue, self._connections, self._limits = venue, connections, limits

    def latency_s(self) -> float:
        """The way of one thing, heavy tailed; longer in a storm."""
        draw = self.dice.random()
        usual = self.base_s * (1.0 + draw * draw * draw * 4.0)
        if self.loop.now_s < self.storm_until_s:
            usual += self.storm_s * self.dice.random()
        return usual

    async def http(self, make: Callable[[], Any]) -> object:
        """``order_line.Connect``."""
        await asyncio.sleep(2 * self.latency_s())
        if self.dead:
            raise ConnectionRefusedError("the process is gone")
        self.opened += 1
        client, server = make(), self._venue.http()
        pipe = Pipe(self, (client, server))
        self.channels.add(pipe)
        client.connection_made(pipe.ends[0])
        server.connection_made(pipe.ends[1])
        return pipe.ends[0], client

    async def socket(self, url: str, on_frame: Any, on_closed: Any, now_ns: Callable[[], int]) -> ClientSocket:
        """A WebSocket, as ``user_stream.OpenSocket`` and ``data_collector.transport.OpenTransport`` open one."""
        parts = urlsplit(url)
        self.hosts.add(parts.netloc)
        await asyncio.sleep(3 * self.latency_s())
        if self.dead:
            raise ConnectionRefusedError("the process is gone")
        self.opened += 1
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        request: Any = Upgrade(path)
        listener: Any = self._venue.accept(request, self._limits, self._connections, lambda: None)  # type: ignore[arg-type]
        if not hasattr(listener, "on_ws_connected"):
            raise ConnectionRefusedError("the upgrade was refused")
        door = getattr(listener, "door", "refused")
        line = Line(self, door, on_frame, on_closed, now_ns)
        line.listener = listener
        self.channels.add(line)
        listener.on_ws_connected(line)
        return ClientSocket(line)

    def of_door(self, door: str) -> list[Channel]:
        """Open connections of a kind: http, private, public, market, ws-api."""
        return [one for one in self.channels if one.door == door]

    def kill(self) -> None:
        """The bot's process is killed."""
        self.dead = True
        for channel in list(self.channels):
            channel.kill()
