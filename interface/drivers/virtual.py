"""A market in virtual time: frames straight from a source, no sockets, as fast as they can be taken.

Deterministic: the receive time of a frame is its venue time plus a fixed feed latency, answers take a fixed time, and
nothing else has a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from interface.drivers.parts import RUN, Course
from models.event import ClockOffset, Command
from models.recording import RecordKind

FEED_LATENCY_NS = 5_000_000  # venue to us, near the median of the recorded feeds (4.6 ms)
ANSWER_NS = 20_000_000  # a REST answer, one retail round trip
SILENCE_NS = 100_000_000  # as the socket feed: after so long without a frame a tick says so
DRAIN_NS = 30_000_000_000  # how long a finished run may take to close its position
PUBLIC = ("depth", "bookTicker")


class Source(Protocol):
    """A market that can be asked for its book and its past (``exchange.emulator``), joined by wiring."""

    def frames(self) -> Iterable[tuple[int, str, bytes]]:
        """``(venue_ns, stream, payload)`` in combined framing, in venue time order."""

    def snapshot(self, instrument: int) -> bytes | None:
        """The REST depth body of an instrument for the frame last given out; None when it has no book."""

    def trades(self, instrument: int) -> list[bytes]:
        """REST aggTrades bodies of the recent past, oldest first."""


class VirtualClock:
    """The receive clock of a virtual run: strictly increasing, never behind the frame at hand."""

    def __init__(self) -> None:
        self.now_ns = 0

    def at(self, wanted_ns: int) -> int:
        self.now_ns = max(self.now_ns + 1, wanted_ns)
        return self.now_ns


def never() -> bool:
    """Nobody asks for an early end."""
    return False


def drive(
    parts: Course,
    source: Source,
    duration_ns: int,
    progress: Callable[[int], None] | None = None,
    *,
    prime: bool = True,
    stop: Callable[[], bool] = never,
) -> int:
    """Run ``source`` for ``duration_ns`` of venue time, or until ``stop``, then close what is open.

    Returns the time of the end.
    """
    clock = VirtualClock()
    started_ns = end_ns = -1
    asked: dict[int, int] = {}
    stopping = False
    for venue_ns, stream, payload in source.frames():
        received_ns = venue_ns + FEED_LATENCY_NS
        if started_ns < 0:
            started_ns = received_ns
            _begin(parts, source, clock, received_ns, prime)
        if not stopping and (received_ns >= started_ns + duration_ns or stop()):
            stopping = True
            end_ns = clock.at(min(received_ns, started_ns + duration_ns))
            parts.ear.fact(Command(end_ns, "shutdown", RUN, "end of run"))
        if stopping and (parts.flat or received_ns > end_ns + DRAIN_NS):
            break
        while clock.now_ns + SILENCE_NS < received_ns and clock.now_ns >= started_ns:
            parts.ear.tick(clock.at(clock.now_ns + SILENCE_NS))
        _answer(parts, source, clock, asked, received_ns)
        parts.ear.frame(0 if any(name in stream for name in PUBLIC) else 1, payload, clock.at(received_ns))
        if progress is not None:
            progress(received_ns - started_ns)
    end_ns = clock.at(clock.now_ns + 1)
    parts.session.time(end_ns)
    return end_ns


def _begin(parts: Course, source: Source, clock: VirtualClock, received_ns: int, prime: bool) -> None:
    """Clocks agree but for nothing; then the recent past fills the windows."""
    parts.ear.fact(ClockOffset(clock.at(received_ns - ANSWER_NS), 0, 0))
    if prime:
        for instrument in parts.instruments:
            for body in source.trades(instrument.index):
                parts.ear.take(RecordKind.TRADES_ANSWER, instrument.index, body, clock.at(received_ns - ANSWER_NS))


def _answer(parts: Course, source: Source, clock: VirtualClock, asked: dict[int, int], received_ns: int) -> None:
    """Give wanted snapshots one round trip after they were wanted."""
    wanted = parts.ear.hearing.snapshot_wanted
    if not wanted:
        asked.clear()
        return
    for instrument in asked.keys() - wanted:
        del asked[instrument]
    for instrument in sorted(wanted):
        if instrument not in asked:
            asked[instrument] = received_ns + ANSWER_NS
        elif received_ns >= asked[instrument]:
            body = source.snapshot(instrument)
            if body is not None:
                parts.ear.take(RecordKind.DEPTH_ANSWER, instrument, body, clock.at(received_ns))
            del asked[instrument]
