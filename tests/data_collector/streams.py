"""Streams of records from a seed: a venue whose messages are dropped, repeated, swapped and damaged on the way."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import numpy as np

from data_collector.hearing import Hearing
from models.event import BookInvalid
from models.recording import RecordKind
from tests.data_collector import frames
from tests.data_collector.frames import packed, wrapped
from tests.data_collector.fuzz_wire import mutated

Item = tuple[int, int, bytes, int]
"""kind, connection, payload, received_ns."""
START_NS = frames.E_MS * 1_000_000
KINDS = ("depth",) * 6 + ("quote",) * 5 + ("trade",) * 3 + ("aggregate",) * 3 + (
    "mark", "marks", "liquidation", "kline", "tick", "note", "control", "unknown", "snapshot", "past trades",
)  # fmt: skip


class Venue:
    """Numbers its events like the venue; every message it makes is right at the moment it is made."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.ids: dict[tuple[str, int], int] = {}

    def step(self, name: str, index: int, most: int = 1) -> tuple[int, int]:
        """(last id before, last id now) of a stream."""
        before = self.ids.get((name, index), 1000)
        self.ids[name, index] = now = before + self.dice.randint(1, most)
        return before, now

    def message(self, received_ns: int) -> Item:
        """The next message of any kind."""
        index, name = self.dice.randrange(2), self.dice.choice(KINDS)
        symbol = frames.INSTRUMENTS[index].symbol
        kind, payload = RecordKind.FRAME, b""
        if name == "tick":
            kind = RecordKind.TICK
        elif name == "note":
            kind, payload = self.dice.choice([RecordKind.NOTE, RecordKind.OPENED, RecordKind.CLOSED]), b"{}"
        elif name == "snapshot":
            kind = RecordKind.DEPTH_ANSWER
            last = self.ids.get(("depth", index), 1000) + self.dice.choice((0, 0, 0, -2, -9, 3))
            payload = packed(frames.snapshot(last))
        elif name == "past trades":
            kind = RecordKind.TRADES_ANSWER
            last = self.ids.get(("aggregate", index), 1000)
            payload = packed([frames.aggregate(last - back) for back in range(self.dice.randrange(6), -1, -1)])
        else:
            event = self.event(name, index, symbol)
            stream = f"{symbol.lower()}@{name}" if name != "marks" else "!markPrice@arr"
            payload = packed(event) if self.dice.random() < 0.5 else wrapped(event, stream)
        return kind, index, payload, received_ns

    def event(self, name: str, index: int, symbol: str) -> Any:
        """The next event of a stream."""
        if name == "depth":
            before, last = self.step(name, index, 4)
            levels = [[f"769{self.dice.randrange(10)}.{self.dice.randrange(10)}0", f"{self.dice.randrange(5)}.000"]]
            event = frames.depth(min(before + 1, last), last, before, levels * self.dice.randrange(3), levels)
        elif name == "quote":
            event = frames.quote(self.step(name, index, 3)[1])
        elif name == "trade":
            event = frames.trade(self.step(name, index)[1])
            event["X"] = self.dice.choice(["MARKET"] * 9 + ["INSURANCE_FUND"])
        elif name == "aggregate":
            event = frames.aggregate(self.step(name, index)[1])
        elif name == "mark":
            event = frames.mark()
        elif name == "marks":
            return [{**frames.mark(), "s": one} for one in ("BTCUSDT", "ADAUSDT", "ETHUSDT")]
        elif name == "control":
            return {"result": None, "id": 1}
        elif name == "unknown":
            return {"e": f"new{self.dice.randrange(3)}", "E": 1}
        elif name == "liquidation":
            order = {"s": symbol, "S": "SELL", "p": "76510.30", "ap": "76633.16", "z": "0.014", "T": frames.E_MS}
            return {"e": "forceOrder", "E": frames.E_MS, "o": order}
        else:
            bar = {"t": 0, "T": 59_999, "o": "2", "h": "3", "l": "1", "c": "2", "v": "1", "n": 1, "V": "0", "x": True}
            return {"e": "kline", "E": frames.E_MS, "s": symbol, "k": bar}
        return {**event, "s": symbol}


def stream(seed: int, count: int, *, damage: float = 0.1) -> list[Item]:
    """``count`` messages and their accidents, each kind with a chance of ``damage`` · ¼ a message."""
    dice = random.Random(seed)
    venue, items, recent = Venue(dice), [], deque[Item](maxlen=12)
    now_ns = START_NS
    while len(items) < count:
        now_ns += dice.randrange(50_000_000)
        kind, connection, payload, _ = item = venue.message(now_ns)
        recent.append(item)
        accident = dice.random() * 4 / damage if damage else 4
        if accident < 1:
            continue  # dropped
        if accident < 2:
            items.append((*dice.choice(recent)[:3], now_ns))  # repeated, or an older one late
        elif accident < 3 and items:
            items.insert(-1, (kind, connection, payload, items[-1][3]))  # overtakes the one before
            continue
        elif accident < 4 and payload:
            items.append((kind, connection, mutated(dice, [payload]), now_ns))
            continue
        items.append((kind, connection, payload, now_ns))
    return items[:count]


Told = list[bytes | BookInvalid]
"""Rows as bytes and lost books, in the order in which a session would get them."""


def one_by_one(hearing: Hearing, items: list[Item]) -> Told:
    """Every record through ``hear``."""
    told: Told = []
    for number, (kind, connection, payload, received_ns) in enumerate(items, 1):
        count = hearing.hear(kind, connection, payload, received_ns, number)
        told += rows_of(hearing.rows[:count])
        told += hearing.take_invalidated()
    return told


def in_bulk(hearing: Hearing, chunk: bytes) -> Told:
    """A chunk of records through ``hear_chunk``."""
    told: Told = []
    for block in hearing.hear_chunk(chunk):
        told += rows_of(block)
        told += hearing.take_invalidated()
    return told


def rows_of(rows: np.ndarray) -> list[bytes]:
    """Each row's 64 bytes."""
    return [row.tobytes() for row in rows]
