"""Micro-price: estimate and look-up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernels.microprice import BUCKETS, SPREADS, estimate_microprice, microprice
from models.error import DataError
from tests.bench.kernels import Pair, differences, pairs_of
from tests.naive import microprice as naive


def informed_quotes(size: int) -> np.ndarray:
    """A market in which the mid moves towards the heavier side: one tick up with the probability of the bid's share."""
    rng = np.random.default_rng(11)
    bid, made = 10_000, []
    for _ in range(size):
        lots = int(rng.integers(1, 100))
        made.append((bid, lots, bid + 1, 100 - lots))
        if rng.random() < 0.3:
            bid += 1 if rng.random() * 100 < lots else -1
    return np.array(made)


COMPARED = pairs_of(naive, "microprice")


@pytest.mark.parametrize("pair", COMPARED, ids=lambda pair: pair.name)
@given(seed=st.integers(0, 2**32), size=st.integers(0, 5))
@settings(max_examples=150, deadline=None)
def test_equals_twin(pair: Pair, seed: int, size: int) -> None:
    """Kernel and twin find the same price, borders of buckets included."""
    assert differences(pair, pair.arguments(np.random.default_rng(seed), size)) == []


def test_estimate_finds_the_drift_that_was_put_in() -> None:
    """Where imbalance is drawn anew each quote, the next move is 0.3 · (2 · share − 1) ticks, and no more follows."""
    table = estimate_microprice(informed_quotes(60_000))
    centres = (np.arange(BUCKETS) + 0.5) / BUCKETS
    assert table[0, 0] == pytest.approx(0.3 * (2 * centres - 1), abs=0.03)


def test_table_is_antisymmetric_and_balanced_books_settle_at_the_mid() -> None:
    """A mirrored book is adjusted by exactly the opposite, and equal queues by nothing."""
    table = estimate_microprice(informed_quotes(5_000))
    assert np.array_equal(table[0], -table[0, :, ::-1])
    assert microprice(10_000, 50, 10_001, 50, table) == (10_000.5, True)
    up, down = microprice(10_000, 73, 10_001, 27, table)[0], microprice(10_000, 27, 10_001, 73, table)[0]
    assert up - 10_000.5 == pytest.approx(10_000.5 - down, abs=1e-11)


def test_state_never_seen_has_no_price() -> None:
    """A spread that was not in the sample, or is beyond the table, gives no value."""
    table = estimate_microprice(informed_quotes(5_000))
    assert microprice(10_000, 50, 10_002, 50, table) == (0.0, False)
    assert microprice(10_000, 50, 10_001 + SPREADS, 50, table) == (0.0, False)


def test_quotes_without_a_move_are_refused() -> None:
    """A still market teaches nothing, and the refusal says what would."""
    with pytest.raises(DataError, match="longer recording"):
        estimate_microprice(np.array([[100, 5, 101, 5]] * 50))
