"""HTTP/1.1 answers from the bytes of a connection: strict, bounded, in pieces of any size. Pure.

Anything that leaves a doubt about where an answer ends is ``BrokenAnswer``: two lengths, a length beside chunks, no
length at all, a line that is no header. Whoever waits for an answer then knows nothing of what became of the request
(fault F33), and the connection is of no more use.
"""

from __future__ import annotations

import re
import zlib

import msgspec

HEAD_BYTES_MAX = 32 << 10
BODY_BYTES_MAX = 16 << 20
"""The largest body is a list of 1,000 trades or all symbols' brackets, below 2 MB."""
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\r\n]*)?\Z")
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\Z")
_LENGTH_DIGITS_MAX = 10


class BrokenAnswer(Exception):
    """The bytes are no answer that can be trusted; the text says why and quotes nothing of them."""


class HttpAnswer(msgspec.Struct, frozen=True):
    """One whole answer. Header names in lower case, the last of equal names counts; ``keep``: the line stays open."""

    status: int
    headers: dict[str, str]
    body: bytes
    keep: bool = True


class _Head(msgspec.Struct):
    status: int
    headers: dict[str, str]
    keep: bool
    length: int  # -1: in chunks


class AnswerParser:
    """Give it bytes as they come; it gives back whole answers. After ``BrokenAnswer`` it must not be used again."""

    def __init__(self, body_bytes_max: int = BODY_BYTES_MAX) -> None:
        self._bytes_max = body_bytes_max
        self._buffer = bytearray()
        self._head: _Head | None = None
        self._chunks: list[bytes] = []
        self._chunked = 0  # bytes in them
        self._left = -1  # of the chunk under way with its line end; -1 before its size line
        self._trailer = False

    @property
    def inside(self) -> bool:
        """Whether an answer has begun and is not whole."""
        return bool(self._buffer) or self._head is not None

    def feed(self, data: bytes) -> list[HttpAnswer]:
        """Take bytes; returns the answers they complete, in order. Raises BrokenAnswer."""
        self._buffer += data
        done: list[HttpAnswer] = []
        while True:
            if self._head is None:
                self._head = self._take_head()
                if self._head is None:
                    return done
                if self._head.status < 200:  # 100 Continue, 103 Early Hints: the answer is still to come
                    if self._head.status == 101:
                        raise BrokenAnswer("the protocol was switched unasked")
                    self._head = None
                    continue
            body = self._take_chunks() if self._head.length < 0 else self._take_length(self._head.length)
            if body is None:
                return done
            head, self._head = self._head, None
            body = self._inflated(head.headers.get("content-encoding", ""), body)
            done.append(HttpAnswer(head.status, head.headers, body, head.keep))

    def _take_head(self) -> _Head | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end > HEAD_BYTES_MAX or (end < 0 and len(self._buffer) > HEAD_BYTES_MAX):
            raise BrokenAnswer("an endless head")
        if end < 0:
            return None
        lines = bytes(self._buffer[:end]).split(b"\r\n")
        del self._buffer[: end + 4]
        first = _STATUS.match(lines[0])
        if first is None:
            raise BrokenAnswer("no HTTP/1.1 status line")
        headers: dict[str, str] = {}
        lengths: set[str] = set()
        for line in lines[1:]:
            name, colon, value = line.partition(b":")
            if not colon or not _NAME.match(name) or b"\n" in line or b"\r" in line:
                raise BrokenAnswer("a line that is no header")
            key, text = name.decode("ascii").lower(), value.strip(b" \t").decode("latin-1")
            if key == "content-length":
                lengths.add(text)
            elif key == "transfer-encoding" and key in headers:
                raise BrokenAnswer("two transfer encodings")
            headers[key] = text
        status = int(first[2])
        token = headers.get("connection", "").lower()
        keep = token != "close" if first[1] == b"1" else token == "keep-alive"
        return _Head(status, headers, keep, _length(status, headers, lengths, self._bytes_max))

    def _take_length(self, length: int) -> bytes | None:
        if len(self._buffer) < length:
            return None
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        return body

    def _take_chunks(self) -> bytes | None:
        """The body of an answer in chunks, its trailer skipped; None while it is not whole."""
        while True:
            if self._left >= 0:
                if len(self._buffer) < self._left:
                    return None
                chunk = self._take_length(self._left) or b""
                if not chunk.endswith(b"\r\n"):
                    raise BrokenAnswer("a chunk longer than it says")
                self._chunks.append(chunk[:-2])
                self._left = -1
                continue
            line = self._take_line()
            if line is None:
                return None
            if self._trailer:
                if not line:
                    body = b"".join(self._chunks)
                    self._chunks, self._chunked, self._trailer = [], 0, False
                    return body
                continue
            size = _SIZE.match(line)
            if size is None:
                raise BrokenAnswer("a chunk without a size")
            count = int(size[1], 16)
            self._chunked += count
            if self._chunked > self._bytes_max:
                raise BrokenAnswer(f"a body above {self._bytes_max} bytes")
            if count:
                self._left = count + 2
            else:
                self._trailer = True

    def _take_line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if end > HEAD_BYTES_MAX or (end < 0 and len(self._buffer) > HEAD_BYTES_MAX):
            raise BrokenAnswer("an endless line")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _inflated(self, encoding: str, body: bytes) -> bytes:
        """The body as it was before compression, which nobody asked for, up to the bound."""
        if encoding in ("", "identity"):
            return body
        if encoding != "gzip":
            raise BrokenAnswer("a content encoding that was not asked for")
        inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            plain = inflater.decompress(body, self._bytes_max + 1)
        except zlib.error:
            raise BrokenAnswer("broken gzip") from None
        if not inflater.eof or inflater.unused_data or len(plain) > self._bytes_max:
            raise BrokenAnswer("gzip that is cut off or too long")
        return plain


def _length(status: int, headers: dict[str, str], lengths: set[str], bytes_max: int) -> int:
    """Bytes of the body, -1 for chunks. Raises BrokenAnswer when that cannot be told."""
    if status < 200 or status in (204, 304):
        return 0
    encoding = headers.get("transfer-encoding")
    if encoding is not None:
        if encoding.lower() != "chunked" or lengths:
            raise BrokenAnswer("a transfer encoding other than chunked, or a length beside it")
        return -1
    if len(lengths) != 1:
        raise BrokenAnswer("no length, or two of them")
    text = lengths.pop()
    if not (text.isascii() and text.isdigit() and len(text) <= _LENGTH_DIGITS_MAX):
        raise BrokenAnswer("a length that is no number")
    if int(text) > bytes_max:
        raise BrokenAnswer(f"a body above {bytes_max} bytes")
    return int(text)
