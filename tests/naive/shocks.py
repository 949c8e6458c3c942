"""Twins of ``core.kernels.shocks``: the definitions, read word by word."""

from __future__ import annotations

import math
from fractions import Fraction


def t_rec(times_ns, values, limit, rule, out):
    out[:5] = 0
    shock, hold, window = rule.tolist()
    steps = dict(zip(times_ns.tolist(), values.tolist(), strict=True))  # of equal times the last one stays
    times = sorted(steps)
    if not times or times[0] > shock + window or times[-1] < shock:
        return False
    starts = [t for t in times if t >= shock]
    before = [t for t in times if t <= shock]
    path = [(max(t, shock) - shock, steps[t]) for t in sorted({*starts, *before[-1:]})]
    end = path[-1][0]
    breaches = [t for t, v in path if v > limit]
    first_breach = next((t for t in breaches if t <= window), None)
    if first_breach is None:
        out[2:4] = 1
        return True
    out[4] = 1
    calm = [t for t, v in path if first_breach < t <= window and v <= limit]
    censored = min(end, window)
    out[0], out[2] = (calm[0], 1) if calm else (censored, 0)

    def holds(start):
        return start + hold <= end and not any(start < t < start + hold for t in breaches)

    lasting = [t for t in calm if holds(t)]
    out[1], out[3] = (lasting[0], 1) if lasting else (censored, 0)
    return True


def liquidation_clusters(times_ns, notional, sides, gap_max_ns, out):
    clusters = []
    for event in zip(times_ns.tolist(), notional.tolist(), sides.tolist(), strict=True):
        if clusters and event[0] - clusters[-1][-1][0] <= gap_max_ns:
            clusters[-1].append(event)
        else:
            clusters.append([event])
    for row, members in enumerate(clusters):
        net = sum(n if side == 0 else -n for _, n, side in members)
        out[row] = members[0][0], members[-1][0], len(members), sum(n for _, n, _ in members), net
    return len(clusters)


def hawkes_decay(excitation, gap_ns, decay):
    return excitation * math.exp(-decay * gap_ns / 1e9)


def hawkes_intensity(times_ns, now_ns, base, jump, decay):
    if decay <= 0 or base < 0 or jump < 0:
        return 0.0, 0.0, False
    past = [t for t in times_ns.tolist() if t < now_ns]
    return base + math.fsum(jump * math.exp(-decay * (now_ns - t) / 1e9) for t in past), jump / decay, True


def kaplan_meier(durations, observed, out):
    pairs = list(zip(durations.tolist(), observed.tolist(), strict=True))
    survival, rows = Fraction(1), 0
    for moment in sorted({d for d, seen in pairs if seen}):
        at_risk = sum(d >= moment for d, _ in pairs)
        ended = sum(d == moment and seen != 0 for d, seen in pairs)
        survival *= 1 - Fraction(ended, at_risk)
        out[rows] = moment, float(survival)
        rows += 1
    return rows


def kaplan_quantile(survival, share):
    reached = [d for d, s in survival.tolist() if s <= 1 - share + 1e-12]
    return (reached[0], True) if reached else (0.0, False)
