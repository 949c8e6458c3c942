"""Market microstructure: one number each from a quote, a book, a tape or some bars (quantitative reference A.1–A.6).

Units: prices are ticks, quantities lots, books ``int64[levels, 2]`` of (price, quantity), best level first. Mids are
kept doubled (``mid2`` = bid + ask, half ticks), so that they stay integers. A kernel whose number can be undefined
returns ``valid`` last and zeros before it, never NaN. Sums are exact integers, so any order of the same rows gives the
same bits.
"""

from __future__ import annotations

import numpy as np

from core.kernels.elementary import exp, ln_ratio
from core.kernels.kernel import kernel

E8 = 100_000_000
MID2_MAX = 46_000_000_000  # mid2 · (1 + 1e8) must stay below 2⁶³; a price of 2.3e10 ticks is no price


@kernel
def mid_spread(bid: int, ask: int) -> tuple[int, float, bool]:
    """(mid2, spread in bps, valid) of the best quotes (A.1). A missing side (0) or a crossed market has no mid."""
    if bid <= 0 or ask <= bid:
        return 0, 0.0, False
    mid2 = bid + ask
    return mid2, 20000.0 * (ask - bid) / mid2, True


@kernel
def weighted_mid(bid: int, bid_lots: int, ask: int, ask_lots: int) -> tuple[float, bool]:
    """(mid in ticks weighted by the opposite quantity, valid) (A.5; Gatheral & Oomen 2010).

    Needs an uncrossed market and a positive quantity.
    """
    depth = bid_lots + ask_lots
    if bid <= 0 or ask <= bid or depth <= 0:
        return 0.0, False
    return bid + (ask - bid) * bid_lots / depth, True


