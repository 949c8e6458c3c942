"""The compiled conditions: entry, exit, and what the decision needs to hold. Integers, edges, no division.

A condition wakes on its edge. An entry edge is the moment when every ready condition points one way and did not
before; after it, no further one for ``signal_quiet_ns``. While some windows are not full, an edge of the ready ones
(volume must be among them) still wakes, so that the signal ends in a named refusal: «warming up», not nothing.
"""

from __future__ import annotations

from math import sqrt

from core.kernels.book import NO_ASK, NO_BID, book_depth
from core.kernels.kernel import kernel
from core.kernels.price_windows import momentum_now
from core.kernels.state import BAR_RING, LIQUIDATION_RING, RETURN_MAX, SECOND_ROWS, Condition, Exit

_WAKE_TRUST, _WAKE_EXIT, _WAKE_ENTRY, _WAKE_EDGE = 2, 8, 16, 64
EDGE_SHARE = 8  # a touch within an eighth of the proven range of its end wants a new snapshot (F11)
EDGE_QUIET_NS = 15_000_000_000  # at most four a minute and symbol: below the snapshot budget of six (F12)
_BOOK, _STALE, _CROSSED, _SPREAD, _DEPTH, _CASCADE, _IMBALANCE, _RANGE = (
    Condition.BOOK,
    Condition.STALE,
    Condition.CROSSED,
    Condition.SPREAD,
    Condition.DEPTH,
    Condition.CASCADE,
    Condition.IMBALANCE,
    Condition.RANGE,
)
_FADE, _REVERSAL, _STOP = Exit.FADE, Exit.REVERSAL, Exit.STOP
_MILLION = 1_000_000
_BAR_MASK = BAR_RING - 1
_SECOND_MASK = SECOND_ROWS - 1
_LIQUIDATION_MASK = LIQUIDATION_RING - 1


