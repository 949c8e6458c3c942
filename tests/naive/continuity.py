"""Slow twins of ``data_collector.continuity``: the same rules on dictionaries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from data_collector.continuity import DAMAGED, END, HAND_OVER, IRREGULAR, PAST, PYTHON, WOKE
from data_collector.layout import AGGREGATE, DEPTH, QUOTE_EVENT, TRADE
from models.instrument import Instrument
from models.recording import RECORD_HEADER, RECORD_HEADER_BYTES, RecordKind
from models.rows import UNKNOWN_NS, Flag, Kind
from tests.naive import wire

State = dict[tuple[int, str], int]
"""(instrument, name of a stream) → last id; «chained» → 1 while the book stands on an unbroken chain."""


def admit(facts: list[int], state: State) -> int:
    """Rows of a frame that continues its stream; IRREGULAR, and nothing moves, for any other."""
    event, index, first, last, previous, _, _, rows = facts
    if event == DEPTH:
        expected = first - 1 if previous < 0 else previous
        before = state.get((index, "depth"), -1)
        if not state.get((index, "chained")) or expected != before or last <= before:
            return IRREGULAR
        state[index, "depth"] = last
    if event == QUOTE_EVENT:
        if last <= state.get((index, "quote"), -1):
            return IRREGULAR
        state[index, "quote"] = last
    if event in (TRADE, AGGREGATE):
        name = "trade" if event == TRADE else "aggregate"
        if (index, name) in state and last != state[index, name] + 1:
            return IRREGULAR
        state.setdefault((index, "first " + name), last)
        state[index, name] = last
    return rows


def hear_frame(
    payload: bytes, received_ns: int, number: int, instruments: Sequence[Instrument], state: State
) -> tuple[int, list[wire.Row]]:
    """(result, rows): the number of rows, HAND_OVER or IRREGULAR."""
    decoded = wire.decode(payload, received_ns, number, instruments)
    if decoded is None:
        return HAND_OVER, []
    return admit(decoded[1], state), decoded[0]


def hear_through(
    payload: bytes,
    received_ns: int,
    number: int,
    instruments: Sequence[Instrument],
    state: State,
    through: Callable[[list[wire.Row]], int],
) -> int:
    """``rows << 8 | wake bits`` of one frame heard and given to ``through`` at once, HAND_OVER or IRREGULAR."""
    count, rows = hear_frame(payload, received_ns, number, instruments, state)
    if count <= 0:
        return count
    return count << 8 | through(rows)


def hear_records(chunk: bytes, instruments: Sequence[Instrument], state: State) -> tuple[list[wire.Row], int]:
    """Rows of the records up to the first that needs Python, and its offset (the chunk's length when there is none)."""
    rows: list[Any] = []
    at = 0
    while at < len(chunk):
        size, kind, _, _, received_ns, number, _ = RECORD_HEADER.unpack_from(chunk, at)
        payload = chunk[at + RECORD_HEADER_BYTES : at + RECORD_HEADER_BYTES + size]
        if kind == RecordKind.FRAME:
            count, found = hear_frame(payload, received_ns, number, instruments, state)
            if count < 0:
                return rows, at
            rows += found
        elif kind == RecordKind.TICK:
            rows.append([Kind.TICK, Flag.FIRST | Flag.LAST, 0, 0, UNKNOWN_NS, received_ns, 0, 0, 0, 0, number])
        elif kind not in (RecordKind.OPENED, RecordKind.CLOSED, RecordKind.NOTE):
            return rows, at
        at += RECORD_HEADER_BYTES + size
    return rows, at


def run_records(
    chunk: bytes,
    until_ns: int,
    instruments: Sequence[Instrument],
    state: State,
    through: Callable[[list[wire.Row]], int],
) -> tuple[int, int, list[wire.Row], int]:
    """(result, offset, rows, wake bits) of hearing records and giving each frame's rows to ``through`` at once.

    Rows and bits are those of the record that woke somebody; the offset lies behind it then.
    """
    at = 0
    while at < len(chunk):
        if at + RECORD_HEADER_BYTES > len(chunk):
            return DAMAGED, at, [], 0
        size, _, _, _, received_ns, _, _ = RECORD_HEADER.unpack_from(chunk, at)
        behind = at + RECORD_HEADER_BYTES + size
        if behind > len(chunk):
            return DAMAGED, at, [], 0
        if received_ns >= until_ns:
            return PAST, at, [], 0
        record = chunk[at:behind]
        rows, stopped = hear_records(record, instruments, state)
        if stopped < len(record):
            return PYTHON, at, [], 0
        at = behind
        bits = through(rows) if rows else 0
        if bits:
            return WOKE, at, rows, bits
    return END, at, [], 0
