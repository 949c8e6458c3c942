"""The run's receive clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.clock import RunClock, wall_ns


class Ticks:
    """A monotonic clock that says what it is told."""

    def __init__(self, *readings):
        self.readings = list(readings)

    def __call__(self):
        return self.readings.pop(0)


def test_time_is_the_anchor_plus_what_elapsed():
    """A reading is the anchor plus the monotonic time since the start."""
    clock = RunClock(1_000, monotonic_ns=Ticks(50, 50, 75, 1_050))
    assert [clock.now_ns(), clock.now_ns(), clock.now_ns()] == [1_000, 1_025, 2_000]


def test_rate_stretches_elapsed_time():
    """At rate 10 one real nanosecond is ten of the run's."""
    clock = RunClock(0, 10.0, monotonic_ns=Ticks(7, 8, 12))
    assert [clock.now_ns(), clock.now_ns()] == [10, 50]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=50), st.sampled_from([0.3, 1.0, 4.0]))
def test_time_strictly_increases(steps, rate):
    """No two readings are equal, however seldom the clock below moves."""
    readings = [0]
    for step in steps:
        readings.append(readings[-1] + step)
    clock = RunClock(10**18, rate, monotonic_ns=Ticks(*readings))
    times = [clock.now_ns() for _ in steps]
    assert times == sorted(set(times))


@pytest.mark.parametrize("rate", [0, -1.0, float("nan")])
def test_rate_must_be_positive(rate):
    """A clock that would stand still or run backwards is refused."""
    with pytest.raises(ValueError, match="rate must be positive"):
        RunClock(0, rate)


def test_wall_clock_is_an_integer_of_this_century():
    """The anchor is whole nanoseconds since 1970."""
    assert isinstance(wall_ns(), int) and wall_ns() > 1_700_000_000_000_000_000
