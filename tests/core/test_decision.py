"""The market decision and the position as state machines, walked pair by pair and at random."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.decision import (
    CONDITIONS,
    POSITION,
    DecisionMachine,
    MarketDecision,
    PositionEvent,
    PositionState,
    action_of,
    judge,
    next_position,
)
from core.kernels.state import Condition
from models.control import Decision, DecisionAction, Hypothesis, Reason, Trust
from models.rows import FAR_NS
from tests.builders import MS, SECOND, START_NS

ALLOWED = MarketDecision(Trust.TRUSTED, Hypothesis.VALID, Decision.ALLOWED, Reason.RECOVERED)
SEVERITY = [Decision.ALLOWED, Decision.RESTRICTED, Decision.HALTED]
TABLE = [
    (Condition.BOOK, Trust.UNTRUSTED, Decision.HALTED, Reason.DATA_GAP),
    (Condition.STALE, Trust.UNTRUSTED, Decision.HALTED, Reason.DATA_STALE),
    (Condition.CROSSED, Trust.UNTRUSTED, Decision.HALTED, Reason.DATA_CROSSED),
    (Condition.CASCADE, Trust.TRUSTED, Decision.HALTED, Reason.LIQ_CASCADE),
    (Condition.SPREAD, Trust.TRUSTED, Decision.RESTRICTED, Reason.SPREAD_WIDE),
    (Condition.DEPTH, Trust.TRUSTED, Decision.RESTRICTED, Reason.DEPTH_THIN),
    (Condition.IMBALANCE, Trust.TRUSTED, Decision.RESTRICTED, Reason.IMBALANCE),
]
BITS = [row[0] for row in TABLE]
CLEAR_NS = 1_000 * MS


@pytest.mark.parametrize(("bit", "trust", "decision", "reason"), TABLE)
def test_each_condition_alone(bit: int, trust: Trust, decision: Decision, reason: Reason) -> None:
    """A violated condition makes the hypothesis invalid, and costs trust and freedom as the design's table says."""
    assert judge(bit) == MarketDecision(trust, Hypothesis.INVALID, decision, reason)


@pytest.mark.parametrize("bits", [0, Condition.RANGE])
def test_nothing_violated_is_allowed(bits: int) -> None:
    """Without a violated decision condition all is allowed; a touch beyond the proven range is none."""
    assert judge(bits) == ALLOWED


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(range(len(TABLE)), 2)))
def test_conditions_pair_by_pair(one: int, other: int) -> None:
    """Two conditions together: trust is lost when either costs it, the severer decides, the first in order is named."""
    pair = [TABLE[one], TABLE[other]]
    trust = Trust.UNTRUSTED if any(row[1] is Trust.UNTRUSTED for row in pair) else Trust.TRUSTED
    worst = max(pair, key=lambda row: SEVERITY.index(row[2]))
    assert judge(pair[0][0] | pair[1][0]) == MarketDecision(trust, Hypothesis.INVALID, worst[2], worst[3])


def test_the_table_has_every_condition() -> None:
    """Each bit that the compiled pass can set is in the table, but for the one that only asks for a snapshot."""
    bits = {value for name, value in vars(Condition).items() if name.isupper()}
    assert set(CONDITIONS) == bits - {Condition.RANGE}


def started(bits: int = 0) -> DecisionMachine:
    """A machine that has left its start with ``bits`` violated."""
    machine = DecisionMachine(CLEAR_NS)
    machine.violated(bits, START_NS)
    return machine


def test_a_machine_starts_halted() -> None:
    """Before the first frame nothing is trusted, and no timer runs."""
    machine = DecisionMachine(CLEAR_NS)
    assert machine.now == MarketDecision(Trust.UNTRUSTED, Hypothesis.INVALID, Decision.HALTED, Reason.STARTUP)
    assert machine.relief_ns == FAR_NS


def test_the_first_clean_book_ends_the_start_at_once() -> None:
    """Leaving the start is no relief and waits for nothing."""
    machine = DecisionMachine(CLEAR_NS)
    before = machine.violated(0, START_NS)
    assert before is not None and before.reason is Reason.STARTUP
    assert (machine.now, machine.since_ns) == (ALLOWED, START_NS)


@pytest.mark.parametrize("bit", BITS)
def test_a_violation_acts_at_once_and_relief_waits(bit: int) -> None:
    """The decision falls with the frame that violates, and rises one second after the frame that no longer does."""
    machine = started()
    assert machine.violated(bit, START_NS + 5) == ALLOWED
    assert machine.now == judge(bit)
    assert machine.violated(0, START_NS + SECOND) is None
    assert machine.relief_ns == START_NS + SECOND + CLEAR_NS
    assert machine.timer(machine.relief_ns - 1) is None
    assert machine.timer(machine.relief_ns) == judge(bit)
    assert (machine.now, machine.relief_ns) == (ALLOWED, FAR_NS)


def test_a_flicker_is_one_period() -> None:
    """Fifty violations with pauses shorter than the wait are one change there and one back."""
    machine, changes = started(), 0
    for number in range(50):
        at_ns = START_NS + number * 100 * MS
        changes += machine.violated(Condition.SPREAD if number % 2 else 0, at_ns) is not None
        changes += machine.timer(at_ns) is not None
    changes += machine.violated(0, START_NS + 10 * SECOND) is not None
    changes += machine.timer(START_NS + 20 * SECOND) is not None
    assert (changes, machine.now) == (2, ALLOWED)


