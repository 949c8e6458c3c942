"""Keeps a decision's code in the caches: about once a millisecond a scratch bot hears a frame and decides an entry.

After an idle millisecond code and data of the path have left the caches, and the next burst pays for it: 2 to 3.5 times
the latency (latency notes, «Wake-ups, caches, bursts»). The scratch bot has memory, orders and limits of its own and a
venue that takes nothing, so it can neither send nor touch live state. Cost: ``tests.bench.decide`` prints it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from core.engine import Engine
from core.kernels.engine import advance
from core.kernels.state import Ready, Wake
from core.session import Session
from interface.drivers.parts import Hears
from models.action import Submit, Wish
from models.event import BookInvalid, ClockOffset, Event, OrderReport
from models.order import OrderState
from models.rows import FAR_NS

EVERY_S = 0.001
STEP_NS = 700 * 1_000_000_000  # 123 entries a day: no limit on the number of entries is ever reached
LAG_NS = 5_000_000


class Nowhere:
    """A venue that takes nothing and answers nothing; it only remembers the last order's id, to refuse it."""

    due_ns = FAR_NS
    passage = (0, 0)

    def __init__(self) -> None:
        self.last = ""

    def advance(self, engine_address: int, rows_address: int, start: int, stop: int) -> int:
        result: int = advance(engine_address, rows_address, start, stop)
        return result

    def settle(self, rows_address: int, stop: int) -> None:
        """No book of its own."""

    def execute(self, action: Wish) -> None:
        if isinstance(action, Submit):
            self.last = action.order.client_id

    def take(self, until_ns: int) -> Sequence[Event]:
        return ()

    def hear(self, event: ClockOffset | BookInvalid) -> None:
        """No picture of its own."""


class KeepWarm:
    """``beat`` is one round: a frame, an entry, its refusal. All that it is given is scratch.

    ``frames`` are depth frames of one unbroken chain; ``restart`` gives the scratch bot the snapshot before it, and is
    called when they are used up. ``rehearse`` is what journal and venue do to an order before its first byte leaves.
    """

    def __init__(
        self, engine: Engine, session: Session, ear: Hears, venue: Nowhere, frames: Sequence[bytes],
        restart: Callable[[int], None], rehearse: Callable[[Submit], object],
    ) -> None:  # fmt: skip
        self.engine = engine
        self._session = session
        self._ear = ear
        self._venue = venue
        self._frames = frames
        self._restart = restart
        self._rehearse = rehearse
        self._next = len(frames)
        self._now_ns = 0
        self.beats = 0
        self.entries = 0

    def beat(self) -> None:
        """One round."""
        memory = self.engine.memory
        self._now_ns += STEP_NS
        if self._next >= len(self._frames):
            self._next = 0
            self._restart(self._now_ns)
        payload = self._frames[self._next]
        self._next += 1
        self.beats += 1
        self._ear.frame(0, payload, self._now_ns)
        memory.clock_offset_ns = int(memory.book(0)["occurred_ns"]) - self._now_ns + LAG_NS
        memory.set(0, entry_side=1, ready=Ready.ALL, event_lag_ns=LAG_NS)
        self._venue.last = ""
        self._session.wake(self._now_ns, 0, Wake.ENTRY)
        if self._venue.last:
            self.entries += 1
            order = self.engine.orders.get(self._venue.last)
            if order is not None:
                self._rehearse(Submit(self._now_ns, order.approved))
            refused = OrderReport(self._now_ns, self._venue.last, 0, OrderState.REJECTED, 0, self._now_ns)
            self._session.carry(self.engine.step(refused))


async def keep_warm(warm: KeepWarm) -> None:
    """Beat about every millisecond until cancelled."""
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(EVERY_S)
            warm.beat()
