"""Recordings for the tape: a generated market as a recorder would have kept it, and third-party captures."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import orjson

from exchange.emulator.generator import Generator
from exchange.emulator.market import depth_body
from exchange.emulator.tape import Record
from models.recording import RecordKind
from tests.exchange.emulator.client import START_NS

LATENCY_NS = 5_000_000


@cache
def taken(seed: int = 1, seconds: int = 20, symbols: tuple[str, ...] = ("BTCUSDT",)) -> tuple[Record, ...]:
    """What a recorder hears of a generated market: a second of frames, a snapshot of each book, then more frames."""
    market = Generator(seed, START_NS, symbols)
    records: list[Record] = []
    asked = False
    for venue_ns, stream, payload in market.frames(seconds * 10**9):
        if venue_ns > START_NS + 10**9 and not asked:
            asked = True
            for place, instrument in enumerate(market.instruments):
                body = orjson.dumps(depth_body(market, instrument, 1000))
                records.append((venue_ns + LATENCY_NS, RecordKind.DEPTH_ANSWER, place, body))
        connection = 0 if "depth" in stream or "bookTicker" in stream else 1
        records.append((venue_ns + LATENCY_NS, RecordKind.FRAME, connection, payload))
    return tuple(records)


def capture(shared: Path, name: str, unit_ns: int, seconds: float) -> Iterator[Record]:
    """The beginning of a capture of raw lines: local time, blank, frame or REST snapshot."""
    begin_ns = 0
    with gzip.open(shared / "market-data" / "raw" / f"{name}.gz") as lines:
        for line in lines:
            at, _, payload = line.rstrip().partition(b" ")
            received_ns = int(at) * unit_ns
            begin_ns = begin_ns or received_ns
            if received_ns > begin_ns + seconds * 1e9:
                return
            body = payload.startswith(b'{"lastUpdateId"')
            yield received_ns, RecordKind.DEPTH_ANSWER if body else RecordKind.FRAME, 0, payload
