"""Event time: watermark, lateness and idle streams (quantitative reference A.11; Akidau et al. 2015).

``streams`` int64[n, 4], one row a stream; ``mark`` int64[6], shared. Event times are the exchange's, arrival times
ours: idleness is judged by arrivals alone, so a second run over recorded arrivals gives the same classes.
"""

from __future__ import annotations

import numpy as np

from core.kernels.kernel import kernel
from models.rows import FAR_NS, UNKNOWN_NS

# columns of a stream: largest accepted event time, last arrival, bound of its disorder, 1 when idle
NEWEST_NS, ARRIVED_NS, BOUND_NS, IDLE = range(4)
# words of the mark: the watermark, lateness still accepted, silence that makes a stream idle, streams that are idle
# (a snapshot taken while there are any is partial), events dropped, and 1 after the first arrival
MARK_NS, LATENESS_NS, IDLE_AFTER_NS, IDLE_STREAMS, DROPPED, STARTED = range(6)
ON_TIME, LATE_ACCEPTED, LATE_DROPPED = range(3)
CLASS_NAMES = ("on_time", "late_accepted", "late_dropped")


def watermark_state(bounds_ns: list[int], lateness_ns: int, idle_after_ns: int) -> tuple[np.ndarray, np.ndarray]:
    """(streams, mark) before the first event; ``bounds_ns`` holds each stream's bound of disorder, in stream order.

    Raises ValueError for a negative bound or lateness, or an idle time that is not positive.
    """
    if min([lateness_ns, *bounds_ns]) < 0 or idle_after_ns <= 0:
        raise ValueError("bounds and lateness must not be negative, and the idle time must be positive")
    streams = np.zeros((len(bounds_ns), 4), np.int64)
    streams[:, NEWEST_NS] = UNKNOWN_NS
    streams[:, BOUND_NS] = bounds_ns
    return streams, np.array([UNKNOWN_NS, lateness_ns, idle_after_ns, 0, 0, 0], np.int64)


@kernel
def _raise_mark(streams: np.ndarray, mark: np.ndarray) -> None:
    """W = max(W, min over streams that are not idle of newest − bound); no move while one of them has not spoken."""
    lowest = FAR_NS
    for stream in range(streams.shape[0]):
        if streams[stream, IDLE] == 1:
            continue
        if streams[stream, NEWEST_NS] == UNKNOWN_NS:
            return
        lowest = min(lowest, streams[stream, NEWEST_NS] - streams[stream, BOUND_NS])
    if lowest != FAR_NS:
        mark[MARK_NS] = max(mark[MARK_NS], lowest)


@kernel
def watermark_tick(streams: np.ndarray, mark: np.ndarray, now_ns: int) -> int:
    """Put to rest the streams that fell silent before ``now_ns``; returns the watermark (``UNKNOWN_NS`` = none yet).

    One at a time in the order in which they fell silent, the watermark raised after each: what comes out does not
    depend on how often anybody asks.
    """
    while mark[STARTED] == 1:
        first = -1
        for stream in range(streams.shape[0]):
            silent = streams[stream, IDLE] == 0 and now_ns - streams[stream, ARRIVED_NS] > mark[IDLE_AFTER_NS]
            if silent and (first < 0 or streams[stream, ARRIVED_NS] < streams[first, ARRIVED_NS]):
                first = stream
        if first < 0:
            break
        streams[first, IDLE] = 1
        mark[IDLE_STREAMS] += 1
        _raise_mark(streams, mark)
    return mark[MARK_NS]


@kernel
def watermark_event(streams: np.ndarray, mark: np.ndarray, stream: int, occurred_ns: int, received_ns: int) -> int:
    """Class of one event against the watermark before it: ON_TIME, LATE_ACCEPTED or LATE_DROPPED; then W advances.

    A dropped event advances nothing and is counted. An idle stream rejoins with an event at or after the watermark.
    """
    if mark[STARTED] == 0:
        mark[STARTED] = 1
        streams[:, ARRIVED_NS] = received_ns  # a stream that never speaks falls silent like any other
    watermark_tick(streams, mark, received_ns)
    streams[stream, ARRIVED_NS] = max(streams[stream, ARRIVED_NS], received_ns)
    known = mark[MARK_NS] != UNKNOWN_NS
    late_ns = mark[MARK_NS] - occurred_ns if known else 0
    if late_ns > mark[LATENESS_NS]:
        mark[DROPPED] += 1
        return LATE_DROPPED
    streams[stream, NEWEST_NS] = max(streams[stream, NEWEST_NS], occurred_ns)
    if streams[stream, IDLE] == 1 and late_ns <= 0:
        streams[stream, IDLE] = 0
        mark[IDLE_STREAMS] -= 1
    _raise_mark(streams, mark)
    return ON_TIME if late_ns <= 0 else LATE_ACCEPTED
