"""The simulated exchange as the session's venue: engine and exchange run over the same rows in one compiled loop.

While something is alive at the exchange the two go in lock step, frame by frame: a report may fall due between any two
frames. While nothing is, the engine runs ahead to its next wake and the exchange follows in bulk: the same result
(tested), 20 % faster. Which comes first on a frame does not matter: an order made by a frame reaches the exchange
after it, a report proved by a frame becomes a fact after it.
"""

from __future__ import annotations

from collections.abc import Sequence

from numba import carray

from core.kernels.engine import advance
from core.kernels.kernel import kernel, pass_entry, pointer_to_words, rows_at
from core.kernels.state import pointer_to_engine
from exchange.simulated.exchange import SimulatedExchange
from exchange.simulated.matching import ALIVE, DUE_NS, HEADER_WORDS, REASON, follow
from models.action import Wish
from models.event import BookInvalid, ClockOffset, Event

FOLLOWED = 9  # word of the exchange: how far it has come in the rows of this call
_LAST = 2 << 8
_DEADLINE, _VENUE = 1, 128


@kernel
def lockstep(engine_address, exchange_address, rows_address, start, stop):
    """``advance`` for engine and exchange together; returns early, with the bit VENUE, when Python must match.

    The exchange has consumed the rows before word ``FOLLOWED``; ``REASON`` says what it waits for.
    """
    engine = carray(pointer_to_engine(engine_address), (1,))[0]
    state = carray(pointer_to_words(exchange_address), (HEADER_WORDS,))
    rows = rows_at(rows_address, stop)
    i = start
    while i < stop:
        end = i
        while end < stop - 1 and rows[end, 0] & _LAST == 0:
            end += 1
        end += 1
        if state[DUE_NS] < engine.deadline_ns:
            engine.deadline_ns = state[DUE_NS]
        result = advance(engine_address, rows_address, i, end)
        if result & _DEADLINE:
            state[REASON] = 0
            state[FOLLOWED] = i
            return result
        state[FOLLOWED] = follow(exchange_address, rows_address, i, end)
        if state[REASON] != 0:
            return result | _VENUE
        if result & 0xFF != 0:
            return result
        i = end
    state[REASON] = 0
    state[FOLLOWED] = stop
    return stop << 8


@kernel
def _one_frame(engine_address, exchange_address, rows_address, start, stop):
    """``lockstep`` for rows that are exactly one frame."""
    engine = carray(pointer_to_engine(engine_address), (1,))[0]
    state = carray(pointer_to_words(exchange_address), (HEADER_WORDS,))
    if state[DUE_NS] < engine.deadline_ns:
        engine.deadline_ns = state[DUE_NS]
    result = advance(engine_address, rows_address, start, stop)
    if result & _DEADLINE:
        state[REASON] = 0
        state[FOLLOWED] = start
        return result
    state[FOLLOWED] = follow(exchange_address, rows_address, start, stop)
    return result | _VENUE if state[REASON] != 0 else result


_ONE_FRAME = pass_entry(_one_frame.py_func)


class SimulatedVenue:
    """``core.ports.Venue`` around a ``SimulatedExchange``. ``always_lockstep`` turns the bulk path off (benchmarks)."""

    def __init__(self, exchange: SimulatedExchange, *, always_lockstep: bool = False) -> None:
        self.exchange = exchange
        self._words = exchange.words
        self._always = always_lockstep
        self.passage = (_ONE_FRAME, exchange.address)

    @property
    def due_ns(self) -> int:
        return int(self._words[DUE_NS])

    def advance(self, engine_address: int, rows_address: int, start: int, stop: int) -> int:
        if not self._always and self._words[ALIVE] == 0:
            result: int = advance(engine_address, rows_address, start, stop)
            self.exchange.follow(rows_address, start, result >> 8)
            return result
        result = lockstep(engine_address, self.exchange.address, rows_address, start, stop)
        if result & _VENUE:
            self.settle(rows_address, result >> 8)
        return result & ~_VENUE

    def settle(self, rows_address: int, stop: int) -> None:
        index = int(self._words[FOLLOWED])
        self.exchange.answer(rows_address, index)
        self.exchange.follow(rows_address, index, stop)

    def execute(self, action: Wish) -> None:
        self.exchange.execute(action)

    def take(self, until_ns: int) -> Sequence[Event]:
        return self.exchange.take(until_ns)

    def hear(self, event: ClockOffset | BookInvalid) -> None:
        if isinstance(event, ClockOffset):
            self.exchange.clock_offset_ns = event.offset_ns
        else:
            self.exchange.invalidate(event.instrument)
