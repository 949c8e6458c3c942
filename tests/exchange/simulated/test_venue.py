"""Engine and exchange over the same rows: lock step against its slow twin, and against following in bulk."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernels.kernel import address_of
from core.kernels.state import Wake as Bits
from core.session import Session
from exchange.simulated import matching as m
from exchange.simulated.exchange import SimulatedExchange
from exchange.simulated.matching import follow
from exchange.simulated.terms import PaperTerms
from exchange.simulated.venue import FOLLOWED, SimulatedVenue, lockstep
from models.action import Action, Cancel, Note, Query, Submit
from models.event import BookInvalid, ClockOffset, Event, Fill, OrderReport, Timer, Wake
from models.order import Side
from models.rows import FAR_NS, Flag
from tests.builders import MS, SECOND, START_NS
from tests.builders import Memory as EngineMemory
from tests.core.kernels.test_engine import BARS, STRICT, pair
from tests.exchange.simulated.scene import INSTRUMENT, MID, RICH, depth, market, order, snapshot, wishes
from tests.exchange.simulated.test_matching import State
from tests.naive import matching as naive_matching
from tests.naive import venue as naive
from tests.naive.compare import differences

# -- the kernel ------------------------------------------------------------------------------------------------------


def lines(rows: np.ndarray) -> list[tuple[int, ...]]:
    """The rows as tuples of eight words."""
    return [tuple(int(word) for word in row) for row in rows.view(np.int64).reshape(-1, 8)]


def heard(seed: int, frames: int) -> np.ndarray:
    """Rows of two instruments and a stranger, in the order and at times a receiver has them."""
    bodies = [*market(seed, frames), depth(5, (0, MID, 1), instrument=7)]
    for body in market(seed + 1, frames):
        body["instrument"] = 1 | 1 << 16
        bodies.append(body)
    rows = np.concatenate(sorted(bodies, key=lambda body: int(body["received_ns"][0])))
    for name in ("occurred_ns", "received_ns"):
        rows[name] += START_NS
    return rows


def watching(seed: int) -> State:
    """An exchange with seeded levels, stops and arrivals to look out for, at the times of ``heard``."""
    state = State(seed)
    for index, lane in enumerate(state.twin.lanes):
        if lane[m.LANE_PROOF_NS] != FAR_NS:
            lane[m.LANE_PROOF_NS] += START_NS
            state.lane(index)[m.LANE_PROOF_NS] += START_NS
    state.words[m.PROOF_NS] = min(lane[m.LANE_PROOF_NS] for lane in state.twin.lanes)
    return state


def settled(state: State, rows: np.ndarray, index: int, stop: int) -> None:
    """What follows a stop for matching, in both twins: match, and take the exchange to where the engine is."""
    while state.twin.reason:
        if state.twin.reason & (m.REASON_PROOF | m.REASON_SILENCE):
            state.proved()
        reached = follow(address_of(state.words), address_of(rows), index, stop)
        assert reached == naive_matching.follow(state.twin, rows, index, stop)
        index = reached


@pytest.mark.parametrize("seed", range(12))
def test_lock_step_agrees_with_its_slow_twin(seed: int) -> None:
    """On random markets, with levels to watch, arrivals to prove and reports due, all returns and all state agree."""
    chance = random.Random(seed)
    rows = heard(seed, 150)
    told = lines(rows)
    memory, slow = pair(2, wake=seed % 2, **STRICT)
    state = watching(seed)
    ends = [number + 1 for number, flags in enumerate(rows["flags"].tolist()) if flags & Flag.LAST]
    index, due_ns = 0, START_NS + chance.randrange(SECOND)
    while index < len(rows):
        stop = chance.choice([end for end in ends if end > index][:40])
        state.words[m.DUE_NS] = due_ns
        memory.engine["deadline_ns"] = slow.deadline_ns = FAR_NS
        result = lockstep(memory.engine.ctypes.data, address_of(state.words), address_of(rows), index, stop)
        expected = naive.lockstep(slow, state.twin, told, rows, due_ns, index, stop)
        assert (result >> 8, result & 0xFF, int(state.words[FOLLOWED])) == expected
        assert int(state.words[m.REASON]) == state.twin.reason
        index, bits, followed = expected
        if bits & naive.VENUE:
            settled(state, rows, followed, index)
        if bits & Bits.DEADLINE:
            due_ns += chance.randrange(SECOND)
        assert state.same()
    for number, slow_market in enumerate(slow.markets):
        assert differences(memory.markets[number], slow_market) == {}


def test_lock_step_stops_for_every_reason() -> None:
    """The markets of these tests reach a deadline, a wake, a stop for matching, and a wake together with one."""
    seen = set()
    for seed in range(12):
        rows = heard(seed, 150)
        memory, _ = pair(2, wake=seed % 2, **STRICT)
        state = watching(seed)
        state.words[m.DUE_NS] = START_NS + 500 * MS
        index = 0
        while index < len(rows):
            memory.engine["deadline_ns"] = FAR_NS
            result = lockstep(memory.engine.ctypes.data, address_of(state.words), address_of(rows), index, len(rows))
            index, bits = result >> 8, result & 0xFF
            seen.add((bool(bits & Bits.DEADLINE), bool(bits & naive.VENUE), bool(bits & ~naive.VENUE & ~Bits.DEADLINE)))
            if bits & naive.VENUE:
                state.proved()
            if bits & Bits.DEADLINE:
                state.words[m.DUE_NS] = FAR_NS
    assert seen == {(True, False, False), (False, True, False), (False, False, True), (False, True, True), (False,) * 3}


# -- the claim: lock step and bulk give the same ---------------------------------------------------------------------


class Head:
    """The engine's memory as the session sees it."""

    def __init__(self, memory: EngineMemory) -> None:
        self._memory = memory
        self.address = memory.engine.ctypes.data

    def __getattr__(self, name: str) -> int:
        return int(self._memory.engine[name][0])

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "deadline_ns":
            self._memory.engine["deadline_ns"] = value
        else:
            object.__setattr__(self, name, value)


