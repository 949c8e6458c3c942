"""Numbers over a window: sums, mean and variance, extremes, decaying averages (quantitative reference A.13).

Integer windows are exact. Float windows state their error: the moving mean and variance are recomputed in full every
``RECOMPUTE_EVERY`` steps, counted from the first value, so the result does not depend on how a caller cuts the series.
Times are int64 ns and never decrease.
"""

from __future__ import annotations

import numpy as np

from core.kernels.elementary import exp
from core.kernels.kernel import kernel

RECOMPUTE_EVERY = 10_000  # A.13: often enough that the error of add-and-remove stays near 1e-12, rare enough to be free
LN2 = 0.6931471805599453


@kernel
def window_sum(times_ns: np.ndarray, values: np.ndarray, window_ns: int, out: np.ndarray) -> None:
    """Sum of the integers of the last ``window_ns`` at each event: those with a time in (t − window, t].

    Events of the same time up to and including this one count; the sum is exact as long as it fits 64 bits.
    """
    first = 0
    total = 0
    for event in range(times_ns.shape[0]):
        total += values[event]
        while times_ns[first] <= times_ns[event] - window_ns and first < event:
            total -= values[first]
            first += 1
        out[event] = total


@kernel
def time_weighted_mean(
    times_ns: np.ndarray, values: np.ndarray, start_ns: int, stop_ns: int, excluded: np.ndarray
) -> tuple[float, bool]:
    """(mean of a step function over [start, stop), valid), the last value carried forward (A.8 baseline).

    ``excluded`` int64[k, 2] are disjoint intervals left out, ascending. Time before the first event is unknown and has
    no weight. Undefined when nothing is left.
    """
    weighted = 0.0
    duration = 0
    for event in range(times_ns.shape[0]):
        begin = max(times_ns[event], start_ns)
        end = min(times_ns[event + 1], stop_ns) if event + 1 < times_ns.shape[0] else stop_ns
        if end <= begin:
            continue
        held = end - begin
        for hole in range(excluded.shape[0]):
            held -= max(0, min(end, excluded[hole, 1]) - max(begin, excluded[hole, 0]))
        weighted += values[event] * held
        duration += held
    if duration <= 0:
        return 0.0, False
    return weighted / duration, True


@kernel
def welford_add(count: int, mean: float, squares: float, value: float) -> tuple[int, float, float]:
    """(count, mean, sum of squared deviations) with ``value`` added (Welford 1962)."""
    count += 1
    delta = value - mean
    mean += delta / count
    return count, mean, squares + delta * (value - mean)


@kernel
def welford_remove(count: int, mean: float, squares: float, value: float) -> tuple[int, float, float]:
    """The inverse of ``welford_add``. An empty window is exactly zero; squares never fall below zero."""
    count -= 1
    if count <= 0:
        return 0, 0.0, 0.0
    delta = value - mean
    mean -= delta / count
    return count, mean, max(0.0, squares - delta * (value - mean))


@kernel
def welford(values: np.ndarray) -> tuple[int, float, float]:
    """(count, mean, sum of squared deviations) of ``values``; variance = squares / (count − ddof)."""
    count, mean, squares = 0, 0.0, 0.0
    for index in range(values.shape[0]):
        count, mean, squares = welford_add(count, mean, squares, values[index])
    return count, mean, squares


@kernel
def rolling_var(values: np.ndarray, window: int, ddof: int, out: np.ndarray) -> int:
    """Mean and variance of each full window: ``out`` float64[n − window + 1, 2]. Returns the number of windows.

    Returns 0 when the window is not longer than ``ddof``, or longer than the series.
    """
    if window <= ddof or window < 1 or values.shape[0] < window:
        return 0
    count, mean, squares = 0, 0.0, 0.0
    for index in range(values.shape[0]):
        if index >= window:
            count, mean, squares = welford_remove(count, mean, squares, values[index - window])
        count, mean, squares = welford_add(count, mean, squares, values[index])
        if index >= window and index % RECOMPUTE_EVERY == 0:
            count, mean, squares = welford(values[index - window + 1 : index + 1])
        if index >= window - 1:
            out[index - window + 1, 0] = mean
            out[index - window + 1, 1] = squares / (window - ddof)
    return values.shape[0] - window + 1


@kernel
def compensated_sum(values: np.ndarray) -> float:
    """Sum with Neumaier's correction (1974): also right when a term is larger than the sum so far."""
    total = 0.0
    lost = 0.0
    for index in range(values.shape[0]):
        value = values[index]
        grown = total + value
        if abs(total) >= abs(value):
            lost += (total - grown) + value
        else:
            lost += (value - grown) + total
        total = grown
    return total + lost


@kernel
def sliding_extrema(values: np.ndarray, window: int, out: np.ndarray) -> int:
    """Largest and smallest integer of each full window: ``out`` int64[n − window + 1, 2]. Returns the windows.

    Two monotonic wedges (Lemire 2006): each value enters and leaves each wedge once, three comparisons a value at most.
    """
    size = values.shape[0]
    if window < 1 or size < window:
        return 0
    high = np.empty(size, np.int64)
    low = np.empty(size, np.int64)
    high_first, high_end, low_first, low_end = 0, 0, 0, 0
    for index in range(size):
        while high_end > high_first and values[high[high_end - 1]] <= values[index]:
            high_end -= 1
        high[high_end] = index
        high_end += 1
        while low_end > low_first and values[low[low_end - 1]] >= values[index]:
            low_end -= 1
        low[low_end] = index
        low_end += 1
        if high[high_first] <= index - window:
            high_first += 1
        if low[low_first] <= index - window:
            low_first += 1
        if index >= window - 1:
            out[index - window + 1, 0] = values[high[high_first]]
            out[index - window + 1, 1] = values[low[low_first]]
    return size - window + 1


@kernel
def ewma_step(mean: float, gap_ns: int, half_life_ns: int, value: float) -> float:
    """A decaying mean after ``gap_ns`` and one more value: weight of the past 0.5^(gap / half-life) (Eckner 2012)."""
    kept = exp(-LN2 * gap_ns / half_life_ns)
    return kept * mean + (1.0 - kept) * value


@kernel
def ewma_time(times_ns: np.ndarray, values: np.ndarray, half_life_ns: int) -> tuple[float, bool]:
    """(decaying mean of an irregular series in next-point form, valid); it starts at the first value."""
    if times_ns.shape[0] == 0 or half_life_ns <= 0:
        return 0.0, False
    mean = values[0]
    for index in range(1, times_ns.shape[0]):
        mean = ewma_step(mean, times_ns[index] - times_ns[index - 1], half_life_ns, values[index])
    return mean, True
