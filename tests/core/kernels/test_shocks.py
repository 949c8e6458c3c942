"""Recovery, clusters, self-excitation and survival."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernels import shocks
from tests.bench.kernels import Pair, differences, pairs_of
from tests.naive import shocks as naive

COMPARED = pairs_of(
    naive, "t_rec", "liquidation_clusters", "hawkes_decay", "hawkes_intensity", "kaplan_meier", "kaplan_quantile"
)


@pytest.mark.parametrize("pair", COMPARED, ids=lambda pair: pair.name)
@given(seed=st.integers(0, 2**32), size=st.integers(0, 25))
@settings(max_examples=80, deadline=None)
def test_equals_twin(pair: Pair, seed: int, size: int) -> None:
    """Kernel and twin give the same numbers, to the bit for integers."""
    assert differences(pair, pair.arguments(np.random.default_rng(seed), size)) == []


def recovery(times: list[int], values: list[float], rule: list[int]) -> list[int]:
    """The answer of ``t_rec`` at limit 1.5 as a list."""
    out = np.full(5, 99)
    assert shocks.t_rec(np.array(times), np.array(values), 1.5, np.array(rule), out)
    return out.tolist()


def test_a_shock_that_never_breached_took_no_time() -> None:
    """Recovery time is zero, seen, and flagged as not breached."""
    assert recovery([0, 50, 90], [1.0, 1.5, 1.2], [10, 5, 100]) == [0, 0, 1, 1, 0]


def test_no_recovery_is_censored_at_the_window() -> None:
    """A spread still wide at W counts as at least W: never as W, never as missing."""
    assert recovery([0, 50, 200], [9.0, 8.0, 1.0], [10, 5, 100]) == [100, 100, 0, 0, 1]


def test_a_short_record_is_censored_where_it_ends() -> None:
    """When the data end before W, that is how long we have looked."""
    assert recovery([0, 50], [9.0, 8.0], [10, 5, 100]) == [40, 40, 0, 0, 1]


def test_the_proof_of_holding_may_lie_behind_the_window() -> None:
    """A recovery that starts inside W and holds is sustained, though the hold ends after W."""
    assert recovery([0, 95, 130], [9.0, 1.0, 9.0], [0, 30, 100]) == [95, 95, 1, 1, 1]


def test_the_value_at_the_shock_is_the_last_before_it() -> None:
    """A spread that was wide before the shock and is not updated at it counts as breached at the shock."""
    assert recovery([0, 40, 60], [9.0, 1.0, 1.0], [10, 20, 100]) == [30, 30, 1, 1, 1]


def test_nothing_known_is_no_recovery() -> None:
    """Data that end before the shock, or begin after the window, give no answer."""
    out, rule = np.full(5, 9), np.array([10, 5, 100])
    for times in ([], [5], [111]):
        assert not shocks.t_rec(np.array(times, np.int64), np.ones(len(times)), 1.5, rule, out)
        assert out.tolist() == [0] * 5


def test_net_side_of_a_cluster() -> None:
    """Bought and sold notional of one cluster are netted."""
    out = np.zeros((2, 5), np.int64)
    assert shocks.liquidation_clusters(np.array([0, 10]), np.array([70, 30]), np.array([1, 0]), 10, out) == 1
    assert out[0].tolist() == [0, 10, 2, 100, -40]


def test_intensity_is_that_just_before_an_event() -> None:
    """An event at the instant asked for does not yet excite."""
    assert shocks.hawkes_intensity(np.array([5]), 5, 0.2, 0.5, 1.0) == (0.2, 0.5, True)


def test_median_survival_needs_half_of_the_deaths() -> None:
    """When most observations are censored the median is undefined, not the last duration."""
    out = np.zeros((3, 2))
    rows = shocks.kaplan_meier(np.array([1.0, 2.0, 3.0]), np.array([1, 0, 0]), out)
    assert rows == 1 and out[0].tolist() == pytest.approx([1.0, 2 / 3])
    assert shocks.kaplan_quantile(out[:rows], 0.5) == (0.0, False)
