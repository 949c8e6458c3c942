"""One stream over two connections while one replaces the other: each frame passes once, in sequence. Pure.

During a rotation both connections deliver the same streams. The newer one may be ahead of the older one, so its first
frames are held back until the older one has delivered everything that was held back: only then does the newer one
continue the chain without a gap. Frames are ordered by the number behind ``StreamKind.key``, found by a byte search;
that costs half a microsecond and only during the few hundred milliseconds of an overlap. When the old connection is
gone, a newer one that was behind it repeats nothing: the record stays in force until it has ``caught_up``.
"""

from __future__ import annotations

from collections.abc import Sequence

from data_collector.routes import Stream

UNNUMBERED = -1
DIGITS_MAX = 20
"""Venue ids fit in 64 bits: 19 digits."""


def order_of(payload: bytes, key: bytes) -> int:
    """The unsigned integer behind ``key``, or ``UNNUMBERED``. The key ``"u":`` never matches inside ``"pu":``."""
    at = payload.find(key)
    if at < 0:
        return UNNUMBERED
    start = at + len(key)
    stop = start
    end = min(len(payload), start + DIGITS_MAX)
    while stop < end and 48 <= payload[stop] <= 57:
        stop += 1
    return int(payload[start:stop]) if stop > start else UNNUMBERED


class Handover:
    """Decides for each frame of the two connections whether it passes. Stream numbers as in ``streams``."""

    def __init__(self, streams: Sequence[Stream]) -> None:
        self._keys = [stream.kind.key for stream in streams]
        self._chained = [stream.kind.chained for stream in streams]
        self._exempt = [stream.silence_normal for stream in streams]
        self._passed = [UNNUMBERED] * len(streams)  # newest number that reached the sink
        self._held = [UNNUMBERED] * len(streams)  # newest number of the new connection that was held back
        self._reached = [UNNUMBERED] * len(streams)  # newest number the new connection delivered
        self._joined = [False] * len(streams)
        self.suppressed = 0

    def from_old(self, stream: int, payload: bytes) -> bool:
        """A frame of the connection that is being replaced: does it pass?"""
        return self._newer(stream, order_of(payload, self._keys[stream]))

    def from_new(self, stream: int, payload: bytes) -> bool:
        """A frame of the replacing connection: does it pass?"""
        number = order_of(payload, self._keys[stream])
        self._reached[stream] = max(self._reached[stream], number)
        if number == UNNUMBERED or not self._chained[stream]:
            self._joined[stream] = True
            return self._newer(stream, number)
        if not self._joined[stream]:
            if self._held[stream] != UNNUMBERED and self._passed[stream] >= self._held[stream]:
                self._joined[stream] = True
            else:
                self._joined[stream] = self._passed[stream] >= number
                self._held[stream] = number
                self.suppressed += 1
                return False
        return self._newer(stream, number)

    def old_gone(self) -> None:
        """The old connection delivers no more: nothing is held back any longer, repetitions still are."""
        self._joined = [True] * len(self._joined)

    @property
    def caught_up(self) -> bool:
        """The new connection has reached whatever passed; every stream of it travels the same pipe, so the silent
        ones need not be waited for."""
        return all(
            exempt or reached >= passed
            for exempt, reached, passed in zip(self._exempt, self._reached, self._passed, strict=True)
        )

    @property
    def complete(self) -> bool:
        """Every stream that has to deliver continues on the new connection."""
        return all(joined or exempt for joined, exempt in zip(self._joined, self._exempt, strict=True))

    def _newer(self, stream: int, number: int) -> bool:
        if number != UNNUMBERED:
            if number <= self._passed[stream]:
                self.suppressed += 1
                return False
            self._passed[stream] = number
        return True
