"""Clients of the embedded exchange on real sockets: one that speaks the protocol by hand, so that it can speak it
badly, and a REST one; and ``running``, which gives them an exchange to talk to.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import uvloop
import yarl

from exchange.emulator.generator import Generator
from exchange.emulator.market import Market
from exchange.emulator.server import Emulator

START_NS = 1_795_262_400_000_000_000  # 2026-11-21T12:00:00Z
PATIENCE_S = 20.0  # a test that waits longer than this has failed
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


class Ended(Exception):
    """The server closed the connection; ``code`` is that of its close frame, 0 without one."""

    def __init__(self, code: int = 0, reason: str = "") -> None:
        super().__init__(f"closed with {code} {reason}")
        self.code, self.reason = code, reason


class Refused(Exception):
    """The server did not open a WebSocket; ``status`` and ``body`` of its answer."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"{status} {body!r}")
        self.status, self.body = status, body


def masked(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    """One frame as a client must send it."""
    head = bytes([(0x80 if fin else 0) | opcode])
    size = len(payload)
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65536:
        head += b"\xfe" + struct.pack(">H", size)
    else:
        head += b"\xff" + struct.pack(">Q", size)
    key = os.urandom(4)
    cover = (key * (size // 4 + 1))[:size]
    return head + key + (int.from_bytes(payload, "big") ^ int.from_bytes(cover, "big")).to_bytes(size, "big")


class Socket:
    """One WebSocket; ``async with Socket(url, path) as socket``. ``answers_pings`` False: a dead client; ``deaf``: one
    whose machine takes next to nothing while it does not read.
    """

    def __init__(self, url: str, path: str, *, answers_pings: bool = True, deaf: bool = False) -> None:
        self._host, _, port = url.removeprefix("ws://").partition(":")
        self._port, self._path = int(port), path
        self._answers_pings, self._deaf = answers_pings, deaf
        self.pings: list[bytes] = []
        self.pongs: list[bytes] = []
        self.events: list[Any] = []  # events that came while an answer was waited for

    async def __aenter__(self) -> Socket:
        if self._deaf:
            raw = socket.socket()
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.connect((self._host, self._port))
            self.reader, self.writer = await asyncio.open_connection(sock=raw, limit=4096)
        else:
            self.reader, self.writer = await asyncio.open_connection(self._host, self._port)
        key = base64.b64encode(os.urandom(16)).decode()
        self.writer.write(
            f"GET {self._path} HTTP/1.1\r\nHost: {self._host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        head = await self._within(self.reader.readuntil(b"\r\n\r\n"))
        status = int(head.split()[1])
        if status != 101:
            body = await self._within(self.reader.read())
            await self.__aexit__()
            raise Refused(status, body)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self._within(self.writer.wait_closed())

    async def _within(self, waiting: Awaitable[Any]) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            return await waiting

    def send(self, payload: bytes | str, opcode: int = TEXT, *, fin: bool = True) -> None:
        data = payload.encode() if isinstance(payload, str) else payload
        self.writer.write(masked(opcode, data, fin=fin))

    async def frame(self) -> tuple[int, bytes]:
        """The next frame whatever it is. Raises Ended at a close frame or the end of the connection."""
        try:
            first, second = await self._within(self.reader.readexactly(2))
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack(">H", await self._within(self.reader.readexactly(2)))
            elif size == 127:
                (size,) = struct.unpack(">Q", await self._within(self.reader.readexactly(8)))
            payload = await self._within(self.reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Ended from error
        if first & 0xF == CLOSE:
            raise Ended(int.from_bytes(payload[:2], "big"), payload[2:].decode())
        return first & 0xF, payload

    async def text(self) -> bytes:
        """The next text frame; pings and pongs before it are kept."""
        while True:
            opcode, payload = await self.frame()
            if opcode == TEXT:
                return payload
            if opcode == PING:
                self.pings.append(payload)
                if self._answers_pings:
                    self.send(payload, PONG)
            elif opcode == PONG:
                self.pongs.append(payload)

    async def event(self) -> Any:
        """The next text frame, read."""
        return json.loads(await self.text())

    async def ask(self, request: Any) -> Any:
        """Send a control message and wait for its answer; market events meanwhile go to ``events``."""
        self.send(request if isinstance(request, bytes | str) else json.dumps(request))
        while True:
            said = await self.event()
            if isinstance(said, dict) and ("result" in said or "code" in said):
                return said
            self.events.append(said)

    async def ended(self) -> Ended:
        """Read on until the server closes."""
        while True:
            try:
                await self.text()
            except Ended as end:
                return end


class Answer:
    """A REST answer."""

    def __init__(self, status: int, headers: Any, text: str) -> None:
        self.status, self.headers, self.text = status, headers, text

    @property
    def body(self) -> Any:
        return json.loads(self.text)


class Talk:
    """A running exchange and ways to talk to it."""

    def __init__(self, exchange: Emulator, session: aiohttp.ClientSession) -> None:
        self.exchange, self._session = exchange, session

    def socket(self, path: str, **options: Any) -> Socket:
        return Socket(self.exchange.stream_url, path, **options)

    async def get(self, path: str, method: str = "GET", **parameters: Any) -> Answer:
        """Ask ``/fapi/v1/<path>``, or any path that begins with a slash."""
        url = self.exchange.rest_url + (path if path.startswith("/") else f"/fapi/v1/{path}")
        async with self._session.request(method, url, params=parameters) as response:
            return Answer(response.status, response.headers, await response.text())

    async def send(self, method: str, target: str, body: str | None, headers: dict[str, str]) -> Answer:
        """One request whose target and body leave exactly as they are given."""
        url = yarl.URL(self.exchange.rest_url + target, encoded=True)
        async with self._session.request(method, url, data=body, headers=headers) as response:
            return Answer(response.status, response.headers, await response.text())

    async def until(self, true: Callable[[], bool]) -> None:
        """Let the exchange work until ``true()``."""
        async with asyncio.timeout(PATIENCE_S):
            while not true():
                await asyncio.sleep(0.001)


Doing = Callable[[Talk], Awaitable[Any]]


def running(doing: Doing, market: Market | None = None, **options: Any) -> Any:
    """Run ``doing`` against a fresh exchange (default: the market of seed 7 in real time); nothing may have failed."""

    async def run() -> Any:
        async with (
            Emulator(market or Generator(7, START_NS), **options) as exchange,
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(PATIENCE_S)) as session,
        ):
            result = await doing(Talk(exchange, session))
            assert exchange.failed is None, exchange.failed
            return result

    return uvloop.run(run())
