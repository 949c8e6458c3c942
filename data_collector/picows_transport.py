"""The default transport: picows, one callback per frame straight from the read event, no task or queue between."""

from __future__ import annotations

import asyncio
import logging
import ssl

import picows

from data_collector.limits import FeedLimits
from data_collector.transport import ABNORMAL, MESSAGE_TOO_BIG, NowNs, OnClosed, OnFrame

TEXT = picows.WSMsgType.TEXT
CONTINUATION = picows.WSMsgType.CONTINUATION
CLOSE = picows.WSMsgType.CLOSE
QUIET = logging.getLogger("picows.scalper")
QUIET.setLevel(logging.CRITICAL)  # every failure it would log comes out through on_closed as well
READ_BUFFER_BYTES = 64 << 10  # uvloop reads at most 64 KiB at once; the buffer grows only for larger frames


class _Listener(picows.WSListener):  # type: ignore[misc, unused-ignore]
    """Takes the bytes and the stamp, nothing else. Parts of a fragmented message are joined up to the frame bound."""

    def __init__(self, on_frame: OnFrame, now_ns: NowNs, frame_bytes_max: int) -> None:
        self._on_frame = on_frame
        self._now_ns = now_ns
        self._frame_bytes_max = frame_bytes_max
        self._parts: list[bytes] = []
        self._parts_bytes = 0

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        received_ns = self._now_ns()
        kind = frame.msg_type
        if kind is TEXT and frame.fin:
            self._on_frame(frame.get_payload_as_bytes(), received_ns)
        elif kind is TEXT or kind is CONTINUATION:
            self._fragment(kind is TEXT, frame, received_ns)
        elif kind is CLOSE:
            if not transport.is_close_frame_sent:
                transport.send_close(picows.WSCloseCode.OK)
            transport.disconnect()

    def _fragment(self, first: bool, frame: picows.WSFrame, received_ns: int) -> None:
        if first == bool(self._parts):
            raise picows.WSProtocolError(picows.WSCloseCode.PROTOCOL_ERROR, "fragments out of order")
        self._parts_bytes += frame.payload_size
        if self._parts_bytes > self._frame_bytes_max:
            raise picows.WSProtocolError(picows.WSCloseCode.MESSAGE_TOO_BIG, "fragments above the frame bound")
        self._parts.append(frame.get_payload_as_bytes())
        if frame.fin:
            payload = b"".join(self._parts)
            self._parts, self._parts_bytes = [], 0
            self._on_frame(payload, received_ns)


class PicowsTransport:
    """See ``data_collector.transport.Transport``."""

    def __init__(self, transport: picows.WSTransport, on_closed: OnClosed, close_timeout_s: float) -> None:
        self._transport = transport
        self._on_closed = on_closed
        self._close_timeout_s = close_timeout_s
        self._watch = asyncio.get_running_loop().create_task(self._until_closed())

    def send(self, text: bytes) -> None:
        if not self._transport.is_disconnected:
            self._transport.send(TEXT, text)

    def close(self) -> None:
        if not self._transport.is_disconnected:
            self._transport.send_close(picows.WSCloseCode.OK)
            self._transport.disconnect()
            asyncio.get_running_loop().call_later(self._close_timeout_s, self._transport.disconnect, False)

    def abort(self) -> None:
        self._transport.disconnect(False)

    async def _until_closed(self) -> None:
        cause = ""
        try:
            await self._transport.wait_disconnected()
        except Exception as error:  # a protocol violation by the peer, kept by picows for the one who waits
            cause = str(error)
        self._on_closed(*_why(self._transport.close_handshake, cause))


def _why(handshake: picows.picows.WSCloseHandshake | None, cause: str) -> tuple[str, str]:
    """(reason, detail) from the two close frames, either of which may be missing."""
    received = handshake.recv if handshake else None
    sent = handshake.sent if handshake else None
    if sent is not None and not (handshake and handshake.recv_then_sent):
        code = int(sent.code.value if hasattr(sent.code, "value") else sent.code)
        if code == MESSAGE_TOO_BIG:
            return "too_big", cause
        if "ping/heartbeat" in (sent.reason or ""):
            return "keepalive", "no pong"
        if cause:
            return "protocol", cause
    if received is not None:
        code = int(received.code.value if hasattr(received.code, "value") else received.code)
        return "closed", f"code {code} {received.reason}".strip()
    return "reset", cause or f"code {ABNORMAL}, no close frame"


async def open_picows(
    url: str,
    on_frame: OnFrame,
    on_closed: OnClosed,
    now_ns: NowNs,
    limits: FeedLimits,
    ssl_context: ssl.SSLContext | None = None,
) -> PicowsTransport:
    """Connect with picows; see ``data_collector.transport.OpenTransport``."""
    transport, _ = await picows.ws_connect(
        lambda: _Listener(on_frame, now_ns, limits.frame_bytes_max),
        url,
        ssl_context=ssl_context,
        websocket_handshake_timeout=limits.connect_timeout_s,
        logger_name=QUIET,
        enable_auto_ping=True,
        auto_ping_idle_timeout=limits.keepalive_interval_s,
        auto_ping_reply_timeout=limits.keepalive_timeout_s,
        auto_ping_strategy=picows.WSAutoPingStrategy.PING_PERIODICALLY,
        enable_auto_pong=True,
        max_frame_size=limits.frame_bytes_max,
        max_redirects=0,
        read_buffer_init_size=READ_BUFFER_BYTES,
    )
    if transport.is_disconnected:  # picows ends the handshake quietly when the peer hangs up in the middle of it
        raise ConnectionResetError("the peer closed the connection during the WebSocket upgrade")
    return PicowsTransport(transport, on_closed, limits.close_timeout_s)