@kernel
def depth_within_bps(bids: np.ndarray, asks: np.ndarray, known: np.ndarray, delta_e8: int, out: np.ndarray) -> bool:
    """Quantity and notional within ``delta_e8`` (1e-8 of the mid; 50 bps = 500 000) of the mid, bound inclusive (A.2).

    ``known`` = (lowest, highest) price up to which the book is complete. ``out`` int64[6] = bid lots, ask lots,
    bid notional, ask notional (ticks · lots), bid truncated, ask truncated (1 when the bound lies beyond the known
    range: the value is then a lower bound). The bound is compared in integers: 2·price·1e8 ≥ mid2·(1e8 − delta).
    Returns False, and zeros, without two sides, when crossed, or for a price or delta out of range.
    """
    out[:6] = 0
    if bids.shape[0] == 0 or asks.shape[0] == 0 or not 0 <= delta_e8 <= E8:
        return False
    mid2 = bids[0, 0] + asks[0, 0]
    if bids[0, 0] <= 0 or asks[0, 0] <= bids[0, 0] or mid2 > MID2_MAX:
        return False
    lowest = -((-mid2 * (E8 - delta_e8)) // (2 * E8))
    highest = mid2 * (E8 + delta_e8) // (2 * E8)
    for level in range(bids.shape[0]):
        if bids[level, 0] < lowest:
            break
        out[0] += bids[level, 1]
        out[2] += bids[level, 0] * bids[level, 1]
    for level in range(asks.shape[0]):
        if asks[level, 0] > highest:
            break
        out[1] += asks[level, 1]
        out[3] += asks[level, 0] * asks[level, 1]
    out[4] = 1 if known[0] > lowest else 0
    out[5] = 1 if known[1] < highest else 0
    return True


@kernel
def imbalance_topn(bids: np.ndarray, asks: np.ndarray, levels: int) -> tuple[float, bool]:
    """((ΣQb − ΣQa) / (ΣQb + ΣQa) over the best ``levels`` of each side, valid) (A.3). One empty side gives ±1."""
    bid_lots = 0
    ask_lots = 0
    for level in range(min(levels, bids.shape[0])):
        bid_lots += bids[level, 1]
    for level in range(min(levels, asks.shape[0])):
        ask_lots += asks[level, 1]
    depth = bid_lots + ask_lots
    if depth <= 0:
        return 0.0, False
    return (bid_lots - ask_lots) / depth, True


@kernel
def _weighted_lots(side: np.ndarray, levels: int, mid2: int, decay_bps: float) -> float:
    total = 0.0
    for level in range(min(levels, side.shape[0])):
        distance_bps = 10000.0 * abs(2 * side[level, 0] - mid2) / mid2
        total += side[level, 1] * exp(-distance_bps / decay_bps)
    return total


@kernel
def imbalance_weighted(bids: np.ndarray, asks: np.ndarray, levels: int, decay_bps: float) -> tuple[float, bool]:
    """(imbalance with weights exp(−d/δ), d = distance from the mid in bps, valid) (A.3; default δ = 5 bps).

    With one side empty the weights do not matter and the value is ±1. A crossed book has no mid, hence no value.
    """
    if bids.shape[0] == 0 or asks.shape[0] == 0:
        return imbalance_topn(bids, asks, levels)
    mid2, _, valid = mid_spread(bids[0, 0], asks[0, 0])
    if not valid or decay_bps <= 0.0:
        return 0.0, False
    bid_weight = _weighted_lots(bids, levels, mid2, decay_bps)
    ask_weight = _weighted_lots(asks, levels, mid2, decay_bps)
    if not bid_weight + ask_weight > 0.0:
        return 0.0, False
    return (bid_weight - ask_weight) / (bid_weight + ask_weight), True


@kernel
def ofi(quotes: np.ndarray, out: np.ndarray) -> int:
    """Order-flow imbalance e_n between consecutive best quotes, and its sum (A.4; Cont, Kukanov & Stoikov 2014).

    ``quotes`` int64[n, 4] = bid, bid lots, ask, ask lots; ``out`` int64[n − 1]. For a window: ``windows.window_sum``.
    """
    total = 0
    for n in range(1, quotes.shape[0]):
        e = 0
        if quotes[n, 0] >= quotes[n - 1, 0]:
            e += quotes[n, 1]
        if quotes[n, 0] <= quotes[n - 1, 0]:
            e -= quotes[n - 1, 1]
        if quotes[n, 2] <= quotes[n - 1, 2]:
            e -= quotes[n, 3]
        if quotes[n, 2] >= quotes[n - 1, 2]:
            e += quotes[n - 1, 3]
        out[n - 1] = e
        total += e
    return total


@kernel
def ofi_normalised(flow: int, depth_sum: int, count: int) -> tuple[float, bool]:
    """(flow / (2 · mean best depth), valid), so that symbols compare (A.4).

    ``depth_sum`` = Σ (bid lots + ask lots) over the window's ``count`` quotes; best depth is the mean of the sides.
    """
    if count <= 0 or depth_sum <= 0:
        return 0.0, False
    return flow / (depth_sum / count), True


@kernel
def volume_spike_ratio(volumes: np.ndarray, baseline: int) -> tuple[float, bool]:
    """(last volume / mean of the ``baseline`` volumes before it, valid) (A.6). The last is no part of its own mean.

    Undefined with fewer bars, and with nothing traded in the baseline.
    """
    last = volumes.shape[0] - 1
    if baseline <= 0 or last < baseline:
        return 0.0, False
    total = 0
    for bar in range(last - baseline, last):
        total += volumes[bar]
    if total <= 0:
        return 0.0, False
    return volumes[last] * baseline / total, True


@kernel
def trade_flow_imbalance(lots: np.ndarray, sides: np.ndarray) -> tuple[int, int, float, bool]:
    """(bought lots, sold lots, (buy − sell) / (buy + sell), valid) of trades (A.6).

    ``sides`` holds the aggressor, 0 = buy, 1 = sell (``models.rows.BUY``, ``SELL``).
    """
    bought = 0
    sold = 0
    for trade in range(lots.shape[0]):
        if sides[trade] == 0:
            bought += lots[trade]
        else:
            sold += lots[trade]
    if bought + sold <= 0:
        return bought, sold, 0.0, False
    return bought, sold, (bought - sold) / (bought + sold), True


@kernel
def momentum_bps(now: int, then: int) -> tuple[float, float, bool]:
    """(log return, simple return, valid), both in bps, from price ``then`` to price ``now`` (A.6)."""
    if now <= 0 or then <= 0:
        return 0.0, 0.0, False
    return 10000.0 * ln_ratio(now, then), 10000.0 * (now - then) / then, True


@kernel
def momentum_e8(now: int, then: int) -> tuple[int, bool]:
    """(log return at 1e-8, valid), rounded half away from zero so that long and short are mirror images."""
    if now <= 0 or then <= 0:
        return 0, False
    scaled = E8 * ln_ratio(now, then)
    return int(scaled + 0.5) if scaled >= 0.0 else -int(0.5 - scaled), True


@kernel
def sigma_from_sums(count: int, total: int, squares: int) -> tuple[float, bool]:
    """(sample standard deviation, valid) of integers from their count, sum and sum of squares.

    Exact up to the last division: the sum of squares is first moved to the whole mean q = ⌊total / count⌋, which in
    wrapping 64-bit arithmetic is right whenever the moved sum fits, so nothing cancels. Needs two values and spread.
    """
    if count < 2:
        return 0.0, False
    q = total // count
    rest = total - q * count
    moved = squares - 2 * q * total + count * q * q
    variance = (moved - rest * rest / count) / (count - 1)
    if not variance > 0.0:
        return 0.0, False
    return np.sqrt(variance), True


@kernel
def momentum_z(return_e8: int, count: int, total: int, squares: int) -> tuple[float, bool]:
    """(return in units of the standard deviation of the returns before it, valid) (A.6; threshold |z| ≥ 2).

    The three sums are those of the earlier returns in the window, at 1e-8. The mean is not subtracted: the drift of
    30 minutes is part of the move, not of its surprise.
    """
    sigma, valid = sigma_from_sums(count, total, squares)
    if not valid:
        return 0.0, False
    return return_e8 / sigma, True
