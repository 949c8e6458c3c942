"""One market-data connection: control messages, limits, pings (venue reference §1.4, §1.5)."""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import msgspec
import orjson
from picows import (
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)

from exchange.emulator.streams import MARKET, PRIVATE, PUBLIC, STREAMS_MAX, Hub
from models.error import UsageError

MESSAGES_PER_S = 10
MESSAGE_BYTES_MAX = 128 << 10  # 1,024 names of 40 letters are 45 KB
DRIP_S = 0.01  # a trickling frame leaves in steps of this
GOODBYE_S = 5.0  # how long a client may take for what was sent before the close frame
METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")


class Limits(msgspec.Struct, frozen=True):
    """What the server enforces; the defaults are the venue's, tests shorten them. All but the buffer in seconds.

    Raises UsageError for a time of 0 or less where that would mean «always».
    """

    ping_s: float = 180.0
    pong_s: float = 600.0
    lifetime_s: float = 86_400.0
    buffer_bytes: int = 8 << 20  # a reader further behind than this is cut off: about 60 s of a busy market
    stalled_s: float = 30.0  # at full speed: how long a reader may take nothing
    start_s: float = 0.25  # a recording begins this long after its first reader, so that both sockets are there

    def __post_init__(self) -> None:
        for name in ("ping_s", "pong_s", "lifetime_s"):
            if not getattr(self, name) > 0:
                raise UsageError(f"the limit {name} must be above zero, got {getattr(self, name)}")


class Target(msgspec.Struct, frozen=True):
    """What a connection's URL asked for; ``keys``: listenKeys with the events wanted (none: all)."""

    category: str
    combined: bool
    names: tuple[str, ...]
    keys: tuple[tuple[str, tuple[str, ...]], ...] = ()


def parse_target(path: str) -> Target | None:
    """The request path of a stream URL (reference §1.2, §1.3); None when there is no such path."""
    path, _, query = path.partition("?")
    category = PUBLIC  # no prefix at all behaves as /public
    for prefix in (PUBLIC, MARKET, PRIVATE):
        if path == f"/{prefix}" or path.startswith(f"/{prefix}/"):
            category, path = prefix, path[len(prefix) + 1 :]
            break
    if path == "/ws" or path.startswith("/ws/"):
        names = [unquote(name) for name in path[4:].split("/") if name]
        return Target(category, False, tuple(dict.fromkeys(names)), _listen_keys(category, query))
    if path in ("/stream", "/stream/"):
        names = []
        for pair in query.split("&"):
            key, _, value = pair.partition("=")
            if key == "streams":
                names += [name for name in unquote(value).split("/") if name]
        return Target(category, True, tuple(dict.fromkeys(names)), _listen_keys(category, query))
    return None


