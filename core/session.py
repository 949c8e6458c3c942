"""Carries facts into the engine and wishes out of it, in one order, with a record of both.

The order of facts: by time; at one instant a market frame comes first, then reports, then timers. An order made by a
fact at t leaves at t. Sources push; there is no queue between a frame and the decision it causes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from core.engine import Engine
from core.kernels.state import Wake as Bits
from core.ports import Keeper, Publisher, Venue
from models.action import Action, Cancel, Inspect, Note, Query, Remember, Submit
from models.event import BookInvalid, ClockOffset, Event, Timer
from models.rows import FAR_NS

_WISHES = (Submit, Cancel, Query, Inspect)


class Session:
    """One engine, one venue, one record of what passed between them."""

    def __init__(self, engine: Engine, venue: Venue, keeper: Keeper | None, publisher: Publisher) -> None:
        self.engine = engine
        self.venue = venue
        self._keeper = keeper
        self._publisher = publisher
        self.agenda: deque[Event] = deque()  # outer facts known beforehand, in order of time (a second run of a record)
        self.resync: Callable[[int, str, int], None] | None = None
        self.events = 0
        self.actions = 0

    @property
    def passage(self) -> tuple[int, int, int]:
        """Addresses for a caller that runs frames through the compiled pass itself: engine, venue's pass, venue."""
        return self.engine.memory.address, *self.venue.passage

    def rows(self, address: int, start: int, stop: int) -> None:
        """Run market rows ``[start, stop)`` at ``address`` through engine and venue: one frame or millions."""
        memory, venue = self.engine.memory, self.venue
        while start < stop:
            memory.deadline_ns = deadline = self.due_ns
            result = venue.advance(memory.address, address, start, stop)
            index, bits = result >> 8, result & 0xFF
            if bits & Bits.DEADLINE:
                self._due(min(deadline, memory.deadline_ns))
            elif bits:
                self._woken(bits)
            elif index == start:
                raise RuntimeError(f"the pass made no progress at row {start} of {stop}")
            start = index
        memory.deadline_ns = self.due_ns

    def heard(self, address: int, count: int, bits: int) -> None:
        """A frame of ``count`` rows at ``address`` went through the compiled pass, which returned ``bits``, not 0."""
        if bits & Bits.DEADLINE:
            self.rows(address, 0, count)
            return
        memory = self.engine.memory
        if bits & Bits.VENUE:
            self.venue.settle(address, count)
            bits &= ~Bits.VENUE
        if bits:
            self._woken(bits)
        memory.deadline_ns = self.due_ns

    def event(self, event: Event) -> None:
        """Take a fact that is not a market row: what was due before it comes first."""
        self._due(event.at_ns - 1)
        self._outer(event)
        self.engine.memory.deadline_ns = self.due_ns

    def time(self, now_ns: int) -> None:
        """The clock stands at ``now_ns`` and no frame from before it can still come: deliver what was due before."""
        self._due(now_ns - 1)
        self.engine.memory.deadline_ns = self.due_ns

    def wake(self, at_ns: int, instrument: int, bits: int) -> None:
        """Let the engine judge what woke it; an entry leaves before it is booked, and is booked whatever happens."""
        self.events += 1
        engine = self.engine
        try:
            self.carry(engine.wake(at_ns, instrument, bits))
        finally:
            if engine.entered is not None:
                self.carry(engine.settle())

    def carry(self, actions: list[Action]) -> None:
        """Journal and execute wishes, publish notes, in order."""
        for action in actions:
            if isinstance(action, _WISHES):
                self.actions += 1
                if self._keeper is not None:
                    self._keeper.action(action, self.engine.memory.frame)
                self.venue.execute(action)
            elif isinstance(action, Note):
                self._publisher.note(action)
            elif isinstance(action, Remember):
                if self._keeper is not None:
                    self._keeper.action(action, self.engine.memory.frame)
            elif self.resync is not None:
                self.resync(action.instrument, action.reason, action.at_ns)

    @property
    def due_ns(self) -> int:
        """When somebody must call ``time`` at the latest; ``FAR_NS`` when nothing is due."""
        due_ns = min(self.engine.timer_ns, self.venue.due_ns)
        return min(due_ns, self.agenda[0].at_ns) if self.agenda else due_ns

    def _due(self, limit_ns: int) -> None:
        """Deliver reports and timers due by ``limit_ns``, in order of time, reports before timers."""
        while True:
            report_ns, timer_ns = self.venue.due_ns, self.engine.timer_ns
            first = min(report_ns, timer_ns)
            if self.agenda and self.agenda[0].at_ns <= min(first, limit_ns):
                self._outer(self.agenda.popleft())
                continue
            if first > limit_ns or first == FAR_NS:
                return
            if report_ns <= timer_ns:
                for event in self.venue.take(report_ns):
                    self._step(event)
            else:
                self._step(Timer(timer_ns))

    def _outer(self, event: Event) -> None:
        if isinstance(event, ClockOffset | BookInvalid):
            self.venue.hear(event)
        self._step(event)

    def _woken(self, bits: int) -> None:
        """A wake follows from the rows, so it is in no journal."""
        memory = self.engine.memory
        self.wake(memory.now_ns, memory.wake_instrument, bits)

    def _step(self, event: Event) -> None:
        self.events += 1
        if self._keeper is not None:
            self._keeper.event(event, self.engine.memory.frame)
        self.carry(self.engine.step(event))