class Script:
    """An engine that sends, cancels and asks for seeded orders at timers and wakes, goes flat now and then, and
    remembers what it heard.
    """

    def __init__(self, seed: int, orders: int) -> None:
        self.compiled = EngineMemory(1, BARS, 1, **STRICT)
        self.memory: Any = Head(self.compiled)
        self.heard: list[str] = []
        self.timer_ns = 37 * MS
        self.entered = None
        self._chance = random.Random(seed)
        self._wishes = wishes(seed, orders)
        self._sent: list[str] = []
        self._held = 0

    def wake(self, at_ns: int, instrument: int, bits: int) -> list[Action]:
        return self.step(Wake(at_ns, instrument, bits, 0))

    def step(self, event: Event) -> list[Action]:
        self.heard.append(repr(event))
        if isinstance(event, Timer):
            self.timer_ns += self._chance.randrange(1, 120 * MS)
        elif isinstance(event, ClockOffset):
            self.compiled.engine["clock_offset_ns"] = event.offset_ns
        elif isinstance(event, BookInvalid):
            self.compiled.markets["book"]["valid"][event.instrument] = 0
        elif isinstance(event, Fill):
            self._held += event.quantity * event.side.sign
        actions = self._act(event.at_ns, self._chance.random())
        self.heard += [repr(action) for action in actions]
        return actions

    def _act(self, at_ns: int, draw: float) -> list[Action]:
        if draw < 0.3 and self._wishes:
            wish = self._wishes.pop()
        elif draw < 0.4 and self._held:
            side = Side.SELL if self._held > 0 else Side.BUY
            wish = order(f"flat{len(self._sent)}", side, abs(self._held), reduce_only=True)
        elif draw < 0.5 and self._sent:
            kind, client_id = self._chance.choice((Cancel, Query)), self._chance.choice([*self._sent, "nobody"])
            return [kind(at_ns, client_id)]
        else:
            return []
        self._sent.append(wish.client_id)
        return [Submit(at_ns, wish)]


class Mute:
    """Publishes to nobody."""

    def note(self, note: Note) -> None:
        raise AssertionError(f"the script writes no notes: {note}")


def ran(
    seed: int, terms: PaperTerms, *, always: bool, cuts: Iterable[int] = (), orders: int = 12
) -> tuple[list[str], bytes, bytes]:
    """Everything heard and done over a seeded market, and the state of engine and exchange after it."""
    rows = np.concatenate(market(seed, 400))
    script = Script(seed, orders)
    exchange = SimulatedExchange((INSTRUMENT,), RICH, terms)
    session = Session(script, SimulatedVenue(exchange, always_lockstep=always), None, Mute())  # type: ignore[arg-type]
    offsets = ClockOffset(700 * MS, 3 * MS, 0), ClockOffset(1_600 * MS, -2 * MS, 0)
    session.agenda.extend([offsets[0], BookInvalid(1_400 * MS, 0, "GAP"), offsets[1]])
    at = 0
    for stop in [*sorted(set(cuts)), len(rows)]:
        session.rows(address_of(rows), at, stop)
        at = stop
    session.time(int(rows["received_ns"][-1]) + SECOND)
    script.memory.deadline_ns = FAR_NS
    return script.heard, exchange.state_hash(), script.compiled.state_bytes()


