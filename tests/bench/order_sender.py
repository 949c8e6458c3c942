"""The plain sender of ``tests.bench.tick_to_order``: frames out, the arrival of orders noted, one clock for both.

One thread, blocking sockets, ``select``. Whoever is measured is another process with a port of its own: a WebSocket
upgrade there makes a stream, every other request is answered as the venue would. The next trigger waits for the order
of the last one (0.3 s at most), so that each order belongs to one frame.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import select
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from tests.bench.order_frames import BURST, FIRST_TRADE, STAMP0, TICK0, Shapes, framed, past_trades, snapshot, trade
from tests.exchange.binance.desk import SECRET
from tests.exchange.binance.mini_venue import MiniVenue, golden
from tests.fakes.order_server import Asked, http
from tests.fakes.venue_socket import MAGIC

AWAKE_NS, BLIND_NS = 300_000, 30_000
"""The last bit before a message is due is waited out awake, for ``select`` wakes late, and the very last bit without a
look at the sockets."""
SEND_BYTES = 1 << 20
READY_NS = 5_000
"""To fill in one frame takes so long at most."""
LATE_NS = 10_000
"""A stamp is this much older than the write at most."""
LOST_NS = 300_000_000
ORDER = "/fapi/v1/order"
ACK = golden("rest-order-POST-market-ACK")
WORD = golden("user-ORDER_TRADE_UPDATE-market-filled")
COUNTS = {"X_MBX_USED_WEIGHT_1M": "10", "X_MBX_ORDER_COUNT_10S": "1", "X_MBX_ORDER_COUNT_1M": "1"}


class Conn:
    """One accepted connection: REST, or a stream when it has been upgraded to ``path``."""

    def __init__(self, peer: Peer, sock: socket.socket) -> None:
        self.peer, self.sock = peer, sock
        self.path = ""
        self.buffer = b""
        self.open = True

    def take(self) -> None:
        """Everything that has come."""
        while self.open:
            try:
                data = self.sock.recv(65536)
            except (ssl.SSLWantReadError, BlockingIOError):
                return
            except OSError:
                data = b""
            stamp = time.monotonic_ns()
            if not data:
                self.close()
                return
            if self.path:
                continue  # pongs and subscriptions
            self.buffer += data
            while (request := self._request()) is not None:
                self.peer.asked(self, request, stamp)

    def _request(self) -> Asked | None:
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        lines = self.buffer[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        size = end + 4 + int(headers.get("content-length", "0"))
        if len(self.buffer) < size:
            return None
        raw, self.buffer = self.buffer[:size], self.buffer[size:]
        method, target, _ = lines[0].split(" ")
        parts = urlsplit(target)
        return Asked(raw, method, parts.path, parts.query.encode(), raw[end + 4 :], headers)

    def send(self, data: bytes) -> None:
        while data and self.open:
            try:
                data = data[self.sock.send(data) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                select.select([], [self.sock], [], 1.0)
            except OSError:
                self.close()

    def close(self) -> None:
        self.open = False
        self.peer.sender.changed()
        self.sock.close()


class Peer:
    """One subject as the sender sees it. ``trips`` collects (ns from stamp to arrival) of the slice at hand."""

    def __init__(self, name: str, sender: Sender) -> None:
        self.name, self.sender = name, sender
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.port = self.listener.getsockname()[1]
        self.conns: list[Conn] = []
        self.previous = STAMP0
        self.trades = FIRST_TRADE
        self.waiting = 0  # stamp of the trigger without an order
        self.trips: list[int] = []
        self.triggers = self.orders = self.strays = self.bad_signatures = 0
        self._venue = MiniVenue(None)

    def accept(self) -> None:
        sock, _ = self.listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)  # a burst is one write that fits
        if self.sender.tls is not None:
            sock.settimeout(5.0)
            sock = self.sender.tls.wrap_socket(sock, server_side=True)
        sock.setblocking(False)
        self.conns.append(Conn(self, sock))
        self.sender.changed()

    def stream(self, path: str) -> Conn | None:
        """The newest open stream whose path begins so."""
        return next((one for one in reversed(self.conns) if one.open and one.path.startswith(path)), None)

    def asked(self, conn: Conn, request: Asked, stamp: int) -> None:
        if request.path == ORDER and request.method == "POST":
            self._order(conn, request, stamp)
        elif "upgrade" in request.headers:
            key = request.headers["sec-websocket-key"].encode()
            accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest())
            conn.send(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
            )
            conn.path = request.path
        else:
            conn.send(self._answer(request))

    def _answer(self, request: Asked) -> bytes:
        at_ms = time.time_ns() // 1_000_000
        if request.path == "/fapi/v1/ping":
            return http(200, b"{}")
        if request.path == "/fapi/v1/depth":
            return http(200, snapshot(self.previous, self.sender.tick, at_ms))
        if request.path == "/fapi/v1/aggTrades":
            return http(200, past_trades(at_ms))
        return self._venue.answer(request)

    def _order(self, conn: Conn, request: Asked, stamp: int) -> None:
        """An order arrived: note when, say yes, and a moment later that nothing was there to trade with."""
        self.orders += 1
        if self.waiting:
            self.trips.append(stamp - self.waiting)
            self.waiting = 0
        else:
            self.strays += 1
        given, at_ms = request.params, time.time_ns() // 1_000_000
        number, name = self.orders, given["newClientOrderId"]
        known = {"orderId": number, "clientOrderId": name, "side": given["side"], "origQty": given["quantity"]}
        conn.send(http(200, json.dumps(ACK | known | {"updateTime": at_ms}).encode(), **COUNTS))
        private = self.stream("/private")
        if private is not None:
            word = WORD | {"T": at_ms, "E": at_ms}
            word["o"] = WORD["o"] | {
                "c": name, "S": given["side"], "q": given["quantity"], "x": "EXPIRED", "X": "EXPIRED", "i": number,
                "l": "0", "z": "0", "L": "0", "ap": "0", "t": 0, "n": "0", "T": at_ms,
            }  # fmt: skip
            private.send(framed(json.dumps(word).encode()))
        signed, _, signature = request.body.rpartition(b"&signature=")
        self.bad_signatures += hmac.new(SECRET.encode(), signed, "sha256").hexdigest() != signature.decode()


class Sender:
    """``tls``: the server side's context, or None for TCP; ``depths``: how many frames of a burst are depth.

    ``watch``: file descriptors → who reads them.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, depths: int = BURST, seed: int = 7) -> None:
        self.tls, self.depths = tls, depths
        self.peers: list[Peer] = []
        self.watch: dict[int, Callable[[], None]] = {}
        self.shapes = Shapes(seed)
        self.tick = TICK0
        self._base_ns = time.monotonic_ns()
        self._ready: dict[Any, Callable[[], None]] | None = None

    def peer(self, name: str) -> Peer:
        self.peers.append(Peer(name, self))
        self.changed()
        return self.peers[-1]

    def close(self) -> None:
        for peer in self.peers:
            peer.listener.close()
            for conn in peer.conns:
                conn.sock.close()

    def until(self, due_ns: int) -> None:
        """Answer whoever asks until ``due_ns`` of the monotonic clock, exactly."""
        while (left_ns := due_ns - time.monotonic_ns()) > BLIND_NS:
            self.serve(max(0, left_ns - AWAKE_NS) / 1e9)
        while time.monotonic_ns() < due_ns:
            pass

    def serve(self, timeout_s: float) -> None:
        """One look at all sockets."""
        if self._ready is None:
            self._ready = dict(self.watch)
            for peer in self.peers:
                self._ready[peer.listener] = peer.accept
                peer.conns = [conn for conn in peer.conns if conn.open]
                self._ready |= {conn.sock: conn.take for conn in peer.conns}
        for one in select.select(self._ready, [], [], timeout_s)[0]:
            self._ready[one]()
            if self._ready is None:  # somebody came or left
                return

    def changed(self) -> None:
        """The sockets are other ones now."""
        self._ready = None

    # -- sending ----------------------------------------------------------------------------------------------

    def send(self, peer: Peer, shape: Any, due_ns: int = 0) -> int:
        """One write at ``due_ns``, which is the stamp in the frames; returns it.

        The bytes are ready before. When it has become late, the frames are stamped anew.
        """
        conn = peer.stream("/public")
        if conn is None:
            raise ConnectionError(f"{peer.name} has no market stream")
        while True:
            if due_ns <= time.monotonic_ns():
                due_ns = time.monotonic_ns() + READY_NS * len(shape.kinds)
            at_ms = time.time_ns() // 1_000_000
            data, previous = shape.fill(STAMP0 + due_ns - self._base_ns, peer.previous, at_ms)
            self.until(due_ns)
            if time.monotonic_ns() - due_ns < LATE_NS:
                break
        conn.send(data)
        peer.previous = previous
        return due_ns

    def trade(self, peer: Peer) -> None:
        conn = peer.stream("/market")
        if conn is not None:
            peer.trades += 1
            conn.send(trade(peer.trades, self.tick, time.time_ns() // 1_000_000))

    def trigger(self, peer: Peer, shape: Any, due_ns: int) -> None:
        peer.triggers += 1
        peer.waiting = self.send(peer, shape, due_ns)

    def may_trigger(self, peer: Peer) -> bool:
        """Whether the last trigger has its order, or is given up."""
        if peer.waiting and time.monotonic_ns() - peer.waiting > LOST_NS:
            peer.waiting = 0
        return not peer.waiting

    def spaced(self, peer: Peer, seconds: float, *, trigger: bool = True, step: int = 1) -> None:
        """1,000 messages a second, one at a time; every fiftieth is a trade, every fiftieth a trigger.

        The price moves by ``step`` ticks every 200 ms, without ``trigger`` every 20 ms until it is where it began.
        """
        due_ns, shapes = time.monotonic_ns() + 1_000_000, self.shapes
        for number in range(int(seconds * 1000)):
            due_ns += 1_000_000
            place = number % 50
            if number % 200 == 0 and step:
                self.tick += step
            if place == 35:
                self.until(due_ns)
                self.trade(peer)
            elif place == 45 and trigger and self.may_trigger(peer):
                self.trigger(peer, shapes.depth(self.tick, trigger=True), due_ns)
            elif number % 3 == 0:
                self.send(peer, shapes.depth(self.tick), due_ns)
            else:
                self.send(peer, shapes.quote(self.tick), due_ns)

    def bursts(self, peer: Peer, seconds: float) -> None:
        """Every 50 ms a burst of fifty frames in one write; 10 ms before it a trade, a quote and a diff."""
        due_ns = time.monotonic_ns() + 50_000_000
        for number in range(int(seconds * 20)):
            if number % 4 == 0:
                self.tick += 1
            shape = self.shapes.burst(self.tick, self.depths)  # prepared while there is time
            self.until(due_ns - 10_000_000)
            self.trade(peer)
            self.send(peer, self.shapes.quote(self.tick))
            self.send(peer, self.shapes.depth(self.tick))
            if self.may_trigger(peer):
                self.trigger(peer, shape, due_ns)
                self.until(due_ns + 20_000_000)
            due_ns += 50_000_000

    def lead_in(self, peer: Peer, seconds: float) -> None:
        """The price walks back to where it began, then 1,000 messages a second without a trigger."""
        while self.tick > TICK0:
            self.tick -= 1
            self.send(peer, self.shapes.depth(self.tick))
            self.until(time.monotonic_ns() + 2_000_000)
        self.spaced(peer, seconds, trigger=False)
