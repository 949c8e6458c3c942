"""Twins of ``core.kernels.windows``: every window computed anew, in fractions or with ``math.fsum``."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise


def window_sum(times_ns, values, window_ns, out):
    times, numbers = times_ns.tolist(), values.tolist()
    for event, now in enumerate(times):
        out[event] = sum(v for t, v in zip(times[: event + 1], numbers, strict=False) if now - window_ns < t)


def time_weighted_mean(times_ns, values, start_ns, stop_ns, excluded):
    """Walks every instant: for short integer times only."""
    seen = []
    for instant in range(start_ns, stop_ns):
        known = [v for t, v in zip(times_ns.tolist(), values.tolist(), strict=True) if t <= instant]
        if known and not any(low <= instant < high for low, high in excluded.tolist()):
            seen.append(known[-1])
    return (math.fsum(seen) / len(seen), True) if seen else (0.0, False)


def moments(values):
    """(count, mean, sum of squared deviations), exact until the last step."""
    exact = [Fraction(v) for v in values]
    if not exact:
        return 0, 0.0, 0.0
    mean = sum(exact) / len(exact)
    return len(exact), float(mean), float(sum((v - mean) ** 2 for v in exact))


def welford_add(count, mean, squares, value):
    """From the moments alone: n·mean and Σx² = squares + n·mean² are the sums of the values before."""
    total = count * Fraction(mean) + Fraction(value)
    square_sum = Fraction(squares) + count * Fraction(mean) ** 2 + Fraction(value) ** 2
    new = total / (count + 1)
    return count + 1, float(new), float(square_sum - (count + 1) * new**2)


def welford_remove(count, mean, squares, value):
    if count <= 1:
        return 0, 0.0, 0.0
    total = count * Fraction(mean) - Fraction(value)
    square_sum = Fraction(squares) + count * Fraction(mean) ** 2 - Fraction(value) ** 2
    new = total / (count - 1)
    return count - 1, float(new), max(0.0, float(square_sum - (count - 1) * new**2))


def welford(values):
    return moments(values.tolist())


def rolling_var(values, window, ddof, out):
    if window <= ddof or window < 1 or len(values) < window:
        return 0
    for start in range(len(values) - window + 1):
        _, mean, squares = moments(values[start : start + window].tolist())
        out[start] = mean, squares / (window - ddof)
    return len(values) - window + 1


def compensated_sum(values):
    return math.fsum(values.tolist())


def sliding_extrema(values, window, out):
    if window < 1 or len(values) < window:
        return 0
    for start in range(len(values) - window + 1):
        part = values[start : start + window].tolist()
        out[start] = max(part), min(part)
    return len(values) - window + 1


def ewma_step(mean, gap_ns, half_life_ns, value):
    weight = 0.5 ** (gap_ns / half_life_ns)
    return weight * mean + (1 - weight) * value


def ewma_time(times_ns, values, half_life_ns):
    """Not by recursion: each value's weight is 0.5^(age / half-life) less that of the value before it."""
    if len(times_ns) == 0 or half_life_ns <= 0:
        return 0.0, False
    ages = [(int(times_ns[-1]) - int(t)) / half_life_ns for t in times_ns]
    kept = [0.5**age for age in ages]
    weights = [kept[0], *(after - before for before, after in pairwise(kept))]
    return math.fsum(w * v for w, v in zip(weights, values.tolist(), strict=True)), True
