"""Waits between attempts, turns of the lines to one host, and the budget of the host."""

from __future__ import annotations

import math
import random

from hypothesis import given
from hypothesis import strategies as st

from exchange.binance.pace import ATTEMPTS, CAP_S, TURN_S, URGENT_S, WINDOW_S, Attempts, Pace


def _pace(budget: Attempts | None = None) -> Pace:
    return Pace(budget or Attempts(), lambda: 1.0, base_s=1.0, cap_s=8.0)


def _fail(pace: Pace, now_s: float = 0.0) -> float:
    """One attempt that fails; the wait after it."""
    pace.tried(now_s)
    pace.failed(now_s)
    return pace.wait_s(now_s)


def test_the_first_attempts_wait_for_nothing() -> None:
    """At the start all lines connect at once."""
    pace = _pace()
    pace.tried(0.0)
    assert pace.wait_s(0.0) == 0.0


def test_waits_double_up_to_their_cap() -> None:
    """Each failure in a row doubles the longest wait until the cap is reached."""
    pace = _pace()
    assert [_fail(pace) for _ in range(6)] == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_lines_to_a_failing_host_take_turns() -> None:
    """After a failure nobody tries while another line does (F05)."""
    pace = _pace()
    _fail(pace)
    assert pace.wait_s(1.0) == 0.0
    pace.tried(1.0)
    assert pace.wait_s(1.0) == TURN_S
    pace.opened()
    assert pace.wait_s(1.0) == 0.0


def test_lines_that_end_at_once_are_one_event() -> None:
    """Five lines lost in the same moment do not make the next wait longer than one would."""
    pace = _pace()
    for _ in range(5):
        pace.lost(0.0, 30.0)
    assert pace.wait_s(0.0) == 1.0


def test_only_a_long_life_forgives_failures() -> None:
    """A connection that lived a minute starts the waits anew, a shorter one does not, a brief one is a failure."""
    waits = []
    for lived_s in (0.5, 59.0, 60.0):
        pace = _pace()
        for _ in range(2):
            _fail(pace)
        pace.lost(0.0, lived_s)
        pace.lost(0.0, lived_s)
        waits.append(pace.wait_s(0.0))
    assert waits == [8.0, 4.0, 1.0]


def test_half_of_the_budget_is_free_and_the_rest_is_spread() -> None:
    """The first attempts of a window wait for nothing, each further one for its part of the window."""
    budget = Attempts()
    one, other = _pace(budget), _pace(budget)
    for _ in range(ATTEMPTS // 2):
        assert other.wait_s(0.0) == 0.0
        one.tried(0.0)
    assert [other.wait_s(at_s) for at_s in (0.0, 30.0)] == [30.0, 0.0]
    one.tried(30.0)
    assert [other.wait_s(at_s) for at_s in (30.0, 60.0, WINDOW_S)] == [30.0, 0.0, 0.0]


def test_an_exit_that_waits_goes_beyond_the_budget_at_a_bounded_rate() -> None:
    """Urgent attempts wait a quarter of a second and nothing more."""
    budget = Attempts(1)
    pace = _pace(budget)
    _fail(pace, 10.0)
    assert (pace.wait_s(10.0, urgent=True), pace.wait_s(10.0 + URGENT_S, urgent=True)) == (URGENT_S, 0.0)


@given(st.lists(st.integers(0, 30), max_size=80))
def test_waiting_as_told_keeps_the_budget(pauses: list[int]) -> None:
    """Whoever waits as told makes at most so many attempts in any window, whatever happens in between."""
    pace, now_s, made = Pace(Attempts(6, 60.0), lambda: 0.0), 0.0, []
    for pause_s in pauses:
        now_s += pause_s
        while (wait_s := pace.wait_s(now_s)) > 0:
            now_s = math.ceil(now_s + wait_s)
        pace.tried(now_s)
        pace.failed(now_s)
        made.append(now_s)
        assert sum(at_s > now_s - 60.0 for at_s in made) <= 6


@given(st.integers(0, 2**32), st.floats(1.0, 1_200.0))
def test_the_end_of_any_outage_is_found_soon(seed: int, outage_s: float) -> None:
    """However long a host was gone, the next attempt comes within half a minute: nothing locks us out (liveness)."""
    pace, now_s = Pace(Attempts(), random.Random(seed).random), 0.0
    while now_s < outage_s:
        pace.tried(now_s)
        pace.failed(now_s)
        now_s += pace.wait_s(now_s)
    assert now_s - outage_s <= CAP_S + 0.1
