"""Waits between attempts, and the budget of a host."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exchange.binance.pace import ATTEMPTS, URGENT_S, WINDOW_S, Attempts, Pace


def _pace(budget: Attempts | None = None) -> Pace:
    return Pace(budget or Attempts(), lambda: 1.0, base_s=1.0, cap_s=8.0)


def test_the_first_attempt_waits_for_nothing() -> None:
    """Nobody waits before the first attempt."""
    assert _pace().wait_s(0.0) == 0.0


def test_waits_double_up_to_their_cap() -> None:
    """Each failure in a row doubles the longest wait until the cap is reached."""
    pace = _pace()
    waits = []
    for _ in range(6):
        pace.tried(0.0)
        pace.ended(0.0, 0.0)
        waits.append(pace.wait_s(0.0))
    assert waits == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_only_a_long_life_forgives_failures() -> None:
    """A connection that lived a minute starts the waits anew, a shorter one does not."""
    short, long = _pace(), _pace()
    for pace, lived_s in ((short, 59.0), (long, 60.0)):
        for _ in range(3):
            pace.ended(0.0, 0.0)
        pace.ended(0.0, lived_s)
    assert (short.wait_s(0.0), long.wait_s(0.0)) == (8.0, 1.0)


def test_the_budget_is_shared_and_frees_itself() -> None:
    """Attempts of one line count for the other, and are free again after the window."""
    budget = Attempts()
    one, other = _pace(budget), _pace(budget)
    for number in range(ATTEMPTS):
        one.tried(float(number))
    assert other.wait_s(float(ATTEMPTS)) == WINDOW_S - ATTEMPTS
    assert other.wait_s(WINDOW_S) == 0.0


def test_an_exit_that_waits_goes_beyond_the_budget_at_a_bounded_rate() -> None:
    """Urgent attempts wait a quarter of a second and nothing more."""
    budget = Attempts(1)
    pace = _pace(budget)
    pace.tried(10.0)
    pace.ended(10.0, 0.0)
    assert (pace.wait_s(10.0, urgent=True), pace.wait_s(10.0 + URGENT_S, urgent=True)) == (URGENT_S, 0.0)


@given(st.lists(st.integers(0, 30), max_size=80))
def test_waiting_as_told_keeps_the_budget(pauses: list[int]) -> None:
    """Whoever waits as told makes at most so many attempts in any window, whatever happens in between."""
    pace, now_s, made = Pace(Attempts(5, 60.0), lambda: 0.0), 0.0, []
    for pause_s in pauses:
        now_s += pause_s
        while (wait_s := pace.wait_s(now_s)) > 0:
            now_s += wait_s
        pace.tried(now_s)
        pace.ended(now_s, 0.0)
        made.append(now_s)
        assert sum(at_s > now_s - 60.0 for at_s in made) <= 5
