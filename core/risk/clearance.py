"""The short way through the gate: a handful of comparisons that together imply every limit.

Nearly every entry that a strategy wishes breaks no limit, and must not wait until each limit has been asked (17 µs).
So the gate first looks whether the order is plainly clear: the market in one compiled call, money and counters in a few
integers. What is not plainly clear is reviewed limit by limit, which also finds the words for a refusal; nothing is
refused here. A test proves that whatever is cleared the review approves, at the same size.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from config.settings import CEILING_EQUITY, Execution, Risk, Trust
from core.kernels import clearance
from core.kernels.kernel import address_of
from core.risk.exposure import Exposure
from core.risk.ledger import DAY_NS, HOUR_NS, MINUTE_NS, RiskLedger
from core.risk.limits import MARK_FRESH_NS
from core.risk.sizing import loss_rate_e8
from models.instrument import E8, Instrument
from models.order import Side

MILLISECOND_NS = 1_000_000


class _Money(NamedTuple):
    """Bounds of an entry's size for one state of the account: ``key`` is equity, value at risk, margin in use."""

    key: tuple[int, int, int]
    value_e8: int
    free_e8: int
    margined: int
    risked: int


class Clearance:
    """Constants of one instrument under one set of limits; ``clear`` is asked at each wish to enter."""

    def __init__(self, instrument: Instrument, risk: Risk, trust: Trust, execution: Execution, stop_pct: float) -> None:
        self._index = instrument.index
        self._risk = risk
        self._unit_e8 = instrument.unit_e8
        self._taker_e8 = instrument.fees.taker_e8
        self._leverage = risk.leverage
        self._margined = risk.leverage * E8
        self._per_lot = E8 + 2 * instrument.fees.taker_e8 * risk.leverage
        self._loss_rate = loss_rate_e8(instrument, stop_pct)
        self._lots_max = instrument.filters.market_quantity_max
        most = risk.order_quantity_max.get(instrument.symbol)
        if most is not None:
            self._lots_max = min(self._lots_max, round(most * E8) // instrument.lot_e8)
        self._lots_min = max(1, instrument.filters.market_quantity_min)
        self._notional_min_e8 = instrument.filters.notional_min_e8
        self._message_windows = (
            (risk.messages_per_s, MINUTE_NS // 60), (risk.messages_per_10s, MINUTE_NS // 6),
            (risk.messages_per_min, MINUTE_NS),
        )  # fmt: skip
        self._duplicate_ns = risk.duplicate_window_ms * MILLISECOND_NS
        self._value_max_e8 = self._far_enough(instrument, stop_pct)
        self._open = execution.entry_type == "market" and instrument.status == "TRADING"
        self._money = _Money((-1, 0, 0), 0, 0, 0, 0)
        self._limits = np.zeros(clearance.LIMIT_WORDS)
        self._limits[clearance.FRESH_MS] = trust.fresh_ms
        self._limits[clearance.LAG_MAX_MS] = risk.lag_max_ms
        self._limits[clearance.QUOTE_GAP_NS] = risk.quote_gap_ms * MILLISECOND_NS
        self._limits[clearance.QUOTE_GAP_TICKS] = risk.quote_gap_max_ticks
        self._limits[clearance.MARK_FRESH_NS] = MARK_FRESH_NS
        self._limits[clearance.MARK_GAP_PCT] = risk.mark_gap_max_pct
        self._limits[clearance.MOVE_PCT] = risk.move_max_pct_per_s
        self._limits[clearance.SPREAD_BPS] = risk.spread_max_bps
        self._limits[clearance.DEPTH_LEVELS] = risk.depth_levels
        self._limits[clearance.DEPTH_MULTIPLE] = risk.depth_multiple_min
        self._limits[clearance.COLLAR_MID_BPS] = risk.collar_mid_bps
        self._limits[clearance.TICK_E8] = instrument.tick_e8
        self._limits_address = address_of(self._limits)

    def _far_enough(self, instrument: Instrument, stop_pct: float) -> int:
        """The value up to which stop and liquidation keep their distances (P07): the first bracket's cap, or 0."""
        if stop_pct > self._risk.stop_loss_pct or not instrument.brackets or instrument.brackets[0].cum_e8 != 0:
            return 0
        rate = instrument.brackets[0].maintenance_e8 / E8
        # The lower of long and short, as the limit computes it.
        least_pct = min(100 * (1 / self._risk.leverage - rate) / (1 - rate * side.sign) for side in Side)
        return instrument.brackets[0].cap_e8 if least_pct >= self._risk.liquidation_multiple_min * stop_pct else 0

    def clear(
        self, engine_address: int, side: Side, touch: int, exposure: Exposure, ledger: RiskLedger, at_ns: int
    ) -> int:
        """Lots of an entry at ``touch`` that no limit can refuse; 0 when somebody must look closer."""
        if not self._open or touch <= 0 or not self._counters_clear(exposure, ledger, at_ns):
            return 0
        lots = self._lots(touch, exposure)
        if lots < self._lots_min:
            return 0
        value_e8 = touch * lots * self._unit_e8
        if value_e8 < self._notional_min_e8 or value_e8 > self._value_max_e8:
            return 0
        money = self._money
        if value_e8 > int(exposure.equity_e8 * CEILING_EQUITY[self._risk.profile]) - exposure.value_e8:
            return 0
        if value_e8 // self._leverage + 2 * value_e8 * self._taker_e8 // E8 > money.free_e8:
            return 0
        taken = clearance.clear_market(engine_address, self._index, int(side), lots, at_ns, self._limits_address)
        return lots if taken == touch else 0

    def _lots(self, touch: int, exposure: Exposure) -> int:
        """The size by every bound of ``core.risk.sizing.entry_lots``, without their names."""
        money, lot_e8 = self._money, touch * self._unit_e8
        if (exposure.equity_e8, exposure.value_e8, exposure.margin_e8) != money.key:
            money = self.prepare(exposure)
        return min(
            money.value_e8 // lot_e8,
            money.margined // (lot_e8 * self._per_lot),
            money.risked // (lot_e8 * self._loss_rate),
            self._lots_max,
        )

    def prepare(self, exposure: Exposure) -> _Money:
        """Keep what of the bounds depends on money alone; it changes with a fill, not with the market."""
        risk, equity_e8 = self._risk, exposure.equity_e8
        free_e8 = equity_e8 - exposure.margin_e8 - int(equity_e8 * risk.margin_floor_pct) // 100
        value_e8 = min(
            equity_e8 * self._leverage,
            int(equity_e8 * risk.order_value_max_equity),
            int(equity_e8 * risk.position_value_max_equity) - exposure.value_e8,
        )
        self._money = _Money(
            key=(equity_e8, exposure.value_e8, exposure.margin_e8),
            value_e8=value_e8 if equity_e8 > 0 else 0,
            free_e8=free_e8,
            margined=free_e8 * self._margined,
            risked=int(equity_e8 * risk.trade_risk_max_pct) // 100 * E8,
        )
        return self._money

    def _counters_clear(self, exposure: Exposure, ledger: RiskLedger, at_ns: int) -> bool:
        """Whether open orders (P17), messages (P12), entries (P14) and repeats (P15) are inside every bound.

        A window has room for one more of n when the n-th newest lies outside it: no counting.
        """
        risk, entries = self._risk, ledger.entries
        if exposure.alive_entries >= risk.entry_orders_max or exposure.alive >= risk.open_orders_max:
            return False
        messages = ledger.messages
        kept = len(messages)
        for most, window_ns in self._message_windows:
            if kept >= most and messages[-most] > at_ns - window_ns:
                return False
        kept = len(entries)
        if kept == 0:
            return True
        if at_ns - entries[-1].at_ns < self._duplicate_ns or len(ledger.entries_since_trip) >= risk.repeat_entries_max:
            return False
        if kept >= risk.entries_per_hour and entries[-risk.entries_per_hour].at_ns > at_ns - HOUR_NS:
            return False
        return kept < risk.entries_per_day or entries[-risk.entries_per_day].at_ns < at_ns - at_ns % DAY_NS
