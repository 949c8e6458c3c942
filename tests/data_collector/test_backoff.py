"""Waits and the attempt budget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_collector.backoff import AttemptBudget, Backoff


def test_waits_double_up_to_the_cap() -> None:
    """With the dice at their end the waits are base · 2ⁿ, never above the cap."""
    backoff = Backoff(0.5, 60.0, lambda: 1.0)
    assert [backoff.next_s() for _ in range(9)] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


@given(st.integers(0, 5000), st.floats(0, 1, exclude_max=True))
def test_the_jitter_is_full_and_bounded_for_ever(failures: int, die: float) -> None:
    """After any number of failures the wait is the die times the end, between zero and the cap."""
    backoff = Backoff(0.5, 60.0, lambda: die)
    backoff.failures = failures
    assert backoff.next_s() == die * min(60.0, 0.5 * 2.0 ** min(failures, 30))


def test_a_reset_begins_again() -> None:
    """After a reset the next wait is the first one."""
    backoff = Backoff(0.5, 60.0, lambda: 1.0)
    for _ in range(5):
        backoff.next_s()
    backoff.reset()
    assert backoff.next_s() == 0.5


def test_the_budget_holds_over_any_window() -> None:
    """The attempt beyond the budget waits until the oldest has left the window."""
    budget = AttemptBudget(3, 300.0)
    for at_s in (0.0, 1.0, 2.0):
        assert budget.wait_s(at_s) == 0.0
        budget.take(at_s)
    assert (budget.wait_s(10.0), budget.wait_s(300.0)) == (290.0, 0.0)


def test_an_attempt_beyond_the_budget_is_a_bug() -> None:
    """Taking what is not allowed raises instead of counting on."""
    budget = AttemptBudget(1, 300.0)
    budget.take(0.0)
    with pytest.raises(RuntimeError, match="attempt budget"):
        budget.take(1.0)


@given(st.lists(st.integers(0, 100), max_size=100))
def test_whoever_waits_as_told_never_exceeds_the_budget(pauses: list[int]) -> None:
    """No window of 300 s ever holds more than the allowed attempts."""
    budget, now_s, taken = AttemptBudget(5, 300), 0, []
    for pause_s in pauses:
        now_s += pause_s
        now_s += budget.wait_s(now_s)
        budget.take(now_s)
        taken.append(now_s)
        assert sum(at_s > now_s - 300.0 for at_s in taken) <= 5
