"""Median, MAD and robust z: exact, also while the histogram turns, jumps and overflows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernels import robust
from tests.bench.kernels import Pair, differences, pairs_of
from tests.naive import robust as naive

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.integers(-4, 4)),
        st.tuples(st.just("push"), st.integers(-200, 200)),
        st.tuples(st.just("run"), st.integers(-5, 5)),
        st.tuples(st.just("drop"), st.just(0)),
        st.tuples(st.just("look"), st.just(0)),
    ),
    max_size=80,
)


COMPARED = pairs_of(naive, "median_mad", "robust_z", "robust_drop", "robust_push", "robust_median", "robust_step")


@pytest.mark.parametrize("pair", COMPARED, ids=lambda pair: pair.name)
@given(seed=st.integers(0, 2**32), size=st.integers(0, 60))
@settings(max_examples=50, deadline=None)
def test_equals_twin(pair: Pair, seed: int, size: int) -> None:
    """Kernel and twin give the same numbers after any walk, in the narrow and in the wide state."""
    assert differences(pair, pair.arguments(np.random.default_rng(seed), size)) == []


@given(STEPS, st.integers(1, 12), st.sampled_from([2, 16, 64]))
@settings(max_examples=150, deadline=None)
def test_moving_median_is_exact_after_any_history(steps: list[tuple[str, int]], capacity: int, bins: int) -> None:
    """However values come and go, the moving median and MAD equal those of the window sorted anew."""
    own, slow = robust.robust_window(capacity, bins), robust.robust_window(capacity, bins)
    value = 0
    for step, change in steps:
        if step == "push":
            value += change
            assert robust.robust_push(*own, value) == naive.robust_push(*slow, value)
        elif step == "run":  # a move of many ticks that nobody looks at: the pointers are left far behind
            for _ in range(20):
                value += change
                assert robust.robust_push(*own, value) == naive.robust_push(*slow, value)
        elif step == "drop":
            assert robust.robust_drop(*own) == naive.robust_drop(*slow)
        else:
            assert robust.robust_median(*own) == naive.robust_median(*slow)
    assert robust.robust_median(*own) == naive.robust_median(*slow)


@pytest.mark.parametrize("change", [4, -4])
def test_pointers_left_far_behind_are_not_fooled(change: int) -> None:
    """After a silent move of ten times the histogram, bins that belong to other values are not counted."""
    own, slow = robust.robust_window(3, 16), robust.robust_window(3, 16)
    for value in range(0, 40 * change, change):
        robust.robust_push(*own, value)
        naive.robust_push(*slow, value)
        if value == 2 * change:
            assert robust.robust_median(*own) == naive.robust_median(*slow)
    assert robust.robust_median(*own) == naive.robust_median(*slow) == (76 * change, 16, True)


def test_a_window_that_was_too_wide_becomes_narrow_again() -> None:
    """A jump beyond the histogram is answered by selection, and the histogram returns when the jump has left."""
    ring, counts, state = robust.robust_window(4, 16)
    for value in (100, 101, 1_000):
        robust.robust_push(ring, counts, state, value)
    assert (state[robust.WIDE], robust.robust_median(ring, counts, state)) == (1, (202, 4, True))
    for value in (102, 103, 102, 101):
        robust.robust_push(ring, counts, state, value)
    assert (state[robust.WIDE], robust.robust_median(ring, counts, state)) == (0, (204, 2, True))


def test_value_is_scored_before_it_is_inserted() -> None:
    """The first value has nothing to be compared with; the second is compared with the first alone."""
    window = robust.robust_window(10, 64)
    assert robust.robust_step(*window, 100, 1) == (0.0, False)
    assert robust.robust_step(*window, 103, 1) == (pytest.approx(3 * 0.6744897501960817), True)


def test_still_market_is_judged_by_the_floor() -> None:
    """With no deviation at all the floor of one tick is the unit; without a floor there is no score."""
    still = np.full(9, 500)
    assert robust.robust_z(still, 512, 2) == (1_000, 0, pytest.approx(6 * 0.6744897501960817), True)
    assert robust.robust_z(still, 512, 0) == (1_000, 0, 0.0, False)


@pytest.mark.parametrize(("capacity", "bins"), [(0, 64), (5, 48), (5, 1)])
def test_impossible_sizes_are_refused(capacity: int, bins: int) -> None:
    """A window without room, or a histogram that is no power of two, is refused in one sentence."""
    with pytest.raises(ValueError, match="power of two"):
        robust.robust_window(capacity, bins)
