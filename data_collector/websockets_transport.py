"""The portable transport: websockets, pure Python where its C part is missing. One reading task per connection.

The stamp is taken when the message leaves the library's queue, one pass of the loop later than with picows. The queue
holds 16 messages; at the bound the library stops reading, so a slow sink is felt by the sender, not by memory.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Coroutine
from typing import Any

import websockets.asyncio.client
import websockets.exceptions

from data_collector.limits import FeedLimits
from data_collector.transport import ABNORMAL, MESSAGE_TOO_BIG, NowNs, OnClosed, OnFrame

QUIET = logging.getLogger("websockets.scalper")
QUIET.setLevel(logging.CRITICAL)  # every failure it would log comes out through on_closed as well
QUEUE_FRAMES = 16
INTERNAL_ERROR = 1011
PROTOCOL_CODES = frozenset({1002, 1003, 1007})


class WebsocketsTransport:
    """See ``data_collector.transport.Transport``."""

    def __init__(
        self,
        connection: websockets.asyncio.client.ClientConnection,
        on_frame: OnFrame,
        on_closed: OnClosed,
        now_ns: NowNs,
    ) -> None:
        self._connection = connection
        self._on_closed = on_closed
        loop = asyncio.get_running_loop()
        self._reader = loop.create_task(self._read(on_frame, now_ns))
        self._sends: set[asyncio.Task[None]] = set()  # only control messages, at most a handful alive

    def send(self, text: bytes) -> None:
        self._run(self._connection.send(text, text=True))

    def close(self) -> None:
        self._run(self._connection.close())

    def abort(self) -> None:
        self._connection.transport.abort()

    def _run(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(self._quietly(doing))
        self._sends.add(task)
        task.add_done_callback(self._sends.discard)

    @staticmethod
    async def _quietly(doing: Coroutine[Any, Any, None]) -> None:
        try:
            await doing
        except (websockets.exceptions.ConnectionClosed, OSError):
            return  # the reading task tells

    async def _read(self, on_frame: OnFrame, now_ns: NowNs) -> None:
        receive = self._connection.recv
        try:
            while True:
                payload = await receive(decode=False)
                on_frame(payload, now_ns())
        except websockets.exceptions.ConnectionClosed as closed:
            self._on_closed(*_why(closed))


def _why(closed: websockets.exceptions.ConnectionClosed) -> tuple[str, str]:
    """(reason, detail) from the two close frames, either of which may be missing."""
    received, sent = closed.rcvd, closed.sent
    if sent is not None and not closed.rcvd_then_sent:
        if sent.code == MESSAGE_TOO_BIG:
            return "too_big", sent.reason
        if sent.code == INTERNAL_ERROR and "keepalive" in sent.reason:
            return "keepalive", "no pong"
        if sent.code in PROTOCOL_CODES:
            return "protocol", sent.reason
    if received is not None:
        return "closed", f"code {received.code} {received.reason}".strip()
    return "reset", f"code {ABNORMAL}, no close frame"


async def open_websockets(
    url: str,
    on_frame: OnFrame,
    on_closed: OnClosed,
    now_ns: NowNs,
    limits: FeedLimits,
    ssl_context: ssl.SSLContext | None = None,
) -> WebsocketsTransport:
    """Connect with websockets; see ``data_collector.transport.OpenTransport``."""
    connection = await websockets.asyncio.client.connect(
        url,
        ssl=ssl_context,
        compression=None,
        open_timeout=limits.connect_timeout_s,
        ping_interval=limits.keepalive_interval_s,
        ping_timeout=limits.keepalive_timeout_s,
        close_timeout=limits.close_timeout_s,
        max_size=limits.frame_bytes_max,
        max_queue=QUEUE_FRAMES,
        logger=QUIET,
        user_agent_header=None,
        proxy=None,
    )
    return WebsocketsTransport(connection, on_frame, on_closed, now_ns)
