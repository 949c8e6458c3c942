"""The rival of ``tests.bench.history``: hftbacktest on the same capture, with the same rules in its fastest style.

The capture is converted by its own converter. Exchange without partial fills, risk-averse queue, constant order latency
of 25 ms out and 20 ms back, fees of 2 and 5 bps: what the paper settings say. The strategy is compiled, wakes every
100 ms (``elapse``), the fastest of the library's styles, and applies the scalper's rules: volume of the running 5 s
bar ≥ 3 × the mean of 20, top-5 imbalance ≥ 0.60, 10 s return beyond 2 σ; exit on fade, reversal or a 5 % stop.
"""

from __future__ import annotations

import gzip
from math import log, sqrt
from pathlib import Path
from typing import Any

import hftbacktest
import numpy as np
import orjson
from hftbacktest import (
    BUY_EVENT,
    GTC,
    MARKET,
    SELL_EVENT,
    BacktestAsset,
    HashMapMarketDepthBacktest,
    ROIVectorMarketDepthBacktest,
)
from hftbacktest.data.utils import binancefutures
from hftbacktest.types import DEPTH_SNAPSHOT_EVENT, EXCH_EVENT, LOCAL_EVENT, event_dtype
from numba import njit

VERSION = hftbacktest.__version__
STEP_NS = 100_000_000
BAR_STEPS, BASELINE, LEVELS, MOMENTUM_STEPS, SAMPLES = 50, 20, 5, 100, 1800
LOTS = 8
WINDOW_TICKS = 30_000  # around the first touch, for the vector book


@njit
def _top(depth, side_bids, tick, levels):
    """Quantity on the best ``levels`` occupied ticks of a side."""
    total = 0.0
    left = levels
    for _ in range(400):
        quantity = depth.bid_qty_at_tick(tick) if side_bids else depth.ask_qty_at_tick(tick)
        if quantity > 0:
            total += quantity
            left -= 1
            if left == 0:
                break
        tick += -1 if side_bids else 1
    return total


@njit
def scalper(hbt, out):
    """Every 100 ms: the three conditions, an order at most; ``out`` int64[3] = steps, signals, orders."""
    bars = np.zeros(BASELINE)
    mids = np.zeros(MOMENTUM_STEPS + 1)
    returns = np.zeros(SAMPLES)
    step = closed = samples = 0
    volume = sum_r = square_r = entry = held = baseline_in = 0.0
    since = -1
    order_id = 1
    while hbt.elapse(STEP_NS) == 0:
        step += 1
        depth = hbt.depth(0)
        for trade in hbt.last_trades(0):
            volume += trade.qty
        hbt.clear_last_trades(0)
        if step % BAR_STEPS == 0:
            bars[closed % BASELINE] = volume
            closed += 1
            volume = 0.0
        bid, ask = depth.best_bid_tick, depth.best_ask_tick
        if bid <= 0 or ask <= bid or ask > 1 << 40:
            continue
        mid = (bid + ask) / 2.0
        mids[step % (MOMENTUM_STEPS + 1)] = mid
        change = 0.0
        if step > MOMENTUM_STEPS:
            change = log(mid / mids[(step + 1) % (MOMENTUM_STEPS + 1)])
            if step % 10 == 0:
                slot = samples % SAMPLES
                sum_r += change - returns[slot]
                square_r += change * change - returns[slot] * returns[slot]
                returns[slot] = change
                samples += 1
        bids, asks = _top(depth, True, bid, LEVELS), _top(depth, False, ask, LEVELS)
        balance = (bids - asks) / (bids + asks) if bids + asks > 0 else 0.0
        position = hbt.position(0)
        hbt.clear_inactive_orders(0)
        count = min(samples, SAMPLES)
        if position != 0.0:
            side = 1.0 if position > 0 else -1.0
            since = step if since < 0 or balance * side > -0.4 else since
            faded = step - held > 150 and bars.mean() * 0.0 + bars[(closed - 1) % BASELINE] < 0.8 * baseline_in
            if step - since >= 10 or faded or (mid - entry) * side < -0.05 * entry:
                quantity = abs(position)
                if position > 0:
                    hbt.submit_sell_order(0, order_id, bid * depth.tick_size, quantity, GTC, MARKET, False)
                else:
                    hbt.submit_buy_order(0, order_id, ask * depth.tick_size, quantity, GTC, MARKET, False)
                order_id += 1
                out[2] += 1
                since = -1
        elif closed >= BASELINE and count >= 120 and volume >= 3.0 * bars.mean():
            sigma = sqrt(max(square_r / count - (sum_r / count) ** 2, 0.0))
            if abs(balance) >= 0.6 and abs(change) >= 2.0 * sigma and change * balance > 0:
                out[1] += 1
                quantity = LOTS * depth.lot_size
                if balance > 0:
                    hbt.submit_buy_order(0, order_id, ask * depth.tick_size, quantity, GTC, MARKET, False)
                else:
                    hbt.submit_sell_order(0, order_id, bid * depth.tick_size, quantity, GTC, MARKET, False)
                order_id += 1
                out[2] += 1
                entry, held, baseline_in, since = mid, step, bars.mean(), -1
    out[0] = step


