"""Our own ln and exp against 60-digit decimals, and against the standard library."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernels.elementary import exp, ln, ln_ratio
from tests.bench.kernels import Pair, differences, pairs_of
from tests.naive import elementary as naive


def units_off(got: float, want: Decimal) -> float:
    """The error of ``got`` in units in the last place of ``want``."""
    return abs(float((Decimal(got) - want) / Decimal(math.ulp(float(want)))))


COMPARED = pairs_of(naive, "ln", "exp", "ln_ratio")


@pytest.mark.parametrize("pair", COMPARED, ids=lambda pair: pair.name)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_equals_twin(pair: Pair, seed: int) -> None:
    """Each function agrees with the standard library to a few bits over its whole range."""
    assert differences(pair, pair.arguments(np.random.default_rng(seed), 0)) == []


@given(st.floats(5e-324, 1.7e308))
@settings(max_examples=150, deadline=None)
def test_ln_is_within_one_unit(x: float) -> None:
    """ln is within one unit in the last place of the true value, subnormal numbers included."""
    with localcontext(prec=60):
        true = Decimal(x).ln()
        assert x == 1.0 or units_off(ln(x), true) <= 1.0


@given(st.floats(-700.0, 709.7))
@settings(max_examples=150, deadline=None)
def test_exp_is_within_one_unit(x: float) -> None:
    """exp is within one unit in the last place of the true value."""
    with localcontext(prec=60):
        assert units_off(exp(x), Decimal(x).exp()) <= 1.0


@given(st.integers(1, 2**40), st.integers(1, 2**40))
@settings(max_examples=150, deadline=None)
def test_ln_ratio_is_exactly_antisymmetric(one: int, other: int) -> None:
    """A fall is the exact negative of the rise that undoes it."""
    assert ln_ratio(one, other) == -ln_ratio(other, one)


def test_ln_ratio_keeps_the_digits_of_one_tick() -> None:
    """The return of one tick at a million ticks is right to two units in the last place; ln of the quotient is not."""
    with localcontext(prec=60):
        true = (Decimal(1_000_001) / Decimal(1_000_000)).ln()
        assert units_off(ln_ratio(1_000_001, 1_000_000), true) <= 2.0
        assert units_off(ln(1_000_001 / 1_000_000), true) > 1_000.0


@pytest.mark.parametrize(
    ("function", "argument", "bits"),
    [
        (ln, 2.0, "0x1.62e42fefa39efp-1"),
        (ln, 10.0, "0x1.26bb1bbb55516p+1"),
        (exp, 1.0, "0x1.5bf0a8b14576ap+1"),
        (exp, -1.0, "0x1.78b56362cef38p-2"),
        (exp, 0.0, "0x1.0000000000000p+0"),
    ],
)
def test_bits_are_fixed(function, argument: float, bits: str) -> None:
    """These results have these bits on every machine."""
    assert function(argument).hex() == bits


def test_edges() -> None:
    """Beyond their range both functions give what IEEE arithmetic calls for."""
    assert (ln(0.0), ln(math.inf), ln(1.0), exp(710.0), exp(-746.0)) == (-math.inf, math.inf, 0.0, math.inf, 0.0)
    assert math.isnan(ln(-1.0)) and math.isnan(ln(math.nan)) and math.isnan(exp(math.nan))
    assert exp(-745.0) == math.exp(-745.0)
