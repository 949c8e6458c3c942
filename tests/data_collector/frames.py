"""Frames for the tests of hearing: instruments, the venue's shapes with chosen ids, and the kernel as a function."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from core.kernels.kernel import address_of
from data_collector import layout, wire
from models.instrument import Filters, Instrument
from models.recording import RECORD_HEADER
from models.rows import empty_rows

FILTERS = Filters(1, 10**9, 1, 10**9, 1, 10**9, 0)
BTC = Instrument("BTCUSDT", 0, 0, 10_000_000, 100_000, 2, 3, FILTERS)
ETH = Instrument("ETHUSDT", 1, 3, 1_000_000, 100_000, 2, 3, FILTERS)
INSTRUMENTS = [BTC, ETH]
E_MS = 1_789_478_303_662
Pairs = list[list[str]]


def packed(message: Any) -> bytes:
    """JSON as the venue writes it: no spaces."""
    return json.dumps(message, separators=(",", ":")).encode()


def wrapped(message: Any, stream: str = "btcusdt@any") -> bytes:
    """The combined framing."""
    return packed({"stream": stream, "data": message})


def depth(first: int, last: int, previous: int, bids: Pairs | None = None, asks: Pairs | None = None) -> dict[str, Any]:
    return {
        "e": "depthUpdate", "E": E_MS, "T": E_MS - 2, "s": "BTCUSDT", "ps": "BTCUSDT", "U": first, "u": last,
        "pu": previous, "b": [["76914.90", "6.101"]] if bids is None else bids, "a": [] if asks is None else asks,
        "st": 1,
    }  # fmt: skip


def quote(last: int) -> dict[str, Any]:
    return {
        "e": "bookTicker", "u": last, "s": "BTCUSDT", "ps": "BTCUSDT", "b": "76914.90", "B": "4.218", "a": "76915.00",
        "A": "6.128", "T": E_MS, "E": E_MS, "st": 1,
    }  # fmt: skip


def aggregate(number: int) -> dict[str, Any]:
    return {
        "e": "aggTrade", "E": E_MS, "a": number, "s": "BTCUSDT", "p": "77490.00", "q": "0.003", "nq": "0.001", "f": 1,
        "l": 2, "T": E_MS - 100, "m": False, "st": 1,
    }  # fmt: skip


def trade(number: int) -> dict[str, Any]:
    return {
        "e": "trade", "E": E_MS, "T": E_MS - 1, "s": "BTCUSDT", "t": number, "p": "77490.00", "q": "0.020",
        "X": "MARKET", "m": True,
    }  # fmt: skip


def mark() -> dict[str, Any]:
    return {
        "e": "markPriceUpdate", "E": E_MS, "s": "BTCUSDT", "p": "77488.24528925", "ap": "77488.24528925",
        "P": "77435.97981966", "i": "77485.96456522", "r": "-0.00010000", "T": 1_787_500_800_000, "st": 1,
    }  # fmt: skip


def snapshot(last: int, bids: Pairs | None = None, asks: Pairs | None = None) -> dict[str, Any]:
    return {
        "lastUpdateId": last, "E": E_MS, "T": E_MS - 3,
        "bids": [["76914.80", "1.000"]] if bids is None else bids,
        "asks": [["76915.00", "2.000"]] if asks is None else asks,
    }  # fmt: skip


def spot_quote(last: int) -> dict[str, Any]:
    return {
        "u": last, "s": "BTCUSDT", "b": "76914.90000000", "B": "4.21800000", "a": "76915.00000000", "A": "6.12800000",
    }  # fmt: skip


def spot_depth(first: int, last: int) -> dict[str, Any]:
    return {
        "e": "depthUpdate", "E": E_MS, "s": "BTCUSDT", "U": first, "u": last, "b": [["76914.90000000", "6.10100000"]],
        "a": [["76915.00000000", "0.00000000"]],
    }  # fmt: skip


def spot_trade(number: int) -> dict[str, Any]:
    return {
        "e": "trade", "E": E_MS, "s": "BTCUSDT", "t": number, "p": "77490.00000000", "q": "0.02000000", "b": 5, "a": 6,
        "T": E_MS, "m": True, "M": True,
    }  # fmt: skip


def wide(levels: int) -> dict[str, Any]:
    """A depth frame of ``levels`` + ``levels`` levels with quantities of changing length."""
    bids = [[f"{76914.9 - i / 10:.2f}", f"{(i * 7919 % 20000) / 1000:.3f}"] for i in range(levels)]
    asks = [[f"{76915.0 + i / 10:.2f}", f"{(i * 104729 % 20000) / 1000:.3f}"] for i in range(levels)]
    return depth(10, 20, 9, bids, asks)


FAST_SHAPES = [
    depth(5, 9, 4), depth(5, 9, 4, [], []), depth(5, 9, 4, [], [["76915.00", "0"]]), wide(20), quote(7), aggregate(11),
    trade(12), mark(), spot_quote(7), spot_depth(8, 9), spot_trade(3),
]  # fmt: skip


def golden(folder: Path) -> dict[str, bytes]:
    """The venue's stream payloads by file name, written compactly as on the wire."""
    return {
        path.name: packed(json.loads(path.read_text())) for path in sorted(folder.glob("*.json"))
        if path.name.startswith(("stream-", "sync-", "ws-", "rest-depth", "rest-aggTrades", "rest-klines"))
    }  # fmt: skip


def records(items: Iterable[tuple[int, int, bytes, int]]) -> bytes:
    """A chunk of recorded records from (kind, connection, payload, received_ns), numbered from 1."""
    return b"".join(
        RECORD_HEADER.pack(len(payload), kind, connection, 0, received_ns, number, zlib.crc32(payload)) + payload
        for number, (kind, connection, payload, received_ns) in enumerate(items, 1)
    )


class Decoder:
    """``wire.decode`` on bytes, through memory of its own."""

    def __init__(self, instruments: list[Instrument] | None = None, capacity: int = layout.FRAME_ROWS_MAX) -> None:
        self.table = layout.instruments_table(INSTRUMENTS if instruments is None else instruments)
        self.rows = empty_rows(capacity)
        self.info = np.zeros(layout.INFO_WORDS, dtype=np.int64)

    def __call__(self, payload: bytes, received_ns: int = 17, frame: int = 3) -> int:
        memory = np.frombuffer(payload, dtype=np.uint8) if payload else np.zeros(1, dtype=np.uint8)
        return self.at(address_of(memory), len(payload), received_ns, frame)

    def at(self, address: int, length: int, received_ns: int = 17, frame: int = 3) -> int:
        return int(
            wire.decode(
                address, length, received_ns, frame, address_of(self.table), address_of(self.rows), len(self.rows),
                address_of(self.info),
            )
        )  # fmt: skip

    def facts(self) -> list[int]:
        return [int(word) for word in self.info[: layout.INFO_USED]]
