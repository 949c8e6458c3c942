"""Book imbalance of the top levels, averaged over a short window (quantitative reference A.3)."""

from __future__ import annotations

from core.signals.signal import E8, Features, Signal, Thresholds, not_known, sign

NAME = "imbalance"


def imbalance(features: Features, thresholds: Thresholds) -> Signal:
    """(bid − ask) / (bid + ask) of the summed quantities, met at the threshold on either side."""
    threshold = thresholds.imbalance_e8 / E8
    depth = features.bid_sum + features.ask_sum
    if depth <= 0:
        return not_known(NAME, threshold, "no depth in the window")
    excess = features.bid_sum - features.ask_sum
    met = abs(excess) * E8 >= thresholds.imbalance_e8 * depth
    return Signal(NAME, excess / depth, threshold, sign(excess), True, met)
