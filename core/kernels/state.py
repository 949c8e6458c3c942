"""The engine's memory: one record for the engine, one for each instrument, all in plain int64.

The compiled pass and Python share these records. The fields before ``book`` are scalars and are read from Python in
one copy (``VIEW``): reading one numpy element costs 100 ns, the whole list 0.6 µs. Times are on our receive clock
unless the name says otherwise. Window sizes are bounds: a ring that is full forgets its oldest entry.
"""

from __future__ import annotations

import numpy as np

from core.kernels.book import BOOK
from core.kernels.kernel import pointer_to

TAPE_ROWS = 4096  # newest trades of the hot store: 2 minutes of a busy market
SECOND_ROWS = 2048  # newest seconds of the hot store: 34 minutes
BAR_SLOTS = 4  # bar intervals of one instrument
BAR_RING = 256  # closed bars kept of each interval: 21 minutes of 5 s bars, 4 hours of 1 m bars
IMBALANCE_RING = 256  # depth frames of the imbalance window; 250 ms hold 3 to 25
MID_RING = 1024  # mids on a 100 ms grid: 102 s of momentum window
MID_GRID_NS = 100_000_000
RETURN_RING = 1800  # at most 30 minutes of momentum samples, one a second
SECOND_NS = 1_000_000_000
QUOTE_RING = 64  # quotes waiting for the depth frame with their update id
LIQUIDATION_RING = 64  # liquidation times of the cascade window
RETURN_UNIT = 100_000_000  # returns are integers at 1e-8
RETURN_MAX = 1_000_000  # samples are clipped at 1 %: keeps n·Σr² inside int64 for 1,800 samples


class Wake:
    """Bits of an advance result, in order of precedence."""

    DEADLINE = 1  # before the first frame received after the deadline
    TRUST = 2  # the set of violated decision conditions changed, or the book became valid or invalid
    BAR = 4  # a bar closed that somebody asked for
    EXIT = 8  # an exit condition of an armed position fired
    ENTRY = 16  # the entry conditions met in one direction
    ASK = 32  # the frame a strategy asked for
    VENUE = 128  # the simulated venue stopped for matching: it settles before anybody is woken
    EDGE = 64  # the touch nears the end of what a snapshot proved: a new snapshot is wanted, the book stays valid


class Condition:
    """Bits of ``violated``: decision conditions that do not hold now."""

    BOOK = 1  # no valid book
    STALE = 2  # no depth for stale_ns
    CROSSED = 4
    SPREAD = 8
    DEPTH = 16
    CASCADE = 32
    IMBALANCE = 64
    RANGE = 128  # the touch has left the range a snapshot proved: ask for a new one (F11)


class Exit:
    """Bits of ``exit_bits``: which exit conditions have fired since the position was armed."""

    FADE = 1
    REVERSAL = 2
    STOP = 4


class Ready:
    """Bits of ``ready``: which entry conditions have full windows."""

    VOLUME = 1
    IMBALANCE = 2
    MOMENTUM = 4
    ALL = 7


TAPE_COLUMNS = ("received_ns", "occurred_ns", "price", "lots", "id")
"""Trades; ``lots`` are negative when the aggressor sold."""
SECOND_COLUMNS = (
    "at_ns", "mid2", "bid", "ask", "bid_lots", "ask_lots", "bought_lots", "sold_lots", "flow_lots", "depth_lots",
    "running_lots", "momentum", "momentum_sigma",
)  # fmt: skip
"""The state once a second. ``bid_lots`` and ``ask_lots`` are of the top levels; ``bought_lots``, ``sold_lots`` and
``flow_lots`` (order-flow imbalance, quantitative reference A.4) are sums since the start: a window is a difference."""