def _listen_keys(category: str, query: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """``listenKey=<k1>&events=A/B&listenKey=<k2>``: each key with the events that follow it."""
    keys: list[tuple[str, tuple[str, ...]]] = []
    for pair in query.split("&") if category == PRIVATE else ():
        name, _, value = pair.partition("=")
        if name == "listenKey" and value:
            keys.append((unquote(value), ()))
        elif name == "events" and keys:
            keys[-1] = keys[-1][0], tuple(event for event in unquote(value).split("/") if event)
    return tuple(keys)


def frame_bytes(payload: bytes, first: int = 0x81) -> bytes:
    """A server's frame; ``first`` is its first byte (0x81: a whole text frame)."""
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    return (
        bytes((first,)) + (struct.pack(">BH", 126, size) if size < 65536 else struct.pack(">BQ", 127, size)) + payload
    )


class RequestError(Exception):
    """A control message that cannot be done; ``code`` 0 to 3 as the venue numbers them."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Connection(WSListener):  # type: ignore[misc]
    """One client. ``deliver`` never waits: what the client does not take is buffered by the transport, and
    ``behind`` tells how much; whoever is too far behind is cut off at once, so the memory of a connection is bounded.
    """

    def __init__(
        self, hub: Hub, target: Target, limits: Limits, connections: set[Connection], wake: Callable[[], None]
    ) -> None:
        super().__init__()
        self.category, self.combined = target.category, target.combined
        self.names: dict[str, None] = {}
        self._time_s = asyncio.get_running_loop().time
        self.opened_s = self.pinged_s = self._time_s()
        self._unanswered_s = 0.0  # when the oldest ping without an answer was sent; 0: none
        self._closed_s = 0.0  # when we closed; 0: open
        self._hub, self._limits, self._connections, self._wake = hub, limits, connections, wake
        self._wanted, self._keys = target.names, target.keys
        self._transport: WSTransport | None = None
        self._messages: deque[float] = deque(maxlen=MESSAGES_PER_S)
        self._partial = b""
        self._dripping: deque[bytes] | None = None  # frames behind one that trickles

    @property
    def door(self) -> str:
        """The kind of connection, as faults name it."""
        return self.category

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._connections.add(self)
        for name in self._wanted:
            self._hub.subscribe(self, name)
        for key, events in self._keys:
            self._hub.hear(self, key, events)
        if self._hub.read:
            self._wake()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._transport = None
        self._connections.discard(self)
        self._hub.drop(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if self._closed_s:
            return
        if kind == WSMsgType.PONG:
            faults = self._hub.faults
            if faults is None or not faults.deaf(self.door):
                self._unanswered_s = 0.0
        elif kind == WSMsgType.CLOSE:  # its code comes back; a close frame may have none
            self.close(frame.get_close_code() or WSCloseCode.OK, frame.get_close_message() or b"")
        elif kind in (WSMsgType.TEXT, WSMsgType.CONTINUATION, WSMsgType.BINARY):
            self._partial += frame.get_payload_as_bytes()
            if len(self._partial) > MESSAGE_BYTES_MAX:
                self.close(WSCloseCode.MESSAGE_TOO_BIG, b"message too big")
            elif frame.fin:
                message, self._partial = self._partial, b""
                self._message(message)

    def _message(self, message: bytes) -> None:
        now_s = self._time_s()
        if len(self._messages) == MESSAGES_PER_S and now_s - self._messages[0] < 1.0:
            self.close(WSCloseCode.POLICY_VIOLATION, b"Too many requests")
            return
        self._messages.append(now_s)
        self.deliver(self.answer(message))
        if self._hub.read:
            self._wake()

    def answer(self, message: bytes) -> bytes:
        """Do what a control message asks; the answer, or the venue's error body."""
        try:
            number, result = self._do(message)
        except RequestError as error:
            return orjson.dumps({"code": error.code, "msg": str(error)})
        return orjson.dumps({"result": result, "id": number})

    def _do(self, message: bytes) -> tuple[object, object]:
        try:
            request = orjson.loads(message)
        except orjson.JSONDecodeError:
            raise RequestError(3, "Invalid JSON: expected value at line 1 column 1") from None
        if not isinstance(request, dict):
            raise RequestError(2, "Invalid request: expected an object at line 1 column 1")
        column = len(message)
        number = request.get("id")
        # Texts are accepted although the documentation forbids them: the official connector sends them (§1.5).
        if (
            isinstance(number, bool)
            or not (number is None or isinstance(number, str | int))
            or (isinstance(number, int) and number < 0)
        ):
            raise RequestError(2, "Invalid request: request ID must be an unsigned integer")
        method = request.get("method")
        if method is None:
            raise RequestError(2, f"Invalid request: missing field `method` at line 1 column {column}")
        if method not in METHODS:
            known = ", ".join(f"`{name}`" for name in METHODS)
            raise RequestError(
                2, f"Invalid request: unknown variant {method}, expected one of {known} at line 1 column {column}"
            )
        params = request.get("params", [])
        if not isinstance(params, list):
            raise RequestError(2, f"Invalid request: params must be an array at line 1 column {column}")
        return number, self._run(method, params)

    def _run(self, method: str, params: list[object]) -> object:
        if method == "LIST_SUBSCRIPTIONS":
            return list(self.names)
        if method in ("SET_PROPERTY", "GET_PROPERTY"):
            return self._property(method, params)
        names = [name for name in params if isinstance(name, str)]
        if len(names) != len(params):
            raise RequestError(2, "Invalid request: stream names must be strings")
        if method == "UNSUBSCRIBE":
            for name in names:
                self._hub.unsubscribe(self, name)
            return None
        if len(self.names.keys() | set(names)) > STREAMS_MAX:
            raise RequestError(2, "Invalid request: too many parameters")
        for name in names:
            self._hub.subscribe(self, name)
        return None

    def _property(self, method: str, params: list[object]) -> object:
        setting = method == "SET_PROPERTY"
        if not params or not isinstance(params[0], str):
            raise RequestError(2, "Invalid request: property name must be a string")
        if len(params) > 1 + setting:
            raise RequestError(2, "Invalid request: too many parameters")
        if params[0] != "combined":
            raise RequestError(0, "Unknown property")
        if not setting:
            return self.combined
        if len(params) < 2 or not isinstance(params[1], bool):
            raise RequestError(1, "Invalid value type: expected Boolean")
        self.combined = params[1]
        return None

    def deliver(self, payload: bytes) -> None:
        """Send one text frame, the last one when the client is too far behind; nothing to a connection that is lost."""
        if self._dripping is not None:
            self._dripping.append(payload)
            if sum(map(len, self._dripping)) > self._limits.buffer_bytes:
                self.cut()
            return
        transport = self._transport
        if transport is not None and not self._closed_s and not transport.underlying_transport.is_closing():
            transport.send(WSMsgType.TEXT, payload)
            if self.behind > self._limits.buffer_bytes:
                self.cut()

    @property
    def behind(self) -> int:
        """Bytes the client has not taken."""
        return 0 if self._transport is None else self._transport.underlying_transport.get_write_buffer_size()

    # -- what faults do to the bytes -----------------------------------------------------------------------------

    def raw(self, data: bytes) -> None:
        """Send bytes that need not be a frame."""
        if self._transport is not None and not self._closed_s:
            self._transport.underlying_transport.write(data)

    def partial(self, payload: bytes, at_byte: int) -> None:
        """Send the first bytes of a frame, then end without a word."""
        self.raw(frame_bytes(payload)[:at_byte])
        if self._transport is not None:
            self._closed_s = self._closed_s or self._time_s()
            self._transport.underlying_transport.close()

    def malformed(self, payload: bytes, kind: str, text: str) -> None:
        """Send something that is not the event it should be: of the ``kind`` json, utf8, opcode or text."""
        if kind == "opcode":
            self.raw(frame_bytes(payload, 0x83))  # a reserved opcode
        elif kind == "utf8":
            self.raw(frame_bytes(b"\xff\xfe" + payload))
        else:
            self.deliver(text.encode() if kind == "text" else payload[: len(payload) // 2])

    def drip(self, payload: bytes, bytes_per_s: float) -> None:
        """Let the bytes of a frame trickle; what is delivered meanwhile waits behind it."""
        if self._dripping is not None:
            self._dripping.append(payload)
            return
        self._dripping = deque()
        self._trickle(frame_bytes(payload), max(1, round(bytes_per_s * DRIP_S)), DRIP_S)

    def _trickle(self, data: bytes, step: int, period_s: float) -> None:
        self.raw(data[:step])
        if data[step:] and self._transport is not None:
            asyncio.get_running_loop().call_later(period_s, self._trickle, data[step:], step, period_s)
            return
        waiting, self._dripping = self._dripping or (), None
        for payload in waiting:
            self.deliver(payload)

    def ping_now(self) -> None:
        """A ping out of turn."""
        if self._transport is not None and not self._closed_s:
            now_s = self._time_s()
            self.pinged_s, self._unanswered_s = now_s, self._unanswered_s or now_s
            self._transport.send_ping(b"now")

    # -- care ----------------------------------------------------------------------------------------------------

    def tend(self, now_s: float, event_ms: int) -> None:
        """Ping, and close what is silent or too old. ``event_ms`` is the ping's payload."""
        limits = self._limits
        if self._closed_s:
            if now_s - self._closed_s >= GOODBYE_S:
                self.cut()
        elif now_s - self.opened_s >= limits.lifetime_s:
            self.close(WSCloseCode.OK, b"lifetime")
        elif self._unanswered_s and now_s - self._unanswered_s >= limits.pong_s:
            self.close(WSCloseCode.POLICY_VIOLATION, b"Pong timeout")
        elif now_s - self.pinged_s >= limits.ping_s and self._transport is not None and self._dripping is None:
            self.pinged_s = now_s
            self._unanswered_s = self._unanswered_s or now_s
            self._transport.send_ping(str(event_ms).encode())

    def close(self, code: WSCloseCode = WSCloseCode.OK, reason: bytes = b"") -> None:
        """Say goodbye and close; nothing is sent after the close frame."""
        if self._dripping is not None:
            self.cut()  # a close frame inside another frame would be none
        if self._transport is not None and not self._closed_s:
            self._closed_s = self._time_s()
            self._transport.send_close(code, reason)
            self._transport.disconnect()

    def cut(self) -> None:
        """Close without a word: no close frame, what is buffered is lost."""
        if self._transport is not None:
            self._closed_s = self._closed_s or self._time_s()
            self._transport.disconnect(graceful=False)


def accept(
    request: WSUpgradeRequest, hub: Hub, limits: Limits, connections: set[Connection], wake: Callable[[], None]
) -> WSUpgradeResponseWithListener | Connection | None:
    """The listener of a new connection; None (404) for an unknown path, 400 for more than 1,024 streams."""
    target = parse_target(request.path.decode("ascii", "replace"))
    if target is None:
        return None
    refusal = hub.faults.refusal(target.category) if hub.faults is not None else None
    if refusal is not None:
        return refused(refusal)
    if len(target.names) > STREAMS_MAX:
        body = orjson.dumps({"code": 2, "msg": "Invalid request: too many parameters"})
        return WSUpgradeResponseWithListener(WSUpgradeResponse.create_error_response(400, body), None)
    return Connection(hub, target, limits, connections, wake)


class Refuser(WSListener):  # type: ignore[misc]
    """A connection that is ended as soon as it is open."""

    def __init__(self, code: int | None) -> None:
        super().__init__()
        self._code = code

    def on_ws_connected(self, transport: WSTransport) -> None:
        if self._code is None:
            transport.disconnect(graceful=False)
        else:
            transport.send_close(self._code, b"")
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        pass

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        pass


def refused(refusal: dict[str, Any]) -> WSUpgradeResponseWithListener | Refuser:
    """The end of a connection that a fault refuses: by a status, or closed or cut once it is open."""
    if refusal["how"] == "status":
        return WSUpgradeResponseWithListener(WSUpgradeResponse.create_error_response(int(refusal["status"]), b""), None)
    return Refuser(int(refusal["code"]) if refusal["how"] == "close" else None)