@kernel
def conditions_second(market, now_ns):
    """Once a second: one momentum sample, its threshold, and the depth near the touch."""
    value, known = momentum_now(market, now_ns)
    if known:
        value = min(max(value, -RETURN_MAX), RETURN_MAX)
        slot = market.return_count % market.momentum_history
        if market.return_count >= market.momentum_history:
            old = market.return_ring[slot]
            market.return_sum -= old
            market.return_square -= old * old
        market.return_ring[slot] = value
        market.return_sum += value
        market.return_square += value * value
        market.return_count += 1
        count = min(market.return_count, market.momentum_history)
        if count >= market.momentum_samples_min and count > 1:
            spread = count * market.return_square - market.return_sum * market.return_sum
            sigma = sqrt(spread / (count * (count - 1)))
            market.momentum_sigma = int(sigma + 0.5)
            threshold = sigma * market.momentum_threshold_num / market.momentum_threshold_den
            whole = int(threshold)
            if whole < threshold:
                whole += 1
            market.momentum_threshold = max(whole, 1)
            market.ready |= 4
        else:
            market.ready &= ~4
    book = market.book
    if market.depth_limit_lots > 0 and book.best_bid != NO_BID and book.best_ask != NO_ASK:
        # price ≥ mid·(1 − Δ/1e4) with mid = mid2/2, rounded towards the touch: whole ticks inside the bound
        reach = market.mid2 * market.depth_bps
        low = -((reach - market.mid2 * 10_000) // 20_000)
        high = (market.mid2 * 10_000 + reach) // 20_000
        bid_lots, ask_lots, _ = book_depth(book, low, high)
        market.depth_lots = min(bid_lots, ask_lots)
    _second_row(market, now_ns, value)


@kernel
def _second_row(market, now_ns, momentum):
    """One row of the hot store's seconds, in both of its places."""
    book = market.book
    first = market.second_count & _SECOND_MASK
    for place in (first, first + SECOND_ROWS):
        market.seconds[0, place] = now_ns
        market.seconds[1, place] = market.mid2
        market.seconds[2, place] = book.best_bid
        market.seconds[3, place] = book.best_ask
        market.seconds[4, place] = market.bid_lots
        market.seconds[5, place] = market.ask_lots
        market.seconds[6, place] = market.bought_lots
        market.seconds[7, place] = market.sold_lots
        market.seconds[8, place] = market.flow_lots
        market.seconds[9, place] = market.depth_lots
        market.seconds[10, place] = market.bars[0].running.lots
        market.seconds[11, place] = momentum
        market.seconds[12, place] = market.momentum_sigma
    market.second_count += 1


@kernel
def conditions_edge(market, now_ns):
    """Wake when the touch nears the end of the proven range, so that it is renewed before it is left (F11)."""
    book = market.book
    margin = (book.known_high - book.known_low) // EDGE_SHARE
    if book.best_bid >= book.known_low + margin and book.best_ask <= book.known_high - margin:
        return 0
    if now_ns < market.edge_quiet_until_ns:
        return 0
    market.edge_quiet_until_ns = now_ns + EDGE_QUIET_NS
    return _WAKE_EDGE


@kernel
def conditions_violated(market, now_ns):
    """Renew the set of violated decision conditions; wakes when it changed."""
    book = market.book
    violated = 0
    if book.valid == 0 or book.best_bid == NO_BID or book.best_ask == NO_ASK:
        violated |= _BOOK
    else:
        bid = book.best_bid
        ask = book.best_ask
        if bid >= ask:
            violated |= _CROSSED
        elif bid < book.known_low or ask > book.known_high:
            violated |= _RANGE
        if now_ns - book.received_ns > market.stale_ns:
            violated |= _STALE
        # (ask − bid)/mid·1e4 > num/den  ⇔  (ask − bid)·20000·den > num·(ask + bid)
        if market.spread_limit_num > 0 and (
            (ask - bid) * 20_000 * market.spread_limit_den > market.spread_limit_num * (ask + bid)
        ):
            violated |= _SPREAD
        if market.depth_limit_lots > 0 and market.depth_lots < market.depth_limit_lots:
            violated |= _DEPTH
        if market.imbalance_limit_ppm > 0:
            difference = abs(market.imbalance_bid - market.imbalance_ask)
            if difference * _MILLION > market.imbalance_limit_ppm * (market.imbalance_bid + market.imbalance_ask):
                violated |= _IMBALANCE
    recent = market.liquidation_recent
    if recent > 0:
        head = market.liquidation_head
        oldest = now_ns - market.cascade_window_ns
        while recent > 0 and market.liquidation_ring[(head - recent) & _LIQUIDATION_MASK] <= oldest:
            recent -= 1
        market.liquidation_recent = recent
        if market.cascade_count > 0 and recent > market.cascade_count:
            violated |= _CASCADE
    if violated == market.violated:
        return 0
    market.violated = violated
    return _WAKE_TRUST


@kernel
def conditions_fresh(market, now_ns):
    """Renew the violated set when a frame without depth finds the book gone or stale; wakes when it changed."""
    book = market.book
    if book.valid == 0:
        if market.violated & _BOOK:
            return 0
    elif now_ns - book.received_ns <= market.stale_ns or market.violated & _STALE:
        return 0
    return conditions_violated(market, now_ns)


@kernel
def conditions_exit(market, now_ns):
    """Exit conditions of an armed position: stop, reversal held, volume faded. Each fires once until re-armed."""
    side = market.position_side
    if side == 0:
        return 0
    fired = 0
    mid2 = market.mid2 * side
    if market.worst_mid2 == 0 or mid2 < market.worst_mid2 * side:
        market.worst_mid2 = market.mid2
    if market.best_mid2 == 0 or mid2 > market.best_mid2 * side:
        market.best_mid2 = market.mid2
    book = market.book
    if market.stop_tick > 0 and book.valid:
        # the side that would fill us decides: a long is stopped by the bid, a short by the ask
        if side > 0:
            if book.best_bid != NO_BID and book.best_bid <= market.stop_tick:
                fired |= _STOP
        elif book.best_ask != NO_ASK and book.best_ask >= market.stop_tick:
            fired |= _STOP
    against = (market.imbalance_ask - market.imbalance_bid) * side
    total = market.imbalance_bid + market.imbalance_ask
    if total > 0 and against * _MILLION > market.reversal_ppm * total:
        if market.reversal_since_ns <= 0:  # -1, and 0 in a record nobody has armed yet
            market.reversal_since_ns = now_ns
        if now_ns - market.reversal_since_ns >= market.reversal_hold_ns:
            fired |= _REVERSAL
    else:
        market.reversal_since_ns = -1
    if market.entry_baseline_count > 0 and now_ns - market.opened_ns >= market.hold_min_ns:
        slot = market.bars[0]
        count = market.fade_bars
        if slot.closed >= count:
            total = 0
            for back in range(1, count + 1):
                total += slot.ring[(slot.closed - back) & _BAR_MASK].lots
            # total/count < num/den · baseline/baseline_count
            if total * market.entry_baseline_count * market.fade_den < (
                market.fade_num * market.entry_baseline_lots * count
            ):
                fired |= _FADE
    fresh = fired & ~market.exit_bits
    if fresh == 0:
        return 0
    market.exit_bits |= fresh
    return _WAKE_EXIT


@kernel
def conditions_entry(market, now_ns):
    """The entry edge: volume explosion, imbalance and momentum in one direction; see the module's text."""
    side = 0
    running = market.bars[0].running.lots
    market.running_lots = running
    if (
        market.ready & 1
        and market.book.valid
        and market.baseline_lots > 0
        and running * market.volume_den * market.baseline_count >= market.volume_num * market.baseline_lots
    ):
        difference = market.imbalance_bid - market.imbalance_ask
        total = market.imbalance_bid + market.imbalance_ask
        if total > 0 and abs(difference) * _MILLION >= market.imbalance_entry_ppm * total:
            side = 1 if difference > 0 else -1
            value, _ = momentum_now(market, now_ns)
            market.momentum = value
            if market.ready & 4 and value * side < market.momentum_threshold:
                side = 0
    if side == market.entry_side:
        return 0
    market.entry_side = side
    if side == 0 or now_ns < market.entry_quiet_until_ns:
        return 0
    market.entry_quiet_until_ns = now_ns + market.signal_quiet_ns
    market.signals += 1
    return _WAKE_ENTRY
