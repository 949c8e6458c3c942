"""What only the picows transport has to do itself; the shared promises are in test_transport."""

from __future__ import annotations

import time
from typing import Any

import picows
import pytest

from data_collector.picows_transport import _Listener, _why


class Frame:
    """Looks like a picows frame."""

    def __init__(self, kind: picows.WSMsgType, payload: bytes, fin: bool = True) -> None:
        self.msg_type, self.fin, self.payload_size = kind, fin, len(payload)
        self.get_payload_as_bytes = lambda: payload


def heard(frames: list[Any], bound: int = 10) -> list[bytes]:
    got: list[bytes] = []
    listener = _Listener(lambda payload, received_ns: got.append(payload), time.monotonic_ns, bound)
    for frame in frames:
        listener.on_ws_frame(None, frame)  # type: ignore[arg-type]
    return got


TEXT, MORE = picows.WSMsgType.TEXT, picows.WSMsgType.CONTINUATION


def test_fragments_beyond_the_bound_are_refused() -> None:
    """Fragments that together exceed the frame bound are a protocol error of their own code."""
    with pytest.raises(picows.WSProtocolError) as caught:
        heard([Frame(TEXT, b"123456", False), Frame(MORE, b"78901", False)])
    assert caught.value.code == picows.WSCloseCode.MESSAGE_TOO_BIG


@pytest.mark.parametrize("frames", [[Frame(MORE, b"x")], [Frame(TEXT, b"x", False), Frame(TEXT, b"y", False)]])
def test_fragments_out_of_order_are_refused(frames: list[Frame]) -> None:
    """A continuation of nothing, or a second beginning, is a protocol error."""
    with pytest.raises(picows.WSProtocolError, match="out of order"):
        heard(frames)


def test_other_frames_are_ignored() -> None:
    """Pongs and binary frames are no messages."""
    assert heard([Frame(picows.WSMsgType.PONG, b"x"), Frame(picows.WSMsgType.BINARY, b"x")]) == []


def test_an_end_without_close_frames_is_a_reset() -> None:
    """No close frame in either direction is told as a reset."""
    assert _why(None, "") == ("reset", "code 1006, no close frame")
