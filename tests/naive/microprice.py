"""Twin of ``core.kernels.microprice``: the bucket by fractions; a border belongs to both of its buckets."""

from __future__ import annotations

from fractions import Fraction


def microprice(bid, bid_lots, ask, ask_lots, table):
    _, spreads, buckets = table.shape
    spread = ask - bid
    if bid <= 0 or not 1 <= spread <= spreads or min(bid_lots, ask_lots) < 0 or bid_lots + ask_lots <= 0:
        return 0.0, False
    share = Fraction(bid_lots, bid_lots + ask_lots)
    holding = [k for k in range(buckets) if Fraction(k, buckets) <= share <= Fraction(k + 1, buckets)]
    if any(table[1, spread - 1, k] <= 0 for k in holding):
        return 0.0, False
    return (bid + ask) / 2 + sum(table[0, spread - 1, k] for k in holding) / len(holding), True
