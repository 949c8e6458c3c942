"""Frames of one market that began at different times, made comparable byte by byte."""

from __future__ import annotations

import re
from collections.abc import Iterable

from exchange.emulator.market import Frame

_TIMES = re.compile(rb'"(E|T)":(\d+)')
_FUNDING = re.compile(rb',"T":\d+')


def shifted(payload: bytes, by_ms: int) -> bytes:
    """An event with its times moved; a mark without its next funding time, which follows the clock."""
    if b'"e":"markPriceUpdate"' in payload:
        payload = _FUNDING.sub(b"", payload)
    return _TIMES.sub(lambda found: b'"%b":%d' % (found[1], int(found[2]) + by_ms), payload)


def since(begin_ns: int, frames: Iterable[Frame]) -> list[Frame]:
    """Frames in times since ``begin_ns``, candles left out: they follow the clock."""
    return [
        (venue_ns - begin_ns, stream, shifted(payload, -begin_ns // 10**6))
        for venue_ns, stream, payload in frames
        if "@kline" not in stream
    ]
