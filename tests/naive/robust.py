"""Twins of ``core.kernels.robust``: ``statistics.median`` of the whole window each time.

The moving forms keep their values in the same ring, oldest first by ``state``; they ignore the histogram.
"""

from __future__ import annotations

import statistics
from fractions import Fraction
from statistics import NormalDist

OLDEST, COUNT = 0, 1


def median_mad(values):
    exact = [Fraction(int(v)) for v in values]
    if not exact:
        return 0, 0, False
    median = statistics.median(exact)
    mad = statistics.median([abs(v - median) for v in exact])
    return int(2 * median), int(4 * mad), True


def robust_z(window, value, floor):
    median2, mad4, known = median_mad(window)
    if not known:
        return 0, 0, 0.0, False
    scale = max(Fraction(mad4, 4), floor)
    if scale <= 0:
        return median2, mad4, 0.0, False
    return median2, mad4, NormalDist().inv_cdf(0.75) * float((value - Fraction(median2, 2)) / scale), True


def window_of(ring, state):
    """The values in the window, oldest first."""
    return [int(ring[(state[OLDEST] + index) % len(ring)]) for index in range(state[COUNT])]


def robust_drop(ring, counts, state):
    if state[COUNT] > 0:
        state[OLDEST] = (state[OLDEST] + 1) % len(ring)
        state[COUNT] -= 1
    return int(state[COUNT])


def robust_push(ring, counts, state, value):
    if state[COUNT] == len(ring):
        robust_drop(ring, counts, state)
    ring[(state[OLDEST] + state[COUNT]) % len(ring)] = value
    state[COUNT] += 1
    return int(state[COUNT])


def robust_median(ring, counts, state):
    return median_mad(window_of(ring, state))


def robust_step(ring, counts, state, value, floor):
    _, _, z, valid = robust_z(window_of(ring, state), value, floor)
    robust_push(ring, counts, state, value)
    return z, valid