TERMS = st.builds(
    PaperTerms,
    latency_out_ns=st.sampled_from([0, 3 * MS, 40 * MS]),
    latency_back_ns=st.sampled_from([0, 5 * MS]),
    jitter_ns=st.sampled_from([0, 4 * MS]),
    queue=st.sampled_from(["risk_averse", "probability"]),
    stop_price=st.sampled_from(["trade", "mark"]),
)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1 << 32), TERMS, st.sampled_from([2, 12, 40]))
def test_lock_step_and_bulk_give_the_same(seed: int, terms: PaperTerms, orders: int) -> None:
    """With orders, cancels, clock offsets and a broken book: the same reports and actions in the same order, the same
    state of engine and exchange, whether the exchange goes frame by frame or in bulk while nothing is alive.
    """
    assert ran(seed, terms, always=False, orders=orders) == ran(seed, terms, always=True, orders=orders)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1 << 32), st.booleans(), st.data())
def test_cuts_change_nothing(seed: int, always: bool, data: st.DataObject) -> None:
    """Rows handed over in any pieces, cut inside frames too, give what one call gives, in either way."""
    length = sum(map(len, market(seed, 400)))
    cuts = data.draw(st.lists(st.integers(0, length), max_size=60))
    terms = PaperTerms(jitter_ns=2 * MS)
    assert ran(seed, terms, always=always, cuts=cuts) == ran(seed, terms, always=always)


def test_every_row_on_its_own() -> None:
    """The finest cut, one row a call, is no exception."""
    terms = PaperTerms()
    length = sum(map(len, market(5, 400)))
    assert ran(5, terms, always=False, cuts=range(length)) == ran(5, terms, always=True)


def test_the_script_gets_everything() -> None:
    """The scenes of these tests have fills, funding, refusals, cancels and expiries, so that equality means much."""
    said = "\n".join(line for seed in range(8) for line in ran(seed, PaperTerms(), always=False, orders=40)[0])
    kinds = ["Fill(", "Funding(", "Wake(", "Timer(", "ClockOffset(", "BookInvalid("]
    kinds += ["REJECTED", "CANCELED", "EXPIRED", "FILLED"]
    assert [kind for kind in kinds if kind not in said] == []


def test_both_ways_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first order there are calls with something alive and calls without, many of each."""
    calls: list[bool] = []
    bulk = SimulatedVenue.advance

    def counted(venue: SimulatedVenue, *where: int) -> int:
        calls.append(venue.exchange.alive > 0)
        return bulk(venue, *where)

    monkeypatch.setattr(SimulatedVenue, "advance", counted)
    for seed in range(8):
        ran(seed, PaperTerms(), always=False)
    after = calls[calls.index(True) :]
    assert after.count(True) > 200 and after.count(False) > 200


# -- the door to the session -----------------------------------------------------------------------------------------


def test_a_venue_speaks_for_its_exchange() -> None:
    """Orders, offsets and broken books reach the exchange; its reports and the time they are due come back."""
    exchange = SimulatedExchange((INSTRUMENT,), RICH, PaperTerms())
    venue = SimulatedVenue(exchange)
    rows = snapshot()
    memory = EngineMemory()
    assert venue.advance(memory.engine.ctypes.data, address_of(rows), 0, len(rows)) >> 8 == len(rows)
    venue.hear(ClockOffset(0, 5 * MS, 0))
    assert exchange.clock_offset_ns == 5 * MS
    wish = next(one for one in wishes(1, 40) if one.type.name == "MARKET" and not one.reduce_only)
    venue.execute(Submit(100 * MS, wish))
    assert venue.due_ns == FAR_NS and exchange.proof_ns == 115 * MS
    venue.hear(BookInvalid(0, 0, "GAP"))
    later = np.concatenate([snapshot(200)])
    result = venue.advance(memory.engine.ctypes.data, address_of(later), 0, len(later))
    assert (result >> 8, result & naive.VENUE) == (len(later), 0)
    assert venue.due_ns == 200 * MS
    reports = venue.take(200 * MS)
    assert [type(report) for report in reports] == [OrderReport, OrderReport]
    assert not any(isinstance(report, Fill) for report in reports) and venue.take(FAR_NS) == []