_SCALARS = (
    # parameters, written by Python before the first row
    "volume_num", "volume_den", "baseline_bars", "fade_num", "fade_den", "fade_bars", "hold_min_ns",
    "imbalance_levels", "imbalance_window_ns", "imbalance_entry_ppm", "reversal_ppm", "reversal_hold_ns",
    "momentum_window_ns", "momentum_samples_min", "momentum_history", "signal_quiet_ns",
    "stale_ns", "spread_limit_num", "spread_limit_den", "depth_limit_lots", "depth_bps", "cascade_count",
    "cascade_window_ns", "imbalance_limit_ppm", "ask_every_frame",
    # touch and trades
    "mid2", "bid", "ask", "bid_lots", "ask_lots", "imbalance_bid", "imbalance_ask",
    "last_price", "last_lots", "last_side", "last_trade_id", "last_trade_ns", "last_trade_received_ns",
    "quote_bid", "quote_bid_lots", "quote_ask", "quote_ask_lots", "quote_id", "quote_occurred_ns", "quote_received_ns",
    "mark_e8", "index_e8", "funding_e8", "funding_next_ms", "mark_received_ns",
    # counters
    "depth_frames", "trades", "quotes", "late_trades", "liquidations", "quotes_compared", "quotes_equal", "tape_count",
    "second_count", "bought_lots", "sold_lots", "flow_lots",
    # windows
    "imbalance_head", "imbalance_tail", "mid_slot", "mid_first_slot", "return_count", "return_sum", "return_square",
    "return_slot", "quote_head", "liquidation_head", "liquidation_recent",
    # decisions
    "baseline_lots", "baseline_count", "momentum", "momentum_sigma", "ready", "entry_side", "entry_quiet_until_ns",
    "violated", "depth_lots", "event_lag_ns", "signals",
    "momentum_threshold_num", "momentum_threshold_den", "momentum_threshold", "edge_quiet_until_ns",
    # the position as the exit conditions see it, armed by Python
    "position_side", "opened_ns", "entry_baseline_lots", "entry_baseline_count", "stop_tick", "reversal_since_ns",
    "exit_bits", "worst_mid2", "best_mid2", "running_lots",
)  # fmt: skip

_BAR = np.dtype(
    [(name, "i8") for name in ("start_ns", "open", "high", "low", "close", "lots", "buy_lots", "count", "cost")],
    align=True,
)
BAR = _BAR

BAR_SLOT = np.dtype(
    [
        ("interval_ns", "i8"),  # 0 switches the slot off
        ("wake", "i8"),  # 1 when somebody asked for this bar
        ("closed", "i8"),  # bars closed so far
        ("filled", "i8"),  # of them, silent ones carried at the last close
        ("running", BAR),  # start_ns < 0 before the first trade
        ("ring", BAR, (BAR_RING,)),
    ],
    align=True,
)

MARKET = np.dtype(
    [(name, "i8") for name in _SCALARS]
    + [
        ("book", BOOK),
        ("bars", BAR_SLOT, (BAR_SLOTS,)),
        ("tape", "i8", (len(TAPE_COLUMNS), 2 * TAPE_ROWS)),  # hot store, see storage.hot.ring
        ("seconds", "i8", (len(SECOND_COLUMNS), 2 * SECOND_ROWS)),
        ("imbalance_ring", "i8", (IMBALANCE_RING, 3)),  # received_ns, bid lots, ask lots
        ("mid_ring", "i8", (MID_RING,)),
        ("return_ring", "i8", (RETURN_RING,)),
        ("quote_ring", "i8", (QUOTE_RING, 5)),  # id, bid, bid lots, ask, ask lots
        ("liquidation_ring", "i8", (LIQUIDATION_RING,)),
    ],
    align=True,
)

ENGINE = np.dtype(
    [
        ("deadline_ns", "i8"),  # the earliest timer or report; FAR_NS when none
        ("now_ns", "i8"),  # received_ns of the newest frame begun
        ("frame", "i8"),
        ("clock_offset_ns", "i8"),  # venue clock minus ours
        ("instruments", "i8"),
        ("wake_instrument", "i8"),
        ("frames", "i8"),
        ("rows", "i8"),
        ("unknown_rows", "i8"),
        ("frame_bits", "i8"),  # wake bits of a frame whose last row has not come yet
        ("markets_at", "i8"),  # address of the instruments' records; left out of every hash
    ],
    align=True,
)

SCALARS = _SCALARS
VIEW_WORDS = len(_SCALARS)
VIEW = {name: number for number, name in enumerate(_SCALARS)}

pointer_to_engine = pointer_to(ENGINE)
pointer_to_market = pointer_to(MARKET)
