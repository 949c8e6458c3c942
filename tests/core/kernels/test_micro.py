"""Microstructure kernels: examples, edges, and agreement with the twins."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernels import micro
from tests.bench.kernels import Pair, differences, pairs_of
from tests.naive import micro as naive
from tests.naive.micro import sums_of

EMPTY = np.zeros((0, 2), np.int64)
BIDS = np.array([[1000, 5], [999, 7], [990, 20]])
ASKS = np.array([[1001, 4], [1003, 1]])


COMPARED = pairs_of(
    naive,
    "mid_spread",
    "weighted_mid",
    "depth_within_bps",
    "imbalance_topn",
    "imbalance_weighted",
    "ofi",
    "ofi_normalised",
    "volume_spike_ratio",
    "trade_flow_imbalance",
    "momentum_bps",
    "momentum_e8",
    "sigma_from_sums",
    "momentum_z",
)


@pytest.mark.parametrize("pair", COMPARED, ids=lambda pair: pair.name)
@given(seed=st.integers(0, 2**32), size=st.integers(0, 30))
@settings(max_examples=60, deadline=None)
def test_equals_twin(pair: Pair, seed: int, size: int) -> None:
    """Kernel and twin give the same numbers, to the bit for integers."""
    assert differences(pair, pair.arguments(np.random.default_rng(seed), size)) == []


@pytest.mark.parametrize(("bid", "ask"), [(1000, 1000), (1001, 1000), (0, 1000), (1000, 0)])
def test_no_mid_without_an_open_spread(bid: int, ask: int) -> None:
    """A locked, crossed or one-sided market has no mid, and the answer says so with zeros."""
    assert micro.mid_spread(bid, ask) == (0, 0.0, False)


@given(st.integers(10_000, 10_000_000), st.integers(1, 50), st.integers(0, 2_000_000), st.integers(-2, 2))
@settings(max_examples=150, deadline=None)
def test_depth_boundary_is_inclusive_in_whole_ticks(bid: int, spread: int, delta_e8: int, nudge: int) -> None:
    """A level at the bound counts and one tick beyond does not: no rounding of the bound can change that."""
    mid2 = 2 * bid + spread
    bound = -((-mid2 * (10**8 - delta_e8)) // (2 * 10**8))  # the lowest whole tick inside
    level = min(bound + nudge, bid - 1)
    bids = np.array([[bid, 1], [level, 10]])
    out = np.zeros(6, np.int64)
    assert micro.depth_within_bps(bids, np.array([[bid + spread, 1]]), np.array([0, 2**40]), delta_e8, out)
    inside = 2 * level * 10**8 >= mid2 * (10**8 - delta_e8)
    assert out[0] == (bid >= bound) * 1 + inside * 10


@pytest.mark.parametrize(
    ("known", "truncated"), [((950, 1060), [0, 0]), ((996, 1060), [1, 0]), ((950, 1005), [0, 1]), ((995, 1006), [0, 0])]
)
def test_depth_says_when_the_bound_is_beyond_what_is_known(known: tuple[int, int], truncated: list[int]) -> None:
    """The flag of a side is set exactly when a whole tick inside the bound lies outside the known range."""
    out = np.zeros(6, np.int64)
    assert micro.depth_within_bps(BIDS, ASKS, np.array(known), 550_000, out)  # ticks 995 to 1006
    assert out[4:].tolist() == truncated


@pytest.mark.parametrize(("bids", "asks"), [(EMPTY, ASKS), (BIDS, EMPTY), (ASKS, BIDS)])
def test_depth_needs_two_sides_uncrossed(bids: np.ndarray, asks: np.ndarray) -> None:
    """An empty side or a crossed book gives no depth, and leaves zeros rather than old numbers."""
    out = np.full(6, 9)
    assert not micro.depth_within_bps(bids, asks, np.array([0, 9999]), 500_000, out)
    assert out.tolist() == [0] * 6


def test_imbalance_of_empty_sides() -> None:
    """One empty side is an imbalance of one; two are no imbalance."""
    assert micro.imbalance_topn(BIDS, EMPTY, 5) == (1.0, True)
    assert micro.imbalance_weighted(EMPTY, ASKS, 5, 5.0) == (-1.0, True)
    assert micro.imbalance_topn(EMPTY, EMPTY, 5) == (0.0, False)
    assert micro.imbalance_weighted(EMPTY, EMPTY, 5, 5.0) == (0.0, False)


@given(seed=st.integers(0, 2**32), levels=st.integers(1, 10))
@settings(max_examples=80, deadline=None)
def test_mirrored_book_has_the_opposite_imbalance(seed: int, levels: int) -> None:
    """Reflecting the book about its mid negates both imbalances exactly: long and short are mirror images."""
    rng = np.random.default_rng(seed)
    bids = np.stack([10_000 - np.cumsum(rng.integers(1, 9, 10)), rng.integers(1, 99, 10)], axis=1)
    asks = np.stack([10_000 + np.cumsum(rng.integers(1, 9, 10)), rng.integers(1, 99, 10)], axis=1)
    mid2 = int(bids[0, 0] + asks[0, 0])
    mirrored_bids = np.stack([mid2 - asks[:, 0], asks[:, 1]], axis=1)
    mirrored_asks = np.stack([mid2 - bids[:, 0], bids[:, 1]], axis=1)
    for function, rest in ((micro.imbalance_topn, (levels,)), (micro.imbalance_weighted, (levels, 5.0))):
        value, valid = function(bids, asks, *rest)
        assert (-value, valid) == function(mirrored_bids, mirrored_asks, *rest)


@given(st.integers(1, 10**9), st.integers(1, 10**9))
@settings(max_examples=100, deadline=None)
def test_momentum_of_a_fall_is_minus_that_of_the_rise(now: int, then: int) -> None:
    """The integer return of the way back is the negative of the way there."""
    forth, back = micro.momentum_e8(now, then), micro.momentum_e8(then, now)
    assert forth == (-back[0], True)


@given(st.lists(st.integers(-10_000_000, 10_000_000), min_size=2, max_size=60), st.integers(-(10**7), 10**7))
@settings(max_examples=100, deadline=None)
def test_sigma_is_the_sample_standard_deviation(returns: list[int], drift: int) -> None:
    """From three integer sums comes the standard deviation of the values, however large their mean."""
    count, total, squares, deviation = sums_of([value + drift for value in returns])
    sigma, valid = micro.sigma_from_sums(count, total, squares)
    assert (sigma, valid) == (pytest.approx(deviation, rel=1e-12), deviation > 0)


def test_sigma_survives_sums_whose_square_leaves_64_bits() -> None:
    """18,000 samples of a 10 % return with one of another size still give the exact deviation."""
    returns = [10_000_000] * 17_999 + [10_000_003]
    sigma, valid = micro.sigma_from_sums(*sums_of(returns)[:3])
    assert valid and sigma == pytest.approx(statistics.stdev(returns), rel=1e-12)
