"""What only the websockets transport has to translate; the shared promises are in test_transport."""

from __future__ import annotations

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close

from data_collector.websockets_transport import _why


@pytest.mark.parametrize(
    ("received", "sent", "received_first", "reason"),
    [
        (None, None, None, "reset"),
        (Close(1001, "bye"), Close(1001, "bye"), True, "closed"),
        (None, Close(1009, "too big"), None, "too_big"),
        (None, Close(1011, "keepalive ping timeout"), None, "keepalive"),
        (None, Close(1002, "bad opcode"), None, "protocol"),
        (Close(1009, "ours"), Close(1009, "ours"), True, "closed"),
    ],
)
def test_close_frames_become_reasons(
    received: Close | None, sent: Close | None, received_first: bool | None, reason: str
) -> None:
    """Who closed first, and with which code, decides the reason."""
    assert _why(ConnectionClosedError(received, sent, received_first))[0] == reason
