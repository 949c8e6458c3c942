"""The conditions as the documents word them, in fractions."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor, sqrt
from typing import Any

from tests.naive.book import book_depth
from tests.naive.price_windows import momentum_now

BOOK, STALE, CROSSED, SPREAD, DEPTH, CASCADE, IMBALANCE, RANGE = 1, 2, 4, 8, 16, 32, 64, 128
FADE, REVERSAL, STOP = 1, 2, 4
WAKE_TRUST, WAKE_EXIT, WAKE_ENTRY, WAKE_EDGE = 2, 8, 16, 64
EDGE_QUIET_NS = 15_000_000_000
CLIP = 1_000_000
LIQUIDATIONS = 64


class Samples:
    """All momentum samples and all liquidation times of a run."""

    def __init__(self) -> None:
        self.returns: list[int] = []
        self.liquidations: list[int] = []


def conditions_second(market: Any, now_ns: int) -> None:
    """One momentum sample and its σ; depth near the touch."""
    value, known = momentum_now(market, now_ns)
    if known:
        value = max(-CLIP, min(CLIP, value))
        market.samples.returns.append(value)
        market.return_count = len(market.samples.returns)
        newest = market.samples.returns[-market.momentum_history :]
        count = len(newest)
        market.return_sum = sum(newest)
        market.return_square = sum(value * value for value in newest)
        if count >= market.momentum_samples_min and count > 1:
            # n²·variance and n·(n − 1) are exact integers; one float division and one root, as documented
            sigma = sqrt(float(count * market.return_square - market.return_sum**2) / float(count * (count - 1)))
            market.momentum_sigma = int(sigma + 0.5)
            threshold = sigma * market.momentum_threshold_num / market.momentum_threshold_den
            market.momentum_threshold = max(ceil(threshold), 1)
            market.ready |= 4
        else:
            market.ready &= ~4
    if market.depth_limit_lots > 0 and market.book.bids and market.book.asks:
        mid, reach = Fraction(market.mid2, 2), Fraction(market.depth_bps, 10_000)
        bids, asks, _ = book_depth(market.book, ceil(mid * (1 - reach)), floor(mid * (1 + reach)))
        market.depth_lots = min(bids, asks)
    book = market.book
    market.seconds.append(
        (now_ns, market.mid2, book.best_bid, book.best_ask, market.bid_lots, market.ask_lots, market.bought_lots,
         market.sold_lots, market.flow_lots, market.depth_lots, running(market), value, market.momentum_sigma)
    )  # fmt: skip
    market.second_count = len(market.seconds)


def running(market: Any) -> int:
    """Volume of the first slot's running bar."""
    bar = market.bars[0].running if market.bars else None
    return int(bar["lots"]) if bar else 0


def conditions_edge(market: Any, now_ns: int) -> int:
    """Both touches must lie an eighth of the proven range inside it, else a new snapshot is wanted, every 15 s."""
    book = market.book
    margin = floor(Fraction(book.known_high - book.known_low, 8))
    inside = book.known_low + margin <= book.best_bid and book.best_ask <= book.known_high - margin
    if inside or now_ns < market.edge_quiet_until_ns:
        return 0
    market.edge_quiet_until_ns = now_ns + EDGE_QUIET_NS
    return WAKE_EDGE


def violations(market: Any, now_ns: int) -> int:
    """The set of decision conditions that do not hold."""
    book = market.book
    recent = [then for then in market.samples.liquidations if then > now_ns - market.cascade_window_ns]
    market.liquidation_recent = min(len(recent), LIQUIDATIONS)
    cascade = CASCADE if 0 < market.cascade_count < market.liquidation_recent else 0
    if not book.valid or not book.bids or not book.asks:
        return BOOK | cascade
    found = cascade
    bid, ask = book.best_bid, book.best_ask
    if bid >= ask:
        found |= CROSSED
    elif bid < book.known_low or ask > book.known_high:
        found |= RANGE
    if now_ns - book.received_ns > market.stale_ns:
        found |= STALE
    if market.spread_limit_num > 0:
        spread_bps = (ask - bid) / Fraction(ask + bid, 2) * 10_000
        found |= SPREAD if spread_bps > Fraction(market.spread_limit_num, market.spread_limit_den) else 0
    if market.depth_limit_lots > 0 and market.depth_lots < market.depth_limit_lots:
        found |= DEPTH
    if market.imbalance_limit_ppm > 0:
        found |= IMBALANCE if abs(imbalance(market)) > Fraction(market.imbalance_limit_ppm, 10**6) else 0
    return found


