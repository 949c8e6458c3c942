"""Our own logarithm and exponential: the same bits on every machine.

The C library's versions differ in the last bit between platforms, and a decision that compares such a number would
then differ too (design §4). Here only + − × ÷ and the bits of a double are used, in a fixed order.

Method: ln by the series of 2·artanh(f / (2 + f)) after the mantissa is brought into [√½, √2); exp by the Taylor series
after the nearest multiple of ln 2 is taken off. The series stop where the next term is below 1e-18 of the result, so
rounding alone is left: at most 1 unit in the last place (2 for ``ln_ratio``), measured against 60 digits in the tests.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from core.kernels.kernel import kernel

# ln 2 in two parts: the low 32 bits of the first are zero, so k · LN2_HIGH is exact for every exponent k.
LN2_HIGH = 6.93147180369123816490e-01
LN2_LOW = 1.90821492927058770002e-10
LN2_INVERSE = 1.4426950408889634
SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
ONE_BITS = 0x3FF0000000000000
MANTISSA_MASK = 0x000FFFFFFFFFFFFF
NORMAL_MIN = 2.2250738585072014e-308
TWO_54 = 18014398509481984.0
EXP_MAX = 709.782712893384  # above it the result is infinite
EXP_MIN = -745.1332191019412  # below it the result is zero
SERIES_REACH = 0.17  # |s| up to which the artanh series below holds its error bound: s of √2 is 0.1716


@kernel
def _bits_of(x: float) -> Any:
    """The 64 bits of a double as an integer."""
    return np.float64(x).view(np.int64)


@kernel
def _double_of(bits: int) -> Any:
    """The double with these 64 bits."""
    return np.int64(bits).view(np.float64)


@kernel
def _artanh_tail(s: float) -> float:
    """(2·artanh(s) − 2·s) / s: the series 2·(z/3 + z²/5 + …) with z = s², ten terms."""
    z = s * s
    high = 2.0 / 15.0 + z * (2.0 / 17.0 + z * (2.0 / 19.0 + z * (2.0 / 21.0)))
    return z * (
        2.0 / 3.0 + z * (2.0 / 5.0 + z * (2.0 / 7.0 + z * (2.0 / 9.0 + z * (2.0 / 11.0 + z * (2.0 / 13.0 + z * high)))))
    )


@kernel
def ln(x: float) -> float:
    """Natural logarithm of ``x``. Zero gives −inf, a negative number or NaN gives NaN: callers test before they ask."""
    if not x > 0.0:
        return -np.inf if x == 0.0 else np.nan
    if x == np.inf:
        return x
    exponent = 0
    if x < NORMAL_MIN:
        x = x * TWO_54
        exponent = -54
    bits = _bits_of(x) + (ONE_BITS - SQRT_HALF_BITS)
    exponent += (bits >> 52) - 1023
    f = _double_of((bits & MANTISSA_MASK) + SQRT_HALF_BITS) - 1.0
    s = f / (2.0 + f)
    half_square = 0.5 * f * f
    low = s * (half_square + _artanh_tail(s)) + exponent * LN2_LOW
    return exponent * LN2_HIGH - ((half_square - low) - f)


@kernel
def ln_ratio(numerator: int, denominator: int) -> float:
    """ln(numerator / denominator) of two positive integers below 2⁵³, exactly antisymmetric in its arguments.

    Near a ratio of one the quotient is never rounded: the series starts from (a − b) / (a + b), so a return of one
    tick keeps all its digits, and long and short see mirror images to the last bit.
    """
    s = (numerator - denominator) / (numerator + denominator)
    if -SERIES_REACH < s < SERIES_REACH:
        return 2.0 * s + s * _artanh_tail(s)
    if numerator > denominator:
        return ln(numerator / denominator)
    return -ln(denominator / numerator)


@kernel
def _two_to(exponent: int) -> Any:
    """2 to an integer from −1022 to 1023."""
    return _double_of((exponent + 1023) << 52)


@kernel
def exp(x: float) -> float:
    """e to the ``x``; infinite above ``EXP_MAX``, zero below ``EXP_MIN``, NaN of NaN."""
    if x != x:
        return x
    if x > EXP_MAX:
        return np.inf
    if x < EXP_MIN:
        return 0.0
    k = int(np.floor(x * LN2_INVERSE + 0.5))
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    tail = 1.0 / 3628800.0 + r * (1.0 / 39916800.0 + r * (1.0 / 479001600.0 + r * (1.0 / 6227020800.0)))
    tail = 1.0 / 5040.0 + r * (1.0 / 40320.0 + r * (1.0 / 362880.0 + r * tail))
    tail = 0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0 + r * tail))))
    result = 1.0 + (r + r * r * tail)
    half = k >> 1  # in two steps, so that neither factor overflows when the result does not
    return result * _two_to(half) * _two_to(k - half)
