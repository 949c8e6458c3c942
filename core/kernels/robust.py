"""Median, median absolute deviation and the robust z-score of price spikes (quantitative reference A.7).

Values are integers (half ticks for mids, ticks for trades), so the statistics are exact: ``median2`` is twice the
median, ``mad4`` four times the median absolute deviation, both whole numbers for odd and even windows alike.

The moving form keeps a histogram by half tick and two moving pointers: one at the middle value, one interval around the
median that holds half of the values. They move as far as the price moved, so an update costs O(1) while prices move by
ticks. The histogram is a ring: it is exact while the window spans fewer values than it has bins. A wider window is
answered by selection, O(n) but as exact, until it fits again; nothing is dropped and nothing is clipped.
"""

from __future__ import annotations

import numpy as np

from core.kernels.kernel import kernel

NORMAL_QUARTILE = 0.6744897501960817  # Φ⁻¹(¾): makes the MAD of a normal sample its standard deviation
BINS = 1 << 16  # 32,768 ticks: 3,276 USDT on BTCUSDT in one window; int32, 256 KiB
STATE_WORDS = 11
# words of the state
OLDEST, COUNT, LOWEST, HIGHEST, WIDE, MIDDLE, BELOW, FROM, TO, INSIDE, RADIUS = range(STATE_WORDS)


