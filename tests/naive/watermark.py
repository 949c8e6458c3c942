"""Twins of ``core.kernels.watermark``: the watermark recomputed from each stream's record at every event."""

from __future__ import annotations

UNKNOWN_NS = -(2**63)
NEWEST, ARRIVED, BOUND, IDLE = range(4)
MARK, LATENESS, IDLE_AFTER, IDLE_STREAMS, DROPPED, STARTED = range(6)


def watermark_now(streams, mark):
    """max(W, min newest − bound) over the streams that are not idle, if there are any and all have spoken."""
    awake = [row for row in streams.tolist() if not row[IDLE]]
    if not awake or any(row[NEWEST] == UNKNOWN_NS for row in awake):
        return int(mark[MARK])
    return max(int(mark[MARK]), min(row[NEWEST] - row[BOUND] for row in awake))


def watermark_tick(streams, mark, now_ns):
    if not mark[STARTED]:
        return int(mark[MARK])
    order = sorted(range(len(streams)), key=lambda stream: (int(streams[stream, ARRIVED]), stream))
    for stream in order:
        if not streams[stream, IDLE] and now_ns - int(streams[stream, ARRIVED]) > mark[IDLE_AFTER]:
            streams[stream, IDLE] = 1
            mark[MARK] = watermark_now(streams, mark)
    mark[IDLE_STREAMS] = sum(streams[:, IDLE].tolist())
    return int(mark[MARK])


def watermark_event(streams, mark, stream, occurred_ns, received_ns):
    if not mark[STARTED]:
        mark[STARTED] = 1
        streams[:, ARRIVED] = received_ns
    before = watermark_tick(streams, mark, received_ns)
    streams[stream, ARRIVED] = max(int(streams[stream, ARRIVED]), received_ns)
    on_time = before == UNKNOWN_NS or occurred_ns >= before
    if not on_time and occurred_ns < before - int(mark[LATENESS]):
        mark[DROPPED] += 1
        return 2
    streams[stream, NEWEST] = max(int(streams[stream, NEWEST]), occurred_ns)
    if on_time:
        streams[stream, IDLE] = 0
    mark[IDLE_STREAMS] = sum(streams[:, IDLE].tolist())
    mark[MARK] = watermark_now(streams, mark)
    return 0 if on_time else 1
