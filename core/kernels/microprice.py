"""Micro-price: where the mid is expected to settle, given spread and queue imbalance (quantitative reference A.5).

Stoikov 2018 (SSRN 2970694): a Markov chain over (spread, imbalance bucket), symmetrised so that a book and its mirror
image are equally likely. The table is estimated offline from recorded quotes; in the market there is one look-up. It
is an input of a run, recorded with it: its linear solver is the platform's, the look-up is bit-exact everywhere.
"""

from __future__ import annotations

import numpy as np

from core.kernels.kernel import kernel
from models.error import DataError

BUCKETS = 10
SPREADS = 3  # ticks; on liquid contracts wider states are too rare to estimate
TERMS_MAX = 10_000  # of Σ Bᵏ·G1; each shrinks by the chain's mixing, 50 are usual
TERM_MIN = 1e-12  # ticks
CONDITION_MAX = 1e10  # a stretch of 1e10 quotes without a move of the mid is a closed state, not a slow one


@kernel
def microprice(bid: int, bid_lots: int, ask: int, ask_lots: int, table: np.ndarray) -> tuple[float, bool]:
    """(micro-price in ticks, valid) from ``table`` float64[2, spreads, buckets]: adjustments in ticks, and visits.

    On the border of two buckets their mean is taken, so that a mirrored book gives the mirrored price and a balanced
    one the mid. Undefined beyond the table's spreads, in a state never visited, crossed, or without quantity.
    """
    depth = bid_lots + ask_lots
    spread = ask - bid
    if bid <= 0 or spread <= 0 or spread > table.shape[1] or bid_lots < 0 or ask_lots < 0 or depth <= 0:
        return 0.0, False
    buckets = table.shape[2]
    scaled = bid_lots * buckets
    upper = min(scaled // depth, buckets - 1)
    lower = upper - 1 if scaled % depth == 0 and 0 < scaled < depth * buckets else upper
    if table[1, spread - 1, upper] <= 0.0 or table[1, spread - 1, lower] <= 0.0:
        return 0.0, False
    adjustment = 0.5 * (table[0, spread - 1, lower] + table[0, spread - 1, upper])
    return 0.5 * (bid + ask) + adjustment, True


def _states(quotes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(state, mirrored state, mid2) of each quote; −1 for a state outside the table."""
    bid, bid_lots, ask, ask_lots = quotes.T
    spread, depth = ask - bid, bid_lots + ask_lots
    usable = (bid > 0) & (spread >= 1) & (spread <= SPREADS) & (depth > 0)
    bucket = np.minimum(bid_lots * BUCKETS // np.where(depth > 0, depth, 1), BUCKETS - 1)
    state = np.where(usable, (spread - 1) * BUCKETS + bucket, -1)
    mirror = np.where(usable, (spread - 1) * BUCKETS + BUCKETS - 1 - bucket, -1)
    return state, mirror, bid + ask


def _chain(quotes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(probability of staying at this mid by state pair, of moving by state pair, mean move in ticks, visits)."""
    state, mirror, mid2 = _states(quotes)
    size = SPREADS * BUCKETS
    still, moving = np.zeros((size, size)), np.zeros((size, size))
    drift = np.zeros(size)
    known = (state[:-1] >= 0) & (state[1:] >= 0)
    move = (mid2[1:] - mid2[:-1])[known]
    for now, after, sign in ((state, state, 1.0), (mirror, mirror, -1.0)):
        source, target = now[:-1][known], after[1:][known]
        rest = move == 0
        np.add.at(still, (source[rest], target[rest]), 1.0)
        np.add.at(moving, (source[~rest], target[~rest]), 1.0)
        np.add.at(drift, source, sign * 0.5 * move)
    visits = still.sum(axis=1) + moving.sum(axis=1)
    share = np.where(visits > 0.0, visits, 1.0)
    return still / share[:, None], moving / share[:, None], drift / share, visits


def estimate_microprice(quotes: np.ndarray) -> np.ndarray:
    """The table for ``microprice`` from consecutive best quotes int64[n, 4] = bid, bid lots, ask, ask lots.

    G* = Σ Bᵏ·G1 with G1 = (1 − Q)⁻¹·(mean move) and B = (1 − Q)⁻¹·T; Q are moves between states at the same mid, T
    those with a move of the mid. Pairs with a state outside the table are left out. float64[2, 3, 10].
    Raises DataError when the quotes show too little: no move of the mid, or a state from which none is ever reached.
    """
    still, moving, drift, visits = _chain(np.asarray(quotes, np.int64))
    seen = visits > 0.0
    if not moving.any():
        raise DataError("the quotes hold no move of the mid; estimate the micro-price from a longer recording")
    # A state seen only as the last quote of a stretch has no row of its own: it ends the chain with no more moves.
    inverse_of = np.eye(len(visits)) - still
    if not float(np.linalg.cond(inverse_of)) < CONDITION_MAX:
        raise DataError("some state never sees the mid move; estimate the micro-price from a longer recording")
    first = np.linalg.solve(inverse_of, drift)
    jump = np.linalg.solve(inverse_of, moving)
    total, term = first.copy(), first
    for _ in range(TERMS_MAX):
        term = jump @ term
        if float(np.abs(term).max()) < TERM_MIN:
            break
        total += term
    else:
        raise DataError("the micro-price series does not converge; estimate it from a longer, more varied recording")
    table = np.stack([np.where(seen, total, 0.0), visits]).reshape(2, SPREADS, BUCKETS)
    mirrored = table[0, :, ::-1]
    table[0] = 0.5 * (table[0] - mirrored)  # exact antisymmetry, which the solver gives only to its last bits
    return np.ascontiguousarray(table)
