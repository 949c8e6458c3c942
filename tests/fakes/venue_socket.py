"""A small market-stream server on a real loopback socket, with a lever for each way a venue can fail.

It speaks the WebSocket protocol by hand, so that it can also speak it badly. All streams carry numbered events; every
client sees the same numbers, as on the venue.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import socket
import struct
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from data_collector.routes import kind_of
from models.error import ScalperError

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, PING, PONG, CONTINUATION = 0x1, 0x8, 0x9, 0xA, 0x0


def frame(opcode: int, payload: bytes, *, fin: bool = True, rsv: int = 0) -> bytes:
    """One unmasked WebSocket frame."""
    head = bytes([(0x80 if fin else 0) | rsv | opcode])
    size = len(payload)
    if size < 126:
        return head + bytes([size]) + payload
    if size < 65536:
        return head + b"\x7e" + struct.pack(">H", size) + payload
    return head + b"\x7f" + struct.pack(">Q", size) + payload


class Client:
    """One connected client as the server sees it."""

    def __init__(self, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.path = path
        self.category = path.split("/")[1]
        self.reader, self.writer = reader, writer
        self.streams: list[str] = []
        self.messages: list[tuple[float, dict[str, Any]]] = []
        self.pongs: list[bytes] = []
        self.pings = 0
        self.delay_s = 0.0  # every text message leaves this much later, in order
        self.closed_by_peer: int | None = None
        self.gone = asyncio.Event()

    def send(self, data: bytes) -> None:
        if not self.writer.transport.is_closing():
            self.writer.write(data)

    def text(self, payload: bytes) -> None:
        if self.delay_s:
            asyncio.get_running_loop().call_later(self.delay_s, self.send, frame(TEXT, payload))
        else:
            self.send(frame(TEXT, payload))

    def reset(self) -> None:
        """TCP RST, no close frame."""
        sock = self.writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def hang_up(self) -> None:
        """TCP FIN, no close frame."""
        self.writer.close()

    def close(self, code: int, reason: str = "") -> None:
        """A close frame, then FIN."""
        self.send(frame(CLOSE, struct.pack(">H", code) + reason.encode()))
        self.writer.close()


class FakeVenue:
    """``async with FakeVenue() as venue``: ``venue.url`` takes the place of ``wss://fstream.binance.com``.

    Levers are plain attributes, read at the moment they matter.
    """

    def __init__(self, *, period_s: float | None = 0.005) -> None:
        self.period_s = period_s
        self.clients: list[Client] = []
        self.connects = 0
        self.refuse = 0  # how many upgrades are still answered with 503
        self.hang_up_early = 0  # how many connections are dropped before the upgrade
        self.stalled: set[str] = set()  # streams that stop for everybody
        self.ignored: set[str] = set()  # subscriptions acknowledged and never served
        self.unlisted: set[str] = set()  # left out of LIST_SUBSCRIPTIONS
        self.answering = True  # control messages get answers
        self.error_answer: dict[str, Any] | None = None
        self.ponging = True
        self.frozen = False  # sends nothing at all, reads nothing, keeps TCP open
        self.on_open: Callable[[Client], None] | None = None
        self.numbers: dict[str, int] = {}
        self._server: asyncio.Server | None = None
        self._publisher: asyncio.Task[None] | None = None
        self._handlers: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> FakeVenue:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"ws://127.0.0.1:{port}"
        if self.period_s is not None:
            self._publisher = asyncio.create_task(self._publish_all(self.period_s))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._publisher is not None:
            self._publisher.cancel()
            await asyncio.wait([self._publisher])
        assert self._server is not None
        self._server.close()
        for client in list(self.clients):
            client.writer.transport.abort()
        if self._handlers:
            await asyncio.wait(list(self._handlers), timeout=2)

    # --- speaking ------------------------------------------------------------------------------------------------

    def event(self, stream: str) -> bytes:
        """The next numbered event of ``stream`` in combined framing."""
        number = self.numbers.get(stream, 1000) + 1
        self.numbers[stream] = number
        symbol, _, suffix = stream.partition("@")
        data: dict[str, Any] = {"e": suffix.partition("@")[0], "E": number, "T": number, "s": symbol.upper()}
        if suffix.startswith("depth"):
            data |= {"e": "depthUpdate", "U": number, "u": number, "pu": number - 1, "b": [["100.0", "1"]], "a": []}
        elif suffix == "bookTicker":
            data |= {"u": number, "b": "100.0", "B": "1", "a": "100.1", "A": "1"}
        elif suffix == "aggTrade":
            data |= {"a": number, "p": "100.0", "q": "1", "f": number, "l": number, "m": True}
        body = json.dumps(data, separators=(",", ":"))
        return f'{{"stream":"{stream}","data":{body}}}'.encode()

    def publish(self, stream: str) -> bytes:
        """Send the next event of ``stream`` to everybody who asked for it on the right prefix."""
        payload = self.event(stream)
        for client in self.clients:
            if stream in client.streams and stream not in self.ignored and self._routed(client, stream):
                client.text(payload)
        return payload

    async def _publish_all(self, period_s: float) -> None:
        while True:
            await asyncio.sleep(period_s)
            if self.frozen:
                continue
            wanted = dict.fromkeys(stream for client in self.clients for stream in client.streams)
            for stream in wanted:
                if stream not in self.stalled and "forceOrder" not in stream:
                    self.publish(stream)

    @staticmethod
    def _routed(client: Client, stream: str) -> bool:
        try:
            return kind_of(stream.partition("@")[2]).category == client.category
        except ScalperError:
            return False

    # --- listening -----------------------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        task.add_done_callback(self._handlers.discard)
        client = None
        try:
            client = await self._upgrade(reader, writer)
            if client is not None:
                await self._listen(client)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            if client is not None:
                client.gone.set()
                if client in self.clients:
                    self.clients.remove(client)
            writer.close()

    async def _upgrade(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Client | None:
        self.connects += 1
        if self.hang_up_early > 0:
            self.hang_up_early -= 1
            return None
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = request.split(" ", 2)[1]
        if self.refuse > 0:
            self.refuse -= 1
            writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            return None
        key = next(
            line.split(":", 1)[1].strip()
            for line in request.split("\r\n")
            if line.lower().startswith("sec-websocket-key")
        )
        accept = base64.b64encode(hashlib.sha1(key.encode() + MAGIC).digest())
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        client = Client(urlsplit(path).path, reader, writer)
        client.streams += [
            name for part in parse_qs(urlsplit(path).query).get("streams", []) for name in part.split("/")
        ]
        self.clients.append(client)
        if self.on_open is not None:
            self.on_open(client)
        return client

    async def _listen(self, client: Client) -> None:
        while True:
            head = await client.reader.readexactly(2)
            size = head[1] & 0x7F
            if size == 126:
                size = struct.unpack(">H", await client.reader.readexactly(2))[0]
            elif size == 127:
                size = struct.unpack(">Q", await client.reader.readexactly(8))[0]
            mask = await client.reader.readexactly(4)
            masked = await client.reader.readexactly(size)
            payload = bytes(byte ^ mask[at % 4] for at, byte in enumerate(masked))
            opcode = head[0] & 0x0F
            if opcode == PING:
                client.pings += 1
                if self.ponging and not self.frozen:
                    client.send(frame(PONG, payload))
            elif opcode == PONG:
                client.pongs.append(payload)
            elif opcode == CLOSE:
                client.closed_by_peer = struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else 1005
                client.send(frame(CLOSE, payload))
                return
            elif opcode == TEXT:
                client.messages.append((asyncio.get_running_loop().time(), json.loads(payload)))
                if not self.frozen:
                    self._control(client, client.messages[-1][1])

    def _control(self, client: Client, message: dict[str, Any]) -> None:
        answer: dict[str, Any] = {"result": None, "id": message["id"]}
        if message["method"] == "SUBSCRIBE":
            client.streams += message["params"]
        elif message["method"] == "LIST_SUBSCRIPTIONS":
            answer["result"] = [name for name in client.streams if name not in self.unlisted]
        if self.error_answer is not None:
            answer = {**self.error_answer, "id": message["id"]}
        if self.answering:
            client.text(json.dumps(answer).encode())

    # --- asking --------------------------------------------------------------------------------------------------

    def client(self, category: str) -> Client:
        """The newest client on a prefix."""
        return [client for client in self.clients if client.category == category][-1]


async def until(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    """Wait for something another task brings about; AssertionError after ``timeout_s``."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + timeout_s
    while not condition():
        assert loop.time() < end_s, "what was waited for did not happen in time"
        await asyncio.sleep(0.002)


def open_sockets() -> int:
    """How many sockets this process holds (Linux); 0 where the system does not tell."""
    folder = "/proc/self/fd"
    if not os.path.isdir(folder):
        return 0
    count = 0
    for name in os.listdir(folder):
        with contextlib.suppress(OSError):
            count += os.readlink(f"{folder}/{name}").startswith("socket:")
    return count
