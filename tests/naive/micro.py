"""Twins of ``core.kernels.micro``: the formulas of the quantitative reference, in fractions."""

from __future__ import annotations

import math
import statistics
from fractions import Fraction


def mid_spread(bid, ask):
    if bid <= 0 or ask <= bid:
        return 0, 0.0, False
    mid = Fraction(bid + ask, 2)
    return bid + ask, float((ask - bid) / mid * 10_000), True


def weighted_mid(bid, bid_lots, ask, ask_lots):
    if bid <= 0 or ask <= bid or bid_lots + ask_lots <= 0:
        return 0.0, False
    return float(Fraction(ask * bid_lots + bid * ask_lots, bid_lots + ask_lots)), True


def depth_within_bps(bids, asks, known, delta_e8, out):
    out[:6] = 0
    if len(bids) == 0 or len(asks) == 0 or not 0 <= delta_e8 <= 10**8:
        return False
    best_bid, best_ask = int(bids[0][0]), int(asks[0][0])
    if best_bid <= 0 or best_ask <= best_bid or best_bid + best_ask > 46 * 10**9:
        return False
    mid, delta = Fraction(best_bid + best_ask, 2), Fraction(delta_e8, 10**8)
    near_bids = [(int(p), int(q)) for p, q in bids if int(p) >= mid * (1 - delta)]
    near_asks = [(int(p), int(q)) for p, q in asks if int(p) <= mid * (1 + delta)]
    out[0], out[1] = sum(q for _, q in near_bids), sum(q for _, q in near_asks)
    out[2], out[3] = sum(p * q for p, q in near_bids), sum(p * q for p, q in near_asks)
    out[4] = any_whole_number_between(mid * (1 - delta), int(known[0]) - 1)
    out[5] = any_whole_number_between(int(known[1]) + 1, mid * (1 + delta))
    return True


def any_whole_number_between(low, high):
    """Whether a price exists in [low, high]: one that lies inside the bound and outside the known range."""
    return math.ceil(low) <= math.floor(high)


def imbalance_topn(bids, asks, levels):
    bid_lots = sum(int(q) for _, q in bids[:levels])
    ask_lots = sum(int(q) for _, q in asks[:levels])
    if bid_lots + ask_lots <= 0:
        return 0.0, False
    return float(Fraction(bid_lots - ask_lots, bid_lots + ask_lots)), True


def imbalance_weighted(bids, asks, levels, decay_bps):
    if len(bids) == 0 or len(asks) == 0:
        return imbalance_topn(bids, asks, levels)
    mid2, _, valid = mid_spread(int(bids[0][0]), int(asks[0][0]))
    if not valid or decay_bps <= 0:
        return 0.0, False

    def weight(price):
        return math.exp(-float(abs(2 * int(price) - mid2) / Fraction(mid2) * 10_000) / decay_bps)

    bid = math.fsum(weight(p) * int(q) for p, q in bids[:levels])
    ask = math.fsum(weight(p) * int(q) for p, q in asks[:levels])
    return ((bid - ask) / (bid + ask), True) if bid + ask > 0 else (0.0, False)


def ofi(quotes, out):
    for n, (before, after) in enumerate(zip(quotes[:-1].tolist(), quotes[1:].tolist(), strict=True)):
        (pb0, qb0, pa0, qa0), (pb1, qb1, pa1, qa1) = before, after
        out[n] = qb1 * (pb1 >= pb0) - qb0 * (pb1 <= pb0) - qa1 * (pa1 <= pa0) + qa0 * (pa1 >= pa0)
    return sum(out[: max(0, len(quotes) - 1)].tolist())


def ofi_normalised(flow, depth_sum, count):
    if count <= 0 or depth_sum <= 0:
        return 0.0, False
    return float(flow / (2 * Fraction(depth_sum, 2 * count))), True


def volume_spike_ratio(volumes, baseline):
    *before, last = volumes.tolist() or [0]
    before = before[-baseline:] if baseline > 0 else []
    if len(before) < max(baseline, 1) or sum(before) <= 0:
        return 0.0, False
    return float(last / Fraction(sum(before), len(before))), True


def trade_flow_imbalance(lots, sides):
    bought = sum(lots[sides == 0].tolist())
    sold = sum(lots[sides == 1].tolist())
    valid = bought + sold > 0
    return bought, sold, float(Fraction(bought - sold, bought + sold)) if valid else 0.0, valid


def momentum_bps(now, then):
    if now <= 0 or then <= 0:
        return 0.0, 0.0, False
    return 1e4 * math.log1p((now - then) / then), float(Fraction(now - then, then) * 10_000), True


def momentum_e8(now, then):
    if now <= 0 or then <= 0:
        return 0, False
    scaled = 1e8 * math.log1p((now - then) / then)
    return int(math.copysign(math.floor(abs(scaled) + 0.5), scaled)), True


def sigma_from_sums(count, total, squares):
    if count < 2:
        return 0.0, False
    variance = (squares - Fraction(total * total, count)) / (count - 1)
    return (math.sqrt(variance), True) if variance > 0 else (0.0, False)


def momentum_z(return_e8, count, total, squares):
    sigma, valid = sigma_from_sums(count, total, squares)
    return (return_e8 / sigma, True) if valid else (0.0, False)


def sums_of(returns):
    """Count, sum and sum of squares as the moving window keeps them; ``statistics.stdev`` is what they must give."""
    return len(returns), sum(returns), sum(r * r for r in returns), statistics.stdev(returns)
