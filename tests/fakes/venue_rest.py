"""A small HTTP server on a real loopback socket that answers what a test tells it, whole or broken."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit


class Answer(NamedTuple):
    """One scripted answer. ``cut``: send only that many bytes of the body, then hang up; ``drop``: hang up at once."""

    status: int = 200
    body: bytes = b"{}"
    headers: tuple[tuple[str, str], ...] = ()
    cut: int | None = None
    drop: bool = False
    delay_s: float = 0.0


class Request(NamedTuple):
    target: str
    endpoint: str
    query: dict[str, list[str]]


class FakeRest:
    """``async with FakeRest() as venue``: scripted answers first, then the standing one of each endpoint."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.script: deque[Answer] = deque()
        self.standing: dict[str, Answer] = {"ping": Answer(), "time": Answer(body=b'{"serverTime":1700000000000}')}
        self.venue_ms: Callable[[], int] | None = None  # when set, «time» answers it
        self._handlers: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> FakeRest:
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
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        target = (await reader.readuntil(b"\r\n\r\n")).decode().split(" ", 2)[1]
        parts = urlsplit(target)
        endpoint = parts.path.rpartition("/")[2]
        self.requests.append(Request(target, endpoint, parse_qs(parts.query)))
        answer = self.script.popleft() if self.script else self.standing[endpoint]
        if endpoint == "time" and self.venue_ms is not None:
            answer = Answer(body=as_body({"serverTime": self.venue_ms()}))
        if answer.drop:
            return False
        if answer.delay_s:
            await asyncio.sleep(answer.delay_s)
        head = [f"HTTP/1.1 {answer.status} X", "Content-Type: application/json", f"Content-Length: {len(answer.body)}"]
        head += [f"{name}: {value}" for name, value in answer.headers]
        body = answer.body if answer.cut is None else answer.body[: answer.cut]
        writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        await writer.drain()
        if answer.cut is not None:
            writer.close()
            await writer.wait_closed()
        return answer.cut is None


def told(code: int, text: str) -> bytes:
    """The venue's error body."""
    return json.dumps({"code": code, "msg": text}).encode()


def as_body(value: Any) -> bytes:
    return json.dumps(value).encode()
