"""The market-decision machine and the position machine, as tables.

The market decision follows from which conditions are violated now. Data conditions cost trust, market conditions make
the hypothesis invalid:

=========== =========== ============ ==========================================
condition   trust       hypothesis   decision while it is violated
=========== =========== ============ ==========================================
BOOK        UNTRUSTED   INVALID      HALTED: protective exits only
STALE       UNTRUSTED   INVALID      HALTED
CROSSED     UNTRUSTED   INVALID      HALTED
CASCADE     (unchanged) INVALID      HALTED
SPREAD      (unchanged) INVALID      RESTRICTED: no entries, ordinary exits go on
DEPTH       (unchanged) INVALID      RESTRICTED
IMBALANCE   (unchanged) INVALID      RESTRICTED
(none)      TRUSTED     VALID        ALLOWED, after ``clear_after`` without any
=========== =========== ============ ==========================================

A violation acts at once; relief waits ``clear_after_ms``, so that a flickering condition is one period and not fifty:
the decision is the severest that any violation of the last ``clear_after_ms`` calls for. ``RANGE`` decides nothing: a
new snapshot was asked for before, and the gate sends nothing into a book that is not proven.
"""

from __future__ import annotations

import enum

import msgspec

from core.kernels.state import Condition
from models.control import Decision, DecisionAction, Hypothesis, Reason, Trust
from models.rows import FAR_NS

CONDITIONS: dict[int, tuple[Reason, Trust | None, Decision]] = {
    Condition.BOOK: (Reason.DATA_GAP, Trust.UNTRUSTED, Decision.HALTED),
    Condition.STALE: (Reason.DATA_STALE, Trust.UNTRUSTED, Decision.HALTED),
    Condition.CROSSED: (Reason.DATA_CROSSED, Trust.UNTRUSTED, Decision.HALTED),
    Condition.CASCADE: (Reason.LIQ_CASCADE, None, Decision.HALTED),
    Condition.SPREAD: (Reason.SPREAD_WIDE, None, Decision.RESTRICTED),
    Condition.DEPTH: (Reason.DEPTH_THIN, None, Decision.RESTRICTED),
    Condition.IMBALANCE: (Reason.IMBALANCE, None, Decision.RESTRICTED),
}
"""Condition bit → reason, what it does to trust, and the decision; in order of precedence for the named reason."""

_SEVERITY = {Decision.ALLOWED: 0, Decision.RESTRICTED: 1, Decision.HALTED: 2}


class MarketDecision(msgspec.Struct, frozen=True):
    trust: Trust
    hypothesis: Hypothesis
    decision: Decision
    reason: Reason


def judge(violated: int) -> MarketDecision:
    """The state that a set of violated conditions calls for, without any delay."""
    trust, decision, reason = Trust.TRUSTED, Decision.ALLOWED, Reason.RECOVERED
    for bit, (cause, distrust, level) in CONDITIONS.items():
        if violated & bit:
            if distrust is not None:
                trust = distrust
            if _SEVERITY[level] > _SEVERITY[decision]:
                decision, reason = level, cause
    hypothesis = Hypothesis.VALID if decision is Decision.ALLOWED else Hypothesis.INVALID
    return MarketDecision(trust, hypothesis, decision, reason)