def imbalance(market: Any) -> Fraction:
    """(bids − asks)/(bids + asks) of the window; zero when both are empty."""
    total = market.imbalance_bid + market.imbalance_ask
    return Fraction(market.imbalance_bid - market.imbalance_ask, total) if total else Fraction(0)


def conditions_violated(market: Any, now_ns: int) -> int:
    """Renew the set; a change wakes."""
    before = market.violated
    market.violated = violations(market, now_ns)
    return WAKE_TRUST if market.violated != before else 0


def conditions_fresh(market: Any, now_ns: int) -> int:
    """A frame without depth: renew the set only when the book is newly gone or newly stale."""
    if market.book.valid:
        newly = now_ns - market.book.received_ns > market.stale_ns and not market.violated & STALE
    else:
        newly = not market.violated & BOOK
    return conditions_violated(market, now_ns) if newly else 0


def conditions_exit(market: Any, now_ns: int) -> int:
    """Stop, reversal, fade; each wakes once."""
    if market.position_side == 0:
        return 0
    fired = 0
    # the worst and the best mid since the position was armed, seen from its side; 0 means none yet
    worse, better = (min, max) if market.position_side > 0 else (max, min)
    market.worst_mid2 = worse(market.worst_mid2 or market.mid2, market.mid2)
    market.best_mid2 = better(market.best_mid2 or market.mid2, market.mid2)
    book = market.book
    if market.stop_tick > 0 and book.valid:
        if market.position_side > 0 and book.bids and book.best_bid <= market.stop_tick:
            fired |= STOP
        if market.position_side < 0 and book.asks and book.best_ask >= market.stop_tick:
            fired |= STOP
    if -imbalance(market) * market.position_side > Fraction(market.reversal_ppm, 10**6):
        if market.reversal_since_ns <= 0:
            market.reversal_since_ns = now_ns
        if now_ns - market.reversal_since_ns >= market.reversal_hold_ns:
            fired |= REVERSAL
    else:
        market.reversal_since_ns = -1
    bars = market.bars[0].bars
    if (
        market.entry_baseline_count > 0
        and now_ns - market.opened_ns >= market.hold_min_ns
        and len(bars) >= market.fade_bars
    ):
        mean = Fraction(sum(bar["lots"] for bar in bars[-market.fade_bars :]), market.fade_bars)
        baseline = Fraction(market.entry_baseline_lots, market.entry_baseline_count)
        if mean < Fraction(market.fade_num, market.fade_den) * baseline:
            fired |= FADE
    fresh = fired & ~market.exit_bits
    market.exit_bits |= fired
    return WAKE_EXIT if fresh else 0


def entry_direction(market: Any, now_ns: int) -> int:
    """+1, −1, or 0: where every condition whose window is full points; volume must be among them."""
    running = market.bars[0].running
    if not market.ready & 1 or not market.book.valid or market.baseline_lots <= 0 or running is None:
        return 0
    baseline = Fraction(market.baseline_lots, market.baseline_count)
    if running["lots"] < Fraction(market.volume_num, market.volume_den) * baseline:
        return 0
    if market.imbalance_bid + market.imbalance_ask == 0:
        return 0
    if abs(imbalance(market)) < Fraction(market.imbalance_entry_ppm, 10**6):
        return 0
    side = 1 if imbalance(market) > 0 else -1
    market.momentum, _ = momentum_now(market, now_ns)
    if market.ready & 4 and market.momentum * side < market.momentum_threshold:
        return 0
    return side


def conditions_entry(market: Any, now_ns: int) -> int:
    """Wakes when the direction turns to long or short, unless the last wake was too recent."""
    market.running_lots = market.bars[0].running["lots"] if market.bars[0].running else 0
    before, market.entry_side = market.entry_side, entry_direction(market, now_ns)
    if market.entry_side in (0, before) or now_ns < market.entry_quiet_until_ns:
        return 0
    market.entry_quiet_until_ns = now_ns + market.signal_quiet_ns
    market.signals += 1
    return WAKE_ENTRY
