"""A small HTTP/1.1 server protocol whose every byte can be disturbed.

The venue's faults are faults of bytes (a reply cut at byte k, a request that arrives by half), so the server is an
``asyncio.Protocol`` over any transport, a socket or one in memory, and not a framework. ``answer(request, respond)``
may call ``respond`` at once or later; requests of one connection are answered in their order.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Mapping
from http import HTTPStatus

import msgspec

HEAD_BYTES_MAX = 64 << 10
BODY_BYTES_MAX = 1 << 20
JSON = "application/json"
_NO_LINGER = struct.pack("ii", 1, 0)
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class Request(msgspec.Struct, frozen=True):
    """One request as it arrived. ``path`` and ``query`` are as sent, header names in lower case."""

    method: str
    path: str
    query: bytes
    headers: dict[str, str]
    body: bytes
    address: str

    @property
    def call(self) -> str:
        """``POST /fapi/v1/order``."""
        return f"{self.method} {self.path}"

    def __repr__(self) -> str:
        return f"Request({self.call})"  # its query and headers are secrets


class Reply(msgspec.Struct):
    """One answer. ``cut_at``: only that many bytes of it leave, then the connection ends; ``hang``: none, and it stays.

    ``reset`` ends with RST instead of FIN. A header given here replaces the one made for it (``Content-Length``).
    """

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = {}
    content_type: str = JSON
    cut_at: int | None = None
    reset: bool = False
    hang: bool = False

    def encoded(self, *, bodiless: bool = False, close: bool = False) -> bytes:
        """The bytes of the answer."""
        made = {"Content-Type": self.content_type, "Content-Length": str(len(self.body))}
        given = {name.lower() for name in self.headers}
        lines = [f"HTTP/1.1 {self.status} {_PHRASES.get(self.status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in made.items() if name.lower() not in given]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if close:
            lines.append("Connection: close")
        return "\r\n".join((*lines, "", "")).encode("latin-1", "replace") + (b"" if bodiless else self.body)


Respond = Callable[[Reply], None]
Answer = Callable[[Request, Respond], None]
Intercept = Callable[[str], tuple[int, bool] | None]
"""``POST /fapi/v1/order`` → the byte of the request at which the connection ends and whether by a reset, or None."""


class _Bad(Exception):
    """A request that is no HTTP: status of the answer."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class HttpConnection(asyncio.Protocol):
    """One client's connection."""

    door = "http"

    def __init__(
        self,
        answer: Answer,
        connections: set[HttpConnection],
        intercept: Intercept = lambda call: None,
        refused: Callable[[], bool] = lambda: False,
    ) -> None:
        self._answer, self._connections, self._intercept, self._refused = answer, connections, intercept, refused
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._busy = self._asked = self._advancing = self._ended = False
        self._ends_at: tuple[int, bool] | None = None
        self.address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else ""
        if self._refused():
            self._end(True)
            return
        self._connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        if not self._ended:
            self._buffer += data
        self._advance()

    def close(self, code: object = None, reason: bytes = b"") -> None:
        """End the connection after what was written."""
        self._end(False)

    def cut(self) -> None:
        """End the connection now; what is not out yet is lost."""
        if self._transport is not None:
            self._transport.abort()

    def _advance(self) -> None:
        """Take requests from the buffer until one waits for its answer."""
        if self._advancing or self._ended:
            return  # an answer given at once: the loop below goes on
        self._advancing = True
        try:
            while not (self._busy or self._ended) and self._transport is not None and self._buffer and self._take():
                pass
        finally:
            self._advancing = False

    def _take(self) -> bool:
        """Answer the next request of the buffer; False when it is not all there or is none."""
        try:
            taken = None if self._ended_early() else self._parse()
        except _Bad as bad:
            self._write(Reply(bad.status, b"<html><body>Bad Request</body></html>", {}, "text/html"), "", True)
            return False
        if taken is None:
            return False
        request, length, close = taken
        del self._buffer[:length]
        self._busy, self._asked, self._ends_at = True, False, None
        self._answer(request, lambda reply: self._respond(reply, request, close))
        return True

    def _ended_early(self) -> bool:
        """Ask once a request what is planned for it; end the connection when its byte has come."""
        if not self._asked:
            line = bytes(self._buffer[:HEAD_BYTES_MAX]).partition(b"\r\n")
            if not line[1]:
                return False
            self._asked = True
            words = line[0].decode("latin-1").split(" ")
            self._ends_at = self._intercept(f"{words[0]} {words[1].partition('?')[0]}") if len(words) == 3 else None
        if self._ends_at is None or len(self._buffer) < self._ends_at[0]:
            return False
        self._end(self._ends_at[1])
        return True

    def _parse(self) -> tuple[Request, int, bool] | None:
        """The first whole request of the buffer, its length, and whether the connection ends with it."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > HEAD_BYTES_MAX:
                raise _Bad(431)
            return None
        lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        if end > HEAD_BYTES_MAX or len(words) != 3 or words[2] not in ("HTTP/1.1", "HTTP/1.0"):
            raise _Bad(400)
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise _Bad(400)
            headers[name.lower()] = value.strip()
        found = self._body(headers, end + 4)
        if found is None:
            return None
        body, length = found
        path, _, query = words[1].partition("?")
        if path.startswith("http://"):  # the absolute form, as proxies ask
            path = "/" + path[7:].partition("/")[2]
        request = Request(words[0], path, query.encode("latin-1"), headers, body, self.address)
        token = headers.get("connection", "").lower()
        return request, length, token == "close" or (words[2] == "HTTP/1.0" and token != "keep-alive")

    def _body(self, headers: Mapping[str, str], start: int) -> tuple[bytes, int] | None:
        """The body that begins at ``start`` and where the request ends; None while it is not all there."""
        if "transfer-encoding" in headers:
            if headers["transfer-encoding"].lower() != "chunked":
                raise _Bad(501)
            found = _chunks(self._buffer, start)
        else:
            text = headers.get("content-length", "0")
            if not (text.isascii() and text.isdigit()):
                raise _Bad(400)
            size = int(text)
            if size > BODY_BYTES_MAX:
                raise _Bad(413)
            whole = len(self._buffer) >= start + size
            found = (bytes(self._buffer[start : start + size]), start + size) if whole else None
        if found is None and len(self._buffer) == start and headers.get("expect", "").lower() == "100-continue":
            assert self._transport is not None
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return found

    def _respond(self, reply: Reply, request: Request, close: bool) -> None:
        if self._transport is None or self._transport.is_closing() or reply.hang:
            return  # a hanging request keeps the connection busy for ever
        self._write(reply, request.method, close)
        self._busy = False
        self._advance()

    def _write(self, reply: Reply, method: str, close: bool) -> None:
        assert self._transport is not None
        data = reply.encoded(bodiless=method == "HEAD", close=close)
        if reply.cut_at is not None:
            data = data[: reply.cut_at]
        if data:
            self._transport.write(data)
        if close or reply.cut_at is not None:
            self._end(reply.reset)

    def _end(self, reset: bool) -> None:
        """Close after what was written; ``reset`` with RST."""
        transport = self._transport
        if transport is None:
            return
        self._ended = True  # nothing that still comes is read
        raw = transport.get_extra_info("socket")
        if reset and raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.close()


def _chunks(buffer: bytearray, start: int) -> tuple[bytes, int] | None:
    """A chunked body."""
    body = b""
    while True:
        end = buffer.find(b"\r\n", start)
        if end < 0:
            return None
        try:
            size = int(bytes(buffer[start:end]).partition(b";")[0], 16)
        except ValueError:
            raise _Bad(400) from None
        if size < 0 or len(body) + size > BODY_BYTES_MAX:
            raise _Bad(413)
        start = end + 2
        if len(buffer) < start + size + 2:
            return None
        body += buffer[start : start + size]
        start += size + 2
        if size == 0:
            return body, start
