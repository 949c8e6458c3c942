"""Liquidation shocks: recovery time, clusters, self-excitation, survival (quantitative reference A.8, A.9, A.10).

Times are int64 ns of the exchange's clock, ascending. The public liquidation stream carries at most one order a second
for each symbol, so every count and notional here is a lower bound; reports say so.
"""

from __future__ import annotations

import numpy as np

from core.kernels.elementary import exp
from core.kernels.kernel import kernel

NS = 1e-9  # seconds in a nanosecond
# words of the rule given to t_rec
SHOCK_NS, HOLD_NS, WINDOW_NS = range(3)
# words of its answer
FIRST_NS, SUSTAINED_NS, FIRST_SEEN, SUSTAINED_SEEN, BREACHED = range(5)
# columns of a cluster
START_NS, END_NS, ORDERS, NOTIONAL, NET_NOTIONAL = range(5)


@kernel
def _scan_recovery(times_ns: np.ndarray, values: np.ndarray, limit: float, rule: np.ndarray, out: np.ndarray) -> None:
    """Walk the steps of the window once; ``calm`` is the start of the present quiet stretch, −1 when there is none."""
    shock, stop = rule[SHOCK_NS], rule[SHOCK_NS] + rule[WINDOW_NS]
    calm = -1
    for event in range(times_ns.shape[0]):
        if event + 1 < times_ns.shape[0] and times_ns[event + 1] <= max(shock, times_ns[event]):
            continue  # replaced before the shock, or at once
        now = max(times_ns[event] - shock, 0)
        stretch = calm  # quiet until now, whatever this value does to it
        if values[event] > limit:
            if times_ns[event] <= stop:
                out[BREACHED] = 1
            calm = -1
        elif out[BREACHED] == 1 and calm < 0 and times_ns[event] <= stop:
            calm = now
            if out[FIRST_SEEN] == 0:
                out[FIRST_NS], out[FIRST_SEEN] = now, 1
            stretch = calm
        if stretch >= 0 and now - stretch >= rule[HOLD_NS] and out[SUSTAINED_SEEN] == 0:
            out[SUSTAINED_NS], out[SUSTAINED_SEEN] = stretch, 1


@kernel
def t_rec(times_ns: np.ndarray, values: np.ndarray, limit: float, rule: np.ndarray, out: np.ndarray) -> bool:
    """Time from a shock until ``values`` are at or below ``limit`` again (A.8). Each value lasts until the next.

    ``rule`` int64[3] = shock time, hold, window W (ns). ``out`` int64[5] = first recovery, recovery that then holds for
    ``hold`` without a break (both ns after the shock), whether each was seen (else the number is where observation
    ended: right-censored, at W or at the end of the data), and whether the limit was exceeded within W at all; if not,
    both times are 0 and seen. A recovery starts within W; the proof that it holds may lie behind.
    ``limit`` = max(τ · baseline, one tick). For a quantity that recovers upwards (depth) negate values and limit.
    Returns False, and zeros, when no value is known inside the window.
    """
    out[:5] = 0
    size = times_ns.shape[0]
    if size == 0 or times_ns[0] > rule[SHOCK_NS] + rule[WINDOW_NS]:
        return False
    if times_ns[size - 1] < rule[SHOCK_NS]:
        return False
    _scan_recovery(times_ns, values, limit, rule, out)
    observed = min(times_ns[size - 1] - rule[SHOCK_NS], rule[WINDOW_NS])
    if out[BREACHED] == 0:
        out[FIRST_SEEN] = out[SUSTAINED_SEEN] = 1
        return True
    if out[FIRST_SEEN] == 0:
        out[FIRST_NS] = observed
    if out[SUSTAINED_SEEN] == 0:
        out[SUSTAINED_NS] = observed
    return True


@kernel
def liquidation_clusters(
    times_ns: np.ndarray, notional: np.ndarray, sides: np.ndarray, gap_max_ns: int, out: np.ndarray
) -> int:
    """Single-linkage clusters in time (A.9): a gap of exactly ``gap_max_ns`` joins. Returns their number.

    ``sides`` = side of the forced order, 0 buy, 1 sell. ``out`` int64[n, 5] = start, end, orders, notional, and bought
    minus sold notional; the net side share is the last divided by the one before.
    """
    clusters = 0
    for event in range(times_ns.shape[0]):
        if event == 0 or times_ns[event] - times_ns[event - 1] > gap_max_ns:
            out[clusters, START_NS] = times_ns[event]
            out[clusters, ORDERS:] = 0
            clusters += 1
        out[clusters - 1, END_NS] = times_ns[event]
        out[clusters - 1, ORDERS] += 1
        out[clusters - 1, NOTIONAL] += notional[event]
        out[clusters - 1, NET_NOTIONAL] += notional[event] if sides[event] == 0 else -notional[event]
    return clusters


@kernel
def hawkes_decay(excitation: float, gap_ns: int, decay: float) -> float:
    """Σ e^{−b(t − tᵢ)} carried over ``gap_ns`` at rate b = ``decay`` per second; after an event the caller adds one."""
    return excitation * exp(-decay * (gap_ns * NS))


@kernel
def hawkes_intensity(
    times_ns: np.ndarray, now_ns: int, base: float, jump: float, decay: float
) -> tuple[float, float, bool]:
    """(λ, branching ratio a/b, valid): λ(t) = μ + Σ a·e^{−b(t − tᵢ)} over events before ``now_ns`` (A.9; Hawkes 1971).

    ``base`` μ, ``jump`` a and ``decay`` b are per second. By Ozaki's recursion (1979): one exponential an event.
    """
    if decay <= 0.0 or base < 0.0 or jump < 0.0:
        return 0.0, 0.0, False
    excitation = 0.0
    last = now_ns
    for event in range(times_ns.shape[0]):
        if times_ns[event] >= now_ns:
            break
        excitation = hawkes_decay(excitation, times_ns[event] - last, decay) + 1.0 if event > 0 else 1.0
        last = times_ns[event]
    return base + jump * hawkes_decay(excitation, now_ns - last, decay), jump / decay, True


@kernel
def kaplan_meier(durations: np.ndarray, observed: np.ndarray, out: np.ndarray) -> int:
    """Survival after each duration at which something ended (Kaplan & Meier 1958): ``out`` float64[n, 2]. Returns rows.

    ``durations`` float64 ascending; ``observed`` int64, 0 = right-censored. At equal durations events come before
    censorings, in whatever order they stand.
    """
    size = durations.shape[0]
    survival = 1.0
    rows = 0
    start = 0
    while start < size:
        stop = start
        ended = 0
        while stop < size and durations[stop] == durations[start]:
            ended += 1 if observed[stop] != 0 else 0
            stop += 1
        if ended > 0:
            survival *= 1.0 - ended / (size - start)
            out[rows, 0] = durations[start]
            out[rows, 1] = survival
            rows += 1
        start = stop
    return rows


@kernel
def kaplan_quantile(survival: np.ndarray, share: float) -> tuple[float, bool]:
    """(first duration by which at least ``share`` has ended, valid) of a ``kaplan_meier`` table; 0.5 is the median.

    Undefined when censoring leaves more than 1 − share alive to the end.
    """
    for row in range(survival.shape[0]):
        if survival[row, 1] <= 1.0 - share + 1e-12:  # a product of fractions may miss a round share by a bit
            return survival[row, 0], True
    return 0.0, False
