"""Numbers on the wire."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.emulator.trading.texts import at_least, divided, money, money_or_zero, ratio
from models.instrument import to_e8


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (money(99_961_542_480), "999.61542480"),
        (money(-6_901_480), "-0.06901480"),
        (money_or_zero(0), "0"),
        (at_least(1_000_000, 3), "0.010"),
        (at_least(-1_000_000, 3), "-0.010"),
        (at_least(1_234_567, 3), "0.01234567"),
        (at_least(7_690_000_000_000, 2), "76900.00"),
        (at_least(500_000_000, 0), "5"),
        (ratio(0, 0, 5), "0.00000"),
        (ratio(76_915_040_000, 1_000_000, 5), "76915.04000"),
        (ratio(2, 3, 5), "0.66667"),
    ],
)
def test_a_number_is_written_as_the_venue_writes_it(text: str, expected: str) -> None:
    """Eight places for money, the contract's places for prices and quantities, rounded half up for averages."""
    assert text == expected


@given(st.integers(-(10**18), 10**18), st.integers(0, 8))
def test_every_text_is_read_back(value: int, places: int) -> None:
    """No form loses a unit."""
    assert to_e8(money(value)) == value == to_e8(at_least(value, places))


@given(st.integers(0, 10**16), st.integers(1, 10**12))
def test_an_average_is_the_nearest(value: int, by: int) -> None:
    """The rounded ratio is at most half a unit off."""
    assert abs(Fraction(divided(value, by), 10**8) - Fraction(value, by)) <= Fraction(1, 2 * 10**8)
