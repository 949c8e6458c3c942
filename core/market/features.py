"""What the market looks like around one moment, as numbers for records and faces (quantitative reference A.1–A.6).

Read from the book and the hot store, off the order path: a record of a changed decision, a status line. The scalper's
own three conditions are compiled and judged elsewhere. An undefined number is None, never zero.
"""

from __future__ import annotations

import numpy as np

from core.kernels import micro
from core.kernels.book import LADDER_MASK, NO_ASK, NO_BID
from core.kernels.probe import depth_within
from core.market.state import Memory
from models.instrument import Instrument, fixed_text
from storage.hot.ring import Ring

DEPTH_BPS = 50
LEVELS = 20  # weighted imbalance: beyond 20 levels a weight of exp(−d/δ) is small on every liquid contract
REACH_TICKS = 512  # how far from the touch levels are looked for
DECAY_BPS = 5.0
FLOW_S = 10


def levels(memory: Memory, index: int, count: int = LEVELS) -> tuple[np.ndarray, np.ndarray]:
    """The best ``count`` bids and asks within reach of the touch: int64[n, 2] of (tick, lots), best first."""
    book = memory.book(index)
    sides = []
    for name, best, step in (("bids", int(book["best_bid"]), -1), ("asks", int(book["best_ask"]), 1)):
        if best in (NO_BID, NO_ASK):
            sides.append(np.zeros((0, 2), dtype=np.int64))
            continue
        ticks = best + step * np.arange(REACH_TICKS, dtype=np.int64)
        ticks = ticks[(ticks >= book["known_low"]) & (ticks <= book["known_high"])]
        lots = book[name][ticks & LADDER_MASK]
        held = np.flatnonzero(lots)[:count]
        sides.append(np.stack([ticks[held], lots[held]], axis=1))
    return sides[0], sides[1]


def _rounded(value: float, valid: bool, places: int = 4) -> float | None:
    return round(float(value), places) if valid else None


def features(memory: Memory, instrument: Instrument) -> dict[str, object]:
    """Mid, spread, depth, imbalances, flows and momentum of ``instrument`` now; keys of conventions §4 first."""
    index = instrument.index
    book, view = memory.book(index), memory.view(index)
    bid, ask = int(book["best_bid"]), int(book["best_ask"])
    mid2, spread_bps, touch = micro.mid_spread(bid, 0 if ask == NO_ASK else ask)
    bids, asks = levels(memory, index)
    depth, _ = depth_within(memory.address, index, DEPTH_BPS)
    total = view.get("imbalance_bid") + view.get("imbalance_ask")
    excess = view.get("imbalance_bid") - view.get("imbalance_ask")
    baseline, count = view.get("baseline_lots"), view.get("baseline_count")
    seconds = memory.seconds(index)
    flow, bought, sold = (_change(seconds, name) for name in ("flow_lots", "bought_lots", "sold_lots"))
    traded = (bought or 0) + (sold or 0)
    momentum = seconds.newest("momentum", 1)
    weighted, weighted_known = micro.weighted_mid(bid, _lots(bids), 0 if ask == NO_ASK else ask, _lots(asks))
    balance, balance_known = micro.imbalance_weighted(bids, asks, LEVELS, DECAY_BPS)
    tick_e8 = instrument.tick_e8
    return {
        "mid": mid_text(instrument, int(mid2)) if touch else None,
        "spread_bps": _rounded(spread_bps, touch),
        "depth_50bps": instrument.quantity_text(int(depth)) if touch else None,
        "imbalance": _rounded(excess / total if total else 0, total > 0),
        "volume_x": _rounded(view.get("running_lots") * count / baseline if baseline else 0, baseline > 0),
        "momentum_bps": _rounded(momentum[-1] / 10_000, True) if len(momentum) else None,
        "liq_count": view.get("liquidation_recent"),
        "weighted_mid": f"{weighted * tick_e8 / 1e8:.{instrument.price_places + 2}f}" if weighted_known else None,
        "imbalance_weighted": _rounded(balance, balance_known),
        "order_flow_10s": None if flow is None else fixed_text(flow * instrument.lot_e8, instrument.quantity_places),
        "trade_flow_10s": _rounded(((bought or 0) - (sold or 0)) / traded if traded else 0, traded > 0),
    }


def _change(seconds: Ring, name: str) -> int | None:
    """What a sum has grown by in the last ``FLOW_S`` seconds; None while so much is not known."""
    held = seconds.newest(name, FLOW_S + 1)
    return int(held[-1] - held[0]) if len(held) == FLOW_S + 1 else None


def _lots(side: np.ndarray) -> int:
    return int(side[0, 1]) if len(side) else 0


def mid_text(instrument: Instrument, mid2: int) -> str:
    """A mid given as bid + ask ticks, with one decimal more than prices."""
    return fixed_text(mid2 * instrument.tick_e8 // 2, min(8, instrument.price_places + 1))
