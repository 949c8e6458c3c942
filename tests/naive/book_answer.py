"""A REST depth body as rows, slowly: the general twin of the product, which knows every layout."""

from __future__ import annotations

from collections.abc import Sequence

from data_collector.twin import SNAPSHOT, Twin
from models.instrument import Instrument

HAND_OVER = -1


def decode_book(
    payload: bytes, received_ns: int, frame: int, index: int, instruments: Sequence[Instrument]
) -> tuple[int, list[tuple[int, ...]], tuple[int, int, int]]:
    """(rows or HAND_OVER, the rows, (update id, event time, time of the book)); handed over when the twin refuses."""
    decoded = Twin(instruments).answer(SNAPSHOT, index, payload, received_ns, frame)
    facts = decoded.facts
    if decoded.reason is not None:
        return HAND_OVER, [], (0, 0, 0)
    return len(decoded.rows), list(decoded.rows), (facts.last, facts.event_ns, facts.occurred_ns)
