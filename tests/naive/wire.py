"""Slow twin of ``data_collector.wire``: the standard library's json and Decimal, one obvious step after another."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from data_collector.layout import AGGREGATE, DEPTH, MARK, QUOTE_EVENT, TRADE
from models.instrument import Instrument
from models.rows import UNKNOWN_NS, Flag, Kind

EVENTS = {
    "aggTrade": AGGREGATE, "trade": TRADE, "depthUpdate": DEPTH, "bookTicker": QUOTE_EVENT, "markPriceUpdate": MARK,
}  # fmt: skip
KINDS = {
    AGGREGATE: Kind.TRADE, TRADE: Kind.TRADE, DEPTH: Kind.DEPTH, QUOTE_EVENT: Kind.QUOTE, MARK: Kind.MARK,
}  # fmt: skip
Row = list[int]
"""kind, flags, side, instrument key, occurred, received, price, quantity, sequence, extra, frame."""


def decode(
    payload: bytes, received_ns: int, frame: int, instruments: Sequence[Instrument]
) -> tuple[list[Row], list[int]] | None:
    """(rows, facts in the order of ``INFO_*``) of an event of the five streams; None for anything else or odd."""
    try:
        message = json.loads(payload)
        if "stream" in message and "data" in message:
            message = message["data"]
        return _event(message, received_ns, frame, instruments)
    except (ValueError, TypeError, KeyError, ArithmeticError, AttributeError, StopIteration, RecursionError):
        return None


def _event(message: dict[str, Any], received_ns: int, frame: int, instruments: Sequence[Instrument]) -> Any:
    one = next(instrument for instrument in instruments if instrument.symbol == message["s"])
    event = EVENTS[message.get("e", "bookTicker")]
    if message.get("st", 1) != 1:
        return None
    event_ns = message["E"] * 1_000_000 if "E" in message else UNKNOWN_NS
    occurred = message["T"] * 1_000_000 if "T" in message and event != MARK else event_ns
    first, last, previous = -1, -1, -1
    levels: list[tuple[int, int, int]] = []  # side, price, quantity
    extra = 0
    kind = KINDS[event]
    if event in (AGGREGATE, TRADE):
        last = message["a" if event == AGGREGATE else "t"]
        if event == TRADE and message.get("X", "MARKET") != "MARKET":
            return None
        extra = _count(message["nq"], one.lot_e8) if event == AGGREGATE and "nq" in message else -1
        levels = [(1 if message["m"] else 0, _count(message["p"], one.tick_e8), _count(message["q"], one.lot_e8))]
    elif event == DEPTH:
        first, last, previous = message["U"], message["u"], message.get("pu", -1)
        extra = previous
        for side, name in enumerate("ba"):
            levels += [(side, _count(p, one.tick_e8), _count(q, one.lot_e8)) for p, q in message[name]]
        levels = levels or [(0, 0, -1)]
    elif event == QUOTE_EVENT:
        last = message["u"]
        levels = [
            (0, _count(message["b"], one.tick_e8), _count(message["B"], one.lot_e8)),
            (1, _count(message["a"], one.tick_e8), _count(message["A"], one.lot_e8)),
        ]
    else:
        extra = _count(message["r"] or "0", 1)
        levels = [(0, _count(message["p"], 1), _count(message["i"], 1))]
    sequence = message["T"] if event == MARK else last
    rows = [
        [kind, 0, side, one.key, occurred, received_ns, price, quantity, sequence, extra, frame]
        for side, price, quantity in levels
    ]
    rows[0][1] |= Flag.FIRST
    rows[-1][1] |= Flag.LAST
    return rows, [event, one.index, first, last, previous, event_ns, occurred, len(rows)]


def _count(text: str, size_e8: int) -> int:
    """A decimal text in units of ``size_e8``; raises ValueError when it lies between two."""
    count = Decimal(text) * 100_000_000 / size_e8
    if count != int(count):
        raise ValueError(text)
    return int(count)