class DecisionMachine:
    """One instrument's market decision over time. ``now`` is the state, ``relief_ns`` when a better one may come."""

    def __init__(self, clear_after_ns: int) -> None:
        self._clear_after_ns = clear_after_ns
        self.now = MarketDecision(Trust.UNTRUSTED, Hypothesis.INVALID, Decision.HALTED, Reason.STARTUP)
        self.since_ns = -1
        self.relief_ns = FAR_NS
        self._wanted = self.now  # what the newest set of violations calls for
        self._wanted_ns = -1  # since when
        self._worst = self.now  # the severest that was wanted since the wait for relief began

    def violated(self, bits: int, at_ns: int) -> MarketDecision | None:
        """Take the set of violated conditions; returns the state before when it changed now."""
        wanted = judge(bits)
        if wanted != self._wanted:
            self._wanted, self._wanted_ns = wanted, at_ns
        if wanted == self.now:
            self.relief_ns = FAR_NS
            return None
        if _SEVERITY[wanted.decision] < _SEVERITY[self.now.decision] and self.now.reason is not Reason.STARTUP:
            if self.relief_ns == FAR_NS:
                self.relief_ns, self._worst = at_ns + self._clear_after_ns, wanted
            elif _SEVERITY[wanted.decision] >= _SEVERITY[self._worst.decision]:
                self._worst = wanted
            return None
        return self._become(wanted, at_ns)

    def timer(self, at_ns: int) -> MarketDecision | None:
        """A deadline passed; returns the state before when relief was due. The rest of the way has its own wait."""
        if at_ns < self.relief_ns:
            return None
        before = self._become(self._worst, at_ns)
        if self._wanted != self.now:
            self.relief_ns, self._worst = self._wanted_ns + self._clear_after_ns, self._wanted
        return before

    def _become(self, wanted: MarketDecision, at_ns: int) -> MarketDecision:
        before, self.now = self.now, wanted
        self.relief_ns = FAR_NS
        if self.since_ns < 0:
            self.since_ns = at_ns
        return before


def action_of(before: Decision, after: Decision) -> DecisionAction:
    """The word a decisions record uses for a change of the market decision."""
    if after is Decision.HALTED:
        return DecisionAction.HALT
    if after is Decision.RESTRICTED:
        return DecisionAction.RESTRICTED
    return DecisionAction.RESUME if before is not Decision.ALLOWED else DecisionAction.ALLOWED


class PositionState(enum.StrEnum):
    __hash__ = str.__hash__  # keys of the table; that of Enum is Python

    FLAT = "FLAT"
    ENTERING = "ENTERING"
    OPEN = "OPEN"
    EXITING = "EXITING"


class PositionEvent(enum.StrEnum):
    __hash__ = str.__hash__  # keys of the table; that of Enum is Python

    ENTRY_SENT = "ENTRY_SENT"
    ENTRY_DONE = "ENTRY_DONE"  # the entry order is terminal and something filled
    ENTRY_VOID = "ENTRY_VOID"  # the entry order is terminal and nothing filled
    EXIT_SENT = "EXIT_SENT"
    EXIT_VOID = "EXIT_VOID"  # the exit order is terminal and the position is not flat
    ADOPTED = "ADOPTED"  # a fill opened a position that no entry on its way accounts for
    CLOSED = "CLOSED"  # the position is flat


POSITION: dict[PositionState, dict[PositionEvent, PositionState]] = {
    PositionState.FLAT: {
        PositionEvent.ENTRY_SENT: PositionState.ENTERING,
        PositionEvent.ADOPTED: PositionState.OPEN,
    },
    PositionState.ENTERING: {
        PositionEvent.ENTRY_DONE: PositionState.OPEN,
        PositionEvent.ENTRY_VOID: PositionState.FLAT,
        PositionEvent.EXIT_SENT: PositionState.EXITING,
        PositionEvent.CLOSED: PositionState.FLAT,
    },
    PositionState.OPEN: {
        PositionEvent.EXIT_SENT: PositionState.EXITING,
        PositionEvent.CLOSED: PositionState.FLAT,
    },
    PositionState.EXITING: {
        PositionEvent.EXIT_SENT: PositionState.EXITING,
        PositionEvent.EXIT_VOID: PositionState.OPEN,
        PositionEvent.ENTRY_DONE: PositionState.EXITING,
        PositionEvent.CLOSED: PositionState.FLAT,
    },
}
"""Position state → event → next state; an absent pair is a fault of ours."""


def next_position(state: PositionState, event: PositionEvent) -> PositionState:
    """The next state. Raises ValueError on a pair the table does not have."""
    after = POSITION[state].get(event)
    if after is None:
        raise ValueError(f"a position cannot take {event} while {state}")
    return after
