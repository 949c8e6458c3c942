"""The operating state as the sum of its causes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.risk.mode import LEVEL, STICKY, Cause, Mode
from models.control import Operating

SEVERITY = [Operating.NORMAL, Operating.ENTRY_BLOCKED, Operating.REDUCING, Operating.HALTED]


def test_without_a_cause_the_state_is_normal() -> None:
    """NORMAL means that no cause is left, and there is none to name."""
    mode = Mode()
    assert (mode.state, mode.first()) == (Operating.NORMAL, None)


def test_every_cause_has_a_level() -> None:
    """No cause is without effect: each demands more than NORMAL."""
    assert set(LEVEL) == set(Cause)
    assert Operating.NORMAL not in LEVEL.values()


def test_causes_that_halt() -> None:
    """Hard daily loss, drawdown, the compiled ceiling, a liquidation and the kill switch halt; nothing else does."""
    halting = {cause.value for cause, level in LEVEL.items() if level is Operating.HALTED}
    assert halting == {"P21", "P22", "P04", "KILL", "LIQUIDATED"}


def test_every_halt_is_sticky() -> None:
    """What halts, and what a person must look at, survives a restart (invariant 13)."""
    halting = {cause for cause, level in LEVEL.items() if level is Operating.HALTED}
    looked_at = {Cause.OPERATOR, Cause.REPEATED, Cause.STREAK_HALT, Cause.REJECTIONS_AGAIN, Cause.UNPROTECTED}
    assert halting | looked_at | {Cause.POSITION, Cause.FILL} == STICKY


@pytest.mark.parametrize("cause", list(Cause))
def test_each_cause_alone(cause: Cause) -> None:
    """One cause brings its state, and lifting it brings NORMAL back."""
    mode = Mode()
    assert mode.block(cause, "why")
    assert (mode.state, mode.first()) == (LEVEL[cause], (cause, "why"))
    assert mode.lift(cause)
    assert mode.state is Operating.NORMAL


@pytest.mark.parametrize(("one", "other"), list(itertools.permutations(Cause, 2)))
def test_causes_pair_by_pair(one: Cause, other: Cause) -> None:
    """Two causes bring the severer state and name it, the older among equals; lifting either leaves the other's."""
    mode = Mode()
    mode.block(one, "first")
    mode.block(other, "second")
    severer = max(one, other, key=lambda cause: SEVERITY.index(LEVEL[cause]))
    assert mode.state is LEVEL[severer]
    named = one if LEVEL[one] is LEVEL[other] else severer
    assert mode.first() == (named, "first" if named is one else "second")
    mode.lift(one)
    assert (mode.state, mode.first()) == (LEVEL[other], (other, "second"))


def test_a_cause_counts_once() -> None:
    """Blocking again is no news and keeps the first detail; lifting what is not there is no news either."""
    mode = Mode()
    assert [mode.block(Cause.STREAM, detail) for detail in ("depth", "trades")] == [True, False]
    assert mode.causes == {Cause.STREAM: "depth"}
    assert [mode.lift(Cause.STREAM) for _ in range(2)] == [True, False]


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(list(Cause)))))
def test_a_random_walk_ends_where_its_causes_say(steps: list[tuple[bool, Cause]]) -> None:
    """After any blocks and lifts the state is the severest of the causes in force, and ``first`` is the oldest such."""
    mode, standing = Mode(), []
    for block, cause in steps:
        fresh = cause not in standing
        if block:
            assert mode.block(cause, cause.value) is fresh
            standing += [cause] if fresh else []
        else:
            assert mode.lift(cause) is not fresh
            standing = [each for each in standing if each is not cause]
        level = max((SEVERITY.index(LEVEL[each]) for each in standing), default=0)
        assert mode.state is SEVERITY[level]
        named = next((each for each in standing if SEVERITY.index(LEVEL[each]) == level), None)
        assert mode.first() == (None if named is None else (named, named.value))
