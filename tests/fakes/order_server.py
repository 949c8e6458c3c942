"""A server on a real loopback socket that answers requests with exactly the bytes a test gives it."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit


class Asked(NamedTuple):
    """One request as it arrived: all its bytes, and what is in them."""

    raw: bytes
    method: str
    path: str
    query: bytes
    body: bytes
    headers: dict[str, str]

    @property
    def params(self) -> dict[str, str]:
        joined = b"&".join(part for part in (self.query, self.body) if part)
        return {name: values[0] for name, values in parse_qs(joined.decode(), keep_blank_values=True).items()}


class Reply(NamedTuple):
    """``pieces`` leave one after the other; then the connection ends (``end``), by a reset, or stays."""

    pieces: tuple[bytes, ...]
    end: bool = False
    reset: bool = False


HOLD = Reply(())
"""No byte, and nothing more is read; the connection stays"""


def http(status: int = 200, body: bytes = b"{}", **headers: str) -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join((*lines, "", "")).encode() + body


class OrderServer:
    """``async with OrderServer() as server``: ``script`` first, then ``standing(request)``; every request is kept."""

    def __init__(self) -> None:
        self.requests: list[Asked] = []
        self.script: deque[Reply | bytes] = deque()
        self.standing: Callable[[Asked], Reply | bytes] = lambda request: http()
        self.connections = 0
        self.writers: list[asyncio.StreamWriter] = []
        self.refusing = False
        self._handlers: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> OrderServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._handlers:
            task.cancel()
        if self._handlers:
            await asyncio.wait(list(self._handlers), timeout=2)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        task.add_done_callback(self._handlers.discard)
        self.connections += 1
        self.writers.append(writer)
        try:
            while not self.refusing and await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort() if self.refusing else writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:-2])}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, target, _ = lines[0].split(" ")
        parts = urlsplit(target)
        request = Asked(head + body, method, parts.path, parts.query.encode(), body, headers)
        self.requests.append(request)
        reply = self.script.popleft() if self.script else self.standing(request)
        reply = Reply((reply,)) if isinstance(reply, bytes) else reply
        for piece in reply.pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if reply.reset:
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        if reply == HOLD:
            await reader.read()
        return not reply.end and not reply.reset
