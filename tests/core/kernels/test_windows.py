"""Window kernels: agreement with twins, and their numerical promises."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernels import windows
from tests.bench.kernels import Pair, differences, pairs_of
from tests.naive import windows as naive

COMPARED = pairs_of(
    naive,
    "window_sum",
    "time_weighted_mean",
    "welford_add",
    "welford_remove",
    "welford",
    "rolling_var",
    "compensated_sum",
    "sliding_extrema",
    "ewma_step",
    "ewma_time",
)


@pytest.mark.parametrize("pair", COMPARED, ids=lambda pair: pair.name)
@given(seed=st.integers(0, 2**32), size=st.integers(0, 40))
@settings(max_examples=50, deadline=None)
def test_equals_twin(pair: Pair, seed: int, size: int) -> None:
    """Kernel and twin give the same numbers, to the bit for integers."""
    assert differences(pair, pair.arguments(np.random.default_rng(seed), size)) == []


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=60))
@settings(max_examples=100, deadline=None)
def test_sum_is_within_two_roundings_of_the_true_sum(values: list[float]) -> None:
    """Neumaier's sum is right to the last bits of the largest term, in whatever order the terms come."""
    true = math.fsum(values)
    slack = 2 * math.ulp(abs(true)) + len(values) ** 2 * 1e-32 * sum(map(abs, values))
    assert abs(windows.compensated_sum(np.array(values)) - true) <= slack


def test_streaming_and_batch_moments_are_the_same_bits() -> None:
    """Adding one by one, and all at once, is the same arithmetic."""
    values = np.random.default_rng(3).normal(100.0, 2.0, 500)
    moments = (0, 0.0, 0.0)
    for value in values.tolist():
        moments = windows.welford_add(*moments, value)
    assert moments == windows.welford(values)


def test_moving_variance_is_recomputed_after_a_shock() -> None:
    """A value of 1e9 that has passed through the window leaves no error behind the next full recomputation."""
    size, window = 2 * windows.RECOMPUTE_EVERY + 10, 8
    values = np.random.default_rng(5).normal(0.0, 1.0, size)
    values[20] = 1e9
    out = np.zeros((size - window + 1, 2))
    assert windows.rolling_var(values, window, 1, out) == len(out)
    behind = windows.RECOMPUTE_EVERY + 3
    assert out[behind - window + 1, 1] == pytest.approx(statistics.variance(values[behind - window + 1 : behind + 1]))


@pytest.mark.parametrize(("window", "ddof"), [(1, 1), (0, 0), (6, 0), (2, 2)])
def test_no_window_no_variance(window: int, ddof: int) -> None:
    """A window that is empty, longer than the series or not longer than ddof gives no row."""
    assert windows.rolling_var(np.zeros(5), window, ddof, np.zeros((5, 2))) == 0


def test_window_leaves_exactly_at_its_edge() -> None:
    """An event that is exactly one window old no longer counts; events of the same instant do."""
    out = np.zeros(4, np.int64)
    windows.window_sum(np.array([0, 10, 10, 20]), np.array([1, 2, 4, 8]), 10, out)
    assert out.tolist() == [1, 2, 6, 8]


def test_baseline_leaves_out_earlier_shocks() -> None:
    """Excluded time has no weight, nor has time before the first value."""
    times, values = np.array([100, 200, 300]), np.array([1.0, 9.0, 3.0])
    assert windows.time_weighted_mean(times, values, 0, 400, np.array([[200, 300]])) == (2.0, True)
    assert windows.time_weighted_mean(times, values, 0, 100, np.zeros((0, 2), np.int64)) == (0.0, False)


def test_half_life() -> None:
    """After one half-life of silence old and new weigh the same."""
    assert windows.ewma_step(10.0, 1_000, 1_000, 20.0) == pytest.approx(15.0, rel=1e-15)
