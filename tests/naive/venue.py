"""The slow twin of ``exchange.simulated.venue.lockstep``: one frame at a time, the engine first, then the exchange."""

from __future__ import annotations

from typing import Any

from tests.naive import engine as engines
from tests.naive import matching

DEADLINE, VENUE = 1, 128


def lockstep(
    engine: engines.Engine,
    exchange: matching.Exchange,
    lines: list[engines.Row],
    rows: Any,
    due_ns: int,
    start: int,
    stop: int,
) -> tuple[int, int, int]:
    """``(index, bits, followed)`` over whole frames; ``lines`` and ``rows`` are the same rows as tuples and records.

    No frame after ``due_ns`` is taken: a report is a fact before it. The exchange goes over each frame the engine took.
    """
    exchange.reason = 0
    first = start
    for after, _ in engines.frames_of(lines, start, stop):
        engine.deadline_ns = min(engine.deadline_ns, due_ns)
        index, bits = engines.advance(engine, lines, first, after)
        if bits & DEADLINE:
            return index, bits, index
        followed = matching.follow(exchange, rows, first, after)
        if exchange.reason:
            return after, bits | VENUE, followed
        if bits:
            return after, bits, after
        first = after
    return stop, 0, stop
