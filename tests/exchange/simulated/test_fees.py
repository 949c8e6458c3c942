"""Commission and funding: integers, rounded against us."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.simulated.fees import ceil_div, fee_e8, funding_e8
from models.instrument import E8


@pytest.mark.parametrize(
    ("notional_e8", "rate_e8", "expected"),
    [(616 * E8, 50_000, 30_800_000), (1, 50_000, 1), (0, 50_000, 0), (1, -50_000, 0)],
)
def test_a_fee_is_rounded_up(notional_e8: int, rate_e8: int, expected: int) -> None:
    """616 USDT at 0.05 % cost 0.308; the smallest value costs one unit; a rebate never rounds up."""
    assert fee_e8(notional_e8, rate_e8) == expected


@given(st.integers(-(10**20), 10**20), st.integers(1, 10**12))
def test_ceil_div_is_the_ceiling(value: int, divisor: int) -> None:
    """The result is the least integer not below the quotient."""
    assert ceil_div(value, divisor) - 1 < Fraction(value, divisor) <= ceil_div(value, divisor)


def test_longs_pay_and_shorts_receive_at_a_positive_rate() -> None:
    """0.008 BTC at 77,000 and 0.01 % is 0.0616 USDT, each way."""
    assert funding_e8(77_000 * E8, 8, 100_000, 10_000) == -6_160_000
    assert funding_e8(77_000 * E8, -8, 100_000, 10_000) == 6_160_000


@given(st.integers(1, 10**14), st.integers(-(10**6), 10**6), st.integers(-300_000, 300_000))
def test_funding_rounds_against_us(mark_e8: int, lots: int, rate_e8: int) -> None:
    """The booked amount is the exact one or up to one unit below."""
    exact = Fraction(-mark_e8 * lots * 100_000 * rate_e8, E8 * E8)
    assert 0 <= exact - funding_e8(mark_e8, lots, 100_000, rate_e8) < 1