@njit
def each_feed(hbt, out):
    """The other style: woken at each feed event, looking at the touch only."""
    steps = 0
    while True:
        found = hbt.wait_next_feed(False, 1_000_000_000)
        if found == 1:
            break
        depth = hbt.depth(0)
        if depth.best_bid_tick > 0:
            steps += 1
    out[0] = steps


class Rival:
    """The capture in memory as hftbacktest takes it; ``run`` is one pass."""

    def __init__(self, capture: Path, tick: float, lot: float) -> None:
        self.events = binancefutures.convert(str(capture), combined_stream=True, buffer_size=20_000_000)
        self.snapshot = _snapshot(capture)
        self.tick, self.lot = tick, lot
        self.rows = len(self.events) + len(self.snapshot)
        self._middle = float(self.snapshot["px"][0])

    def _asset(self, vector: bool) -> Any:
        asset = (
            BacktestAsset()
            .data([self.events])
            .initial_snapshot(self.snapshot)
            .linear_asset(1.0)
            .constant_order_latency(25_000_000, 20_000_000)
            .risk_adverse_queue_model()
            .no_partial_fill_exchange()
            .trading_value_fee_model(0.0002, 0.0005)
            .tick_size(self.tick)
            .lot_size(self.lot)
            .last_trades_capacity(20_000)
        )
        if vector:
            reach = WINDOW_TICKS * self.tick
            asset = asset.roi_lb(self._middle - reach).roi_ub(self._middle + reach)
        return asset

    def run(self, style: Any, *, vector: bool) -> list[int]:
        """One pass; what the strategy counted."""
        made = ROIVectorMarketDepthBacktest if vector else HashMapMarketDepthBacktest
        hbt = made([self._asset(vector)])
        out = np.zeros(3, dtype=np.int64)
        style(hbt, out)
        hbt.close()
        return [int(word) for word in out]


def _snapshot(capture: Path) -> np.ndarray:
    """The capture's REST snapshot as events at its receipt."""
    with gzip.open(capture) as lines:
        for line in lines:
            received, _, body = line.partition(b" ")
            if b'"lastUpdateId"' in body:
                break
    book = orjson.loads(body)
    sides = [(BUY_EVENT, level) for level in book["bids"]] + [(SELL_EVENT, level) for level in book["asks"]]
    out = np.zeros(len(sides), dtype=event_dtype)
    for number, (side, (price, size)) in enumerate(sides):
        kind = DEPTH_SNAPSHOT_EVENT | EXCH_EVENT | LOCAL_EVENT | side
        out[number] = (kind, int(received), int(received), float(price), float(size), 0, 0, 0.0)
    return out