@pytest.mark.parametrize(("one", "other"), list(itertools.permutations(BITS, 2)))
def test_a_severer_or_equal_violation_replaces_at_once(one: int, other: int) -> None:
    """From one condition to another: an equal or severer one takes over with its frame, a milder one waits."""
    machine = started(one)
    milder = SEVERITY.index(judge(other).decision) < SEVERITY.index(judge(one).decision)
    before = machine.violated(other, START_NS + 5)
    assert (before is None) is milder
    assert machine.now == (judge(one) if milder else judge(other))
    if milder:
        machine.timer(START_NS + 5 + CLEAR_NS)
        assert machine.now == judge(other)


def test_each_step_of_relief_has_its_own_wait() -> None:
    """A spread that ends just before the halt's wait is over is not forgotten: entries wait for their second."""
    machine = started(Condition.STALE)
    machine.violated(Condition.SPREAD, START_NS + 100 * MS)
    machine.violated(0, START_NS + 1_000 * MS)
    assert machine.timer(START_NS + 1_100 * MS) is not None
    assert machine.now == judge(Condition.SPREAD)
    assert machine.relief_ns == START_NS + 2_000 * MS
    machine.timer(machine.relief_ns)
    assert machine.now == ALLOWED


def test_relief_ends_in_the_newest_of_equal_conditions() -> None:
    """While a halt waits for its relief, one restriction gives way to another: the one in force is named."""
    machine = started(Condition.STALE)
    machine.violated(Condition.SPREAD, START_NS + 100 * MS)
    machine.violated(Condition.DEPTH, START_NS + 200 * MS)
    machine.timer(machine.relief_ns)
    assert (machine.now, machine.relief_ns) == (judge(Condition.DEPTH), FAR_NS)


@given(st.lists(st.tuples(st.integers(0, 1_500), st.integers(0, 255)), min_size=1, max_size=40))
def test_the_decision_is_the_severest_of_the_last_second(steps: list[tuple[int, int]]) -> None:
    """After any walk the decision is the severest that the violations of the last second call for, and the record of
    trust, hypothesis and reason is that of one set of violations in force within it."""
    machine = DecisionMachine(CLEAR_NS)
    now, history = START_NS, []
    for number, (pause_ms, bits) in enumerate(steps):
        now += pause_ms * MS if number else 0
        while machine.relief_ns <= now:
            machine.timer(machine.relief_ns)
        machine.violated(bits, now)
        history.append((now, judge(bits)))
        ended = [later for later, _ in history[1:]] + [FAR_NS]
        recent = [wanted for (_, wanted), end in zip(history, ended, strict=True) if end > now - CLEAR_NS]
        severest = max(SEVERITY.index(wanted.decision) for wanted in recent)
        assert SEVERITY.index(machine.now.decision) == severest
        assert machine.now in recent
        assert machine.relief_ns > now


@pytest.mark.parametrize(("before", "after"), list(itertools.product(Decision, repeat=2)))
def test_words_of_a_change(before: Decision, after: Decision) -> None:
    """A record says HALT or RESTRICTED for where it goes, RESUME for a way back, ALLOWED for staying so."""
    back = DecisionAction.RESUME if before is not Decision.ALLOWED else DecisionAction.ALLOWED
    words = {Decision.HALTED: DecisionAction.HALT, Decision.RESTRICTED: DecisionAction.RESTRICTED}
    assert action_of(before, after) is words.get(after, back)


FLAT, ENTERING, OPEN, EXITING = PositionState
PATHS = {
    (FLAT, PositionEvent.ENTRY_SENT): ENTERING,
    (FLAT, PositionEvent.ADOPTED): OPEN,
    (ENTERING, PositionEvent.ENTRY_DONE): OPEN,
    (ENTERING, PositionEvent.ENTRY_VOID): FLAT,
    (ENTERING, PositionEvent.EXIT_SENT): EXITING,
    (ENTERING, PositionEvent.CLOSED): FLAT,
    (OPEN, PositionEvent.EXIT_SENT): EXITING,
    (OPEN, PositionEvent.CLOSED): FLAT,
    (EXITING, PositionEvent.EXIT_SENT): EXITING,
    (EXITING, PositionEvent.EXIT_VOID): OPEN,
    (EXITING, PositionEvent.ENTRY_DONE): EXITING,
    (EXITING, PositionEvent.CLOSED): FLAT,
}


@pytest.mark.parametrize(("state", "event"), list(itertools.product(PositionState, PositionEvent)))
def test_the_position_pair_by_pair(state: PositionState, event: PositionEvent) -> None:
    """Each pair of the design leads where it says; every other pair is a fault of ours and raises."""
    if (state, event) in PATHS:
        assert next_position(state, event) is PATHS[state, event]
    else:
        with pytest.raises(ValueError, match=f"cannot take {event} while {state}"):
            next_position(state, event)


@given(st.lists(st.integers(0, 10)))
def test_a_random_walk_of_the_position(choices: list[int]) -> None:
    """Along any path of the table, nothing is entered twice without being flat in between, and FLAT stays in reach."""
    state, entered = FLAT, 0
    for choice in choices:
        row = POSITION[state]
        event = list(row)[choice % len(row)]
        entered += event is PositionEvent.ENTRY_SENT
        state = row[event]
        entered = 0 if state is FLAT else entered
        assert entered <= 1
        assert state is FLAT or FLAT in POSITION[state].values()
