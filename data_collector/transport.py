"""One WebSocket client connection as the connector sees it, and the two ways to have one.

Both implementations keep the same promises: ``on_frame(payload, received_ns)`` is called synchronously for each whole
text message, in order; pings are answered by the library ahead of that; a missing pong, an oversized frame or a broken
frame always ends in exactly one ``on_closed(reason, detail)``; nothing is called after it. Compression is not asked
for (the venue documents none, and inflating costs more than it saves on one route).

``reason`` is one of ``REASONS``; ``detail`` is for people. ``on_frame`` must not raise.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Protocol

from data_collector.limits import FeedLimits
from models.error import ConfigurationError

OnFrame = Callable[[bytes, int], None]
OnClosed = Callable[[str, str], None]
NowNs = Callable[[], int]

REASONS = ("closed", "reset", "keepalive", "too_big", "protocol")
"""The peer closed with a code · the bytes ended without one · no pong · a frame above the bound · a broken frame."""
MESSAGE_TOO_BIG = 1009
ABNORMAL = 1006


class Transport(Protocol):
    """An open connection."""

    def send(self, text: bytes) -> None:
        """Send one text message. On a closed connection it does nothing: ``on_closed`` tells."""

    def close(self) -> None:
        """Close politely, dropping the socket after ``close_timeout_s``. ``on_closed`` follows."""

    def abort(self) -> None:
        """Drop the socket now. ``on_closed`` follows."""


OpenTransport = Callable[[str, OnFrame, OnClosed, NowNs, FeedLimits, ssl.SSLContext | None], Awaitable[Transport]]
"""Connect to a URL. Raises OSError, TimeoutError or the library's handshake error; see ``failure_of``."""

TRANSPORTS = ("picows", "websockets")


def transport_named(name: str) -> OpenTransport:
    """The opening function of an implementation. Raises ConfigurationError for an unknown name.

    picows calls back per frame (the default; in bursts twice as fast); websockets is the portable one.
    """
    if name == "picows":
        from data_collector.picows_transport import open_picows

        return open_picows
    if name == "websockets":
        from data_collector.websockets_transport import open_websockets

        return open_websockets
    raise ConfigurationError(f"unknown transport {name!r}; it is one of {', '.join(TRANSPORTS)}")


FAILURES = ("refused", "timeout", "dns", "tls", "handshake", "network", "other")
"""Why a connection attempt failed, as a metric label."""


def failure_of(error: BaseException) -> str:
    """The label of ``FAILURES`` for what ``OpenTransport`` raised."""
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ssl.SSLError):
        return "tls"
    if isinstance(error, socket.gaierror):
        return "dns"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    name = type(error).__name__.removeprefix("WS")  # picows puts it before the names that websockets uses
    if name.startswith("Invalid") or "Handshake" in name or "Upgrade" in name or isinstance(error, EOFError):
        return "handshake"
    return "network" if isinstance(error, OSError) else "other"