def robust_window(capacity: int, bins: int = BINS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(ring, histogram, state) of an empty moving window of ``capacity`` values; ``bins`` is a power of two.

    Raises ValueError for other sizes.
    """
    if capacity < 1 or bins < 2 or bins & (bins - 1):
        raise ValueError(f"a window needs at least 1 value and a power of two of bins, not {capacity} and {bins}")
    return np.zeros(capacity, np.int64), np.zeros(bins, np.int32), np.zeros(STATE_WORDS, np.int64)


@kernel
def _select(values: np.ndarray, rank: int) -> int:
    """The ``rank``-th smallest of ``values`` (from 0), which it reorders (Hoare's selection, middle pivot)."""
    left, right = 0, values.shape[0] - 1
    while left < right:
        pivot = values[(left + right) // 2]
        low, high = left, right
        while low <= high:
            while values[low] < pivot:
                low += 1
            while values[high] > pivot:
                high -= 1
            if low <= high:
                values[low], values[high] = values[high], values[low]
                low += 1
                high -= 1
        if rank <= high:
            right = high
        elif rank >= low:
            left = low
        else:
            break
    return values[rank]


@kernel
def _twice_middle(values: np.ndarray) -> int:
    """The sum of the two middle values: twice the median. Reorders ``values``, which must not be empty."""
    last = values.shape[0] - 1
    return _select(values, last // 2) + _select(values, (last + 1) // 2)


@kernel
def median_mad(values: np.ndarray) -> tuple[int, int, bool]:
    """(median2, mad4, valid) of integers: twice the median, four times the median absolute deviation (A.7)."""
    if values.shape[0] == 0:
        return 0, 0, False
    scratch = values.copy()
    median2 = _twice_middle(scratch)
    for index in range(scratch.shape[0]):
        scratch[index] = abs(2 * values[index] - median2)
    return median2, _twice_middle(scratch), True


@kernel
def _score(value: int, median2: int, mad4: int, floor: int) -> tuple[float, bool]:
    scale4 = max(mad4, 4 * floor)
    if scale4 <= 0:
        return 0.0, False
    return NORMAL_QUARTILE * (2 * (2 * value - median2)) / scale4, True


@kernel
def robust_z(window: np.ndarray, value: int, floor: int) -> tuple[int, int, float, bool]:
    """(median2, mad4, z of ``value`` against ``window``, valid); z = 0.6745 · (value − median) / max(MAD, floor) (A.7).

    ``window`` is what came before ``value`` (Iglewicz & Hoaglin 1993); ``floor`` is one tick in the values' unit.
    """
    median2, mad4, known = median_mad(window)
    if not known:
        return 0, 0, 0.0, False
    z, valid = _score(value, median2, mad4, floor)
    return median2, mad4, z, valid


@kernel
def _bin_change(counts: np.ndarray, state: np.ndarray, value: int, change: int) -> None:
    """Count ``value`` in or out, in the bin and in the pointers' running counts."""
    counts[value & (counts.shape[0] - 1)] += change
    if value < state[MIDDLE]:
        state[BELOW] += change
    if state[FROM] <= value <= state[TO]:
        state[INSIDE] += change


@kernel
def _rescan(ring: np.ndarray, counts: np.ndarray, state: np.ndarray) -> None:
    """Find the true range of the window; enter or leave the wide state, and then fill the histogram anew."""
    low = high = ring[state[OLDEST]]
    for index in range(state[COUNT]):
        value = ring[(state[OLDEST] + index) % ring.shape[0]]
        low, high = min(low, value), max(high, value)
    state[LOWEST], state[HIGHEST] = low, high
    wide = 1 if high - low >= counts.shape[0] else 0
    if wide == state[WIDE]:
        return
    state[WIDE] = wide
    counts[:] = 0
    if wide:
        return
    state[MIDDLE] = state[FROM] = state[TO] = low
    state[BELOW] = state[INSIDE] = state[RADIUS] = 0
    for index in range(state[COUNT]):
        _bin_change(counts, state, ring[(state[OLDEST] + index) % ring.shape[0]], 1)


@kernel
def robust_drop(ring: np.ndarray, counts: np.ndarray, state: np.ndarray) -> int:
    """Remove the oldest value (it has left a window by time). Returns the number of values left."""
    if state[COUNT] > 0:
        value = ring[state[OLDEST]]
        state[OLDEST] = (state[OLDEST] + 1) % ring.shape[0]
        state[COUNT] -= 1
        if state[WIDE] == 0:
            _bin_change(counts, state, value, -1)
    return state[COUNT]


@kernel
def robust_push(ring: np.ndarray, counts: np.ndarray, state: np.ndarray, value: int) -> int:
    """Insert ``value``; a full ring drops its oldest first. Returns the number of values."""
    if state[COUNT] == ring.shape[0]:
        robust_drop(ring, counts, state)
    ring[(state[OLDEST] + state[COUNT]) % ring.shape[0]] = value
    if state[COUNT] == 0:  # the histogram is empty too: every value was counted out, or it was wide and cleared
        state[WIDE] = state[BELOW] = state[INSIDE] = state[RADIUS] = 0
        state[MIDDLE] = state[FROM] = state[TO] = state[LOWEST] = state[HIGHEST] = value
    state[COUNT] += 1
    state[LOWEST], state[HIGHEST] = min(state[LOWEST], value), max(state[HIGHEST], value)
    if state[WIDE] == 1 or state[HIGHEST] - state[LOWEST] >= counts.shape[0]:
        was_wide = state[WIDE]
        _rescan(ring, counts, state)
        if was_wide != state[WIDE]:
            return state[COUNT]  # entered: no histogram; left: filled anew with this value in it
    if state[WIDE] == 0:
        _bin_change(counts, state, value, 1)
    return state[COUNT]


@kernel
def _middle_pair(counts: np.ndarray, state: np.ndarray) -> int:
    """Walk the middle pointer to the lower middle value; return the sum of both middle values."""
    mask = counts.shape[0] - 1
    lower = (state[COUNT] - 1) // 2
    upper = state[COUNT] // 2
    if state[MIDDLE] < state[LOWEST]:  # outside the known range a bin may belong to another value of the ring
        state[MIDDLE], state[BELOW] = state[LOWEST], 0
    elif state[MIDDLE] > state[HIGHEST]:
        state[MIDDLE], state[BELOW] = state[HIGHEST] + 1, state[COUNT]
    while state[BELOW] > lower:
        state[MIDDLE] -= 1
        state[BELOW] -= counts[state[MIDDLE] & mask]
    while state[BELOW] + counts[state[MIDDLE] & mask] <= lower:
        state[BELOW] += counts[state[MIDDLE] & mask]
        state[MIDDLE] += 1
    second = state[MIDDLE]
    reached = state[BELOW] + counts[second & mask]
    while reached <= upper:
        second += 1
        reached += counts[second & mask]
    return state[MIDDLE] + second


@kernel
def _at(counts: np.ndarray, state: np.ndarray, value: int) -> int:
    """How often ``value`` is in the window; outside the known range its bin may belong to another value."""
    if state[LOWEST] <= value <= state[HIGHEST]:
        return counts[value & (counts.shape[0] - 1)]
    return 0


@kernel
def _move_interval(counts: np.ndarray, state: np.ndarray, start: int, stop: int) -> None:
    """Set the counted interval to [start, stop] by walking its two ends."""
    if start > state[TO] or stop < state[FROM]:  # disjoint: begin anew with one value
        state[FROM] = state[TO] = start
        state[INSIDE] = _at(counts, state, start)
    while state[FROM] > start:
        state[FROM] -= 1
        state[INSIDE] += _at(counts, state, state[FROM])
    while state[TO] < stop:
        state[TO] += 1
        state[INSIDE] += _at(counts, state, state[TO])
    while state[FROM] < start:
        state[INSIDE] -= _at(counts, state, state[FROM])
        state[FROM] += 1
    while state[TO] > stop:
        state[INSIDE] -= _at(counts, state, state[TO])
        state[TO] -= 1


@kernel
def _deviation_pair(counts: np.ndarray, state: np.ndarray, median2: int) -> int:
    """Walk the interval to the lower middle deviation from ``median2``; return the sum of both, four times the MAD.

    A doubled deviation |2·value − median2| has the parity of ``median2``, so the interval's ends are whole numbers.
    """
    lower = (state[COUNT] - 1) // 2
    upper = state[COUNT] // 2
    radius = state[RADIUS] + ((state[RADIUS] ^ median2) & 1)
    _move_interval(counts, state, (median2 - radius) // 2, (median2 + radius) // 2)
    while state[INSIDE] <= lower:
        radius += 2
        _move_interval(counts, state, (median2 - radius) // 2, (median2 + radius) // 2)
    while radius >= 2:
        edges = _at(counts, state, state[FROM]) + _at(counts, state, state[TO])
        if state[INSIDE] - edges <= lower:
            break
        radius -= 2
        _move_interval(counts, state, (median2 - radius) // 2, (median2 + radius) // 2)
    state[RADIUS] = radius
    second, inside, start, stop = radius, state[INSIDE], state[FROM], state[TO]
    while inside <= upper:
        second, start, stop = second + 2, start - 1, stop + 1
        inside += _at(counts, state, start) + _at(counts, state, stop)
    return radius + second


@kernel
def robust_median(ring: np.ndarray, counts: np.ndarray, state: np.ndarray) -> tuple[int, int, bool]:
    """(median2, mad4, valid) of the values in the window, exact; undefined while it is empty."""
    if state[COUNT] == 0:
        return 0, 0, False
    if state[WIDE] == 1:
        values = np.empty(state[COUNT], np.int64)
        for index in range(state[COUNT]):
            values[index] = ring[(state[OLDEST] + index) % ring.shape[0]]
        return median_mad(values)
    median2 = _middle_pair(counts, state)
    return median2, _deviation_pair(counts, state, median2), True


@kernel
def robust_step(ring: np.ndarray, counts: np.ndarray, state: np.ndarray, value: int, floor: int) -> tuple[float, bool]:
    """(z of ``value`` against the window before it, valid); then ``value`` is inserted (A.7: score first)."""
    median2, mad4, known = robust_median(ring, counts, state)
    z, valid = _score(value, median2, mad4, floor) if known else (0.0, False)
    robust_push(ring, counts, state, value)
    return z, valid
