"""Twins of ``core.kernels.elementary``: the standard library's own functions."""

from __future__ import annotations

import math


def ln(x):
    if x == 0.0:
        return -math.inf
    return math.log(x) if x > 0.0 else math.nan


def ln_ratio(numerator, denominator):
    change = (numerator - denominator) / denominator
    return math.log1p(change) if abs(change) < 0.5 else math.log(numerator / denominator)


def exp(x):
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf
