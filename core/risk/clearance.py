"""The short way through the gate: one compiled call whose comparisons together imply every limit.

Nearly every entry that a strategy wishes breaks no limit, and must not wait until each limit has been asked (17 µs).
What depends on the account (size, counters) is worked out when the account changes; the market is looked at in one
compiled call. What is not plainly clear is reviewed limit by limit, which also finds the words for a refusal; nothing
is refused here. A test proves that whatever is cleared the review approves, at the same size.
"""

from __future__ import annotations

import numpy as np

from config.settings import CEILING_EQUITY, Execution, Risk, Trust
from core.kernels.clearance import ALLOWANCE, clear_entry
from core.kernels.kernel import address_of
from core.risk.exposure import Exposure
from core.risk.ledger import DAY_NS, HOUR_NS, MINUTE_NS, RiskLedger
from core.risk.limits import MARK_FRESH_NS
from core.risk.sizing import loss_rate_e8
from models.instrument import E8, Instrument
from models.order import Side
from models.rows import FAR_NS

MILLISECOND_NS = 1_000_000
MONEY_MAX_E8 = 1 << 62  # values beyond 46 billion USDT do not fit the compiled comparison, and bound nothing


class Clearance:
    """Constants of one instrument under one set of limits; ``clear`` is asked at each wish to enter."""

    def __init__(self, instrument: Instrument, risk: Risk, trust: Trust, execution: Execution, stop_pct: float) -> None:
        self._index = instrument.index
        self._risk = risk
        self._leverage = risk.leverage
        self._per_lot = E8 + 2 * instrument.fees.taker_e8 * risk.leverage
        self._loss_rate = loss_rate_e8(instrument, stop_pct)
        self._message_windows = (
            (risk.messages_per_s, MINUTE_NS // 60), (risk.messages_per_10s, MINUTE_NS // 6),
            (risk.messages_per_min, MINUTE_NS),
        )  # fmt: skip
        self._duplicate_ns = risk.duplicate_window_ms * MILLISECOND_NS
        self._value_max_e8 = self._far_enough(instrument, stop_pct)
        self._open = execution.entry_type == "market" and instrument.status == "TRADING"
        self._exposure: Exposure | None = None
        self._changes = -1
        self._allowance = np.zeros(1, dtype=ALLOWANCE)
        self._address = address_of(self._allowance)
        self._set_constants(instrument, trust)

    def _set_constants(self, instrument: Instrument, trust: Trust) -> None:
        risk, allowance = self._risk, self._allowance[0]
        allowance["unit_e8"], allowance["tick_e8"] = instrument.unit_e8, instrument.tick_e8
        allowance["lots_min"] = max(1, instrument.filters.market_quantity_min)
        lots_max = instrument.filters.market_quantity_max
        most = risk.order_quantity_max.get(instrument.symbol)
        if most is not None:
            lots_max = min(lots_max, round(most * E8) // instrument.lot_e8)
        allowance["lots_max"] = lots_max
        allowance["notional_min_e8"] = instrument.filters.notional_min_e8
        allowance["fresh_ms"], allowance["lag_max_ms"] = trust.fresh_ms, risk.lag_max_ms
        allowance["quote_gap_ns"] = risk.quote_gap_ms * MILLISECOND_NS
        allowance["quote_gap_ticks"] = risk.quote_gap_max_ticks
        allowance["mark_fresh_ns"], allowance["mark_gap_pct"] = MARK_FRESH_NS, risk.mark_gap_max_pct
        allowance["move_pct"], allowance["spread_bps"] = risk.move_max_pct_per_s, risk.spread_max_bps
        allowance["depth_levels"], allowance["depth_multiple"] = risk.depth_levels, risk.depth_multiple_min
        allowance["collar_mid_bps"] = risk.collar_mid_bps

    def _far_enough(self, instrument: Instrument, stop_pct: float) -> int:
        """The value up to which stop and liquidation keep their distances (P07): the first bracket's cap, or 0."""
        if stop_pct > self._risk.stop_loss_pct or not instrument.brackets or instrument.brackets[0].cum_e8 != 0:
            return 0
        rate = instrument.brackets[0].maintenance_e8 / E8
        # The lower of long and short, as the limit computes it.
        least_pct = min(100 * (1 / self._risk.leverage - rate) / (1 - rate * side.sign) for side in Side)
        return instrument.brackets[0].cap_e8 if least_pct >= self._risk.liquidation_multiple_min * stop_pct else 0

    def clear(self, engine_address: int, side: Side, exposure: Exposure, ledger: RiskLedger, at_ns: int) -> int:
        """Lots of an entry at the touch that no limit can refuse; 0 when somebody must look closer."""
        if exposure is not self._exposure or ledger.changes != self._changes:
            self.prepare(exposure, ledger)
        return clear_entry(engine_address, self._index, side, at_ns, self._address)

    def prepare(self, exposure: Exposure, ledger: RiskLedger) -> None:
        """Work out what the account allows; it changes with orders and fills, not with the market."""
        if exposure is self._exposure and ledger.changes == self._changes:
            return
        self._exposure, self._changes = exposure, ledger.changes
        allowance, equity_e8 = self._allowance[0], exposure.equity_e8
        allowance["from_ns"] = self._from_ns(exposure, ledger)
        allowance["budget_e8"] = min(self._budget_e8(exposure), MONEY_MAX_E8)
        ceiling_e8 = int(equity_e8 * CEILING_EQUITY[self._risk.profile]) - exposure.value_e8
        allowance["value_max_e8"] = min(self._value_max_e8, ceiling_e8, MONEY_MAX_E8)

    def _budget_e8(self, exposure: Exposure) -> int:
        """Every bound of ``core.risk.sizing.entry_lots`` as a value: for whole numbers, a / (b · c) rounded down is
        a / b rounded down, divided by c, rounded down; so the division by the price can wait.
        """
        risk, equity_e8 = self._risk, exposure.equity_e8
        if equity_e8 <= 0:
            return 0
        free_e8 = equity_e8 - exposure.margin_e8 - int(equity_e8 * risk.margin_floor_pct) // 100
        return min(
            equity_e8 * self._leverage,
            int(equity_e8 * risk.order_value_max_equity),
            int(equity_e8 * risk.position_value_max_equity) - exposure.value_e8,
            free_e8 * self._leverage * E8 // self._per_lot,
            int(equity_e8 * risk.trade_risk_max_pct) // 100 * E8 // self._loss_rate,
        )

    def _from_ns(self, exposure: Exposure, ledger: RiskLedger) -> int:
        """From when open orders (P17), messages (P12), entries (P14) and repeats (P15) are inside every bound.

        A window has room for one more of n when the n-th newest lies outside it: no counting.
        """
        risk, messages, entries = self._risk, ledger.messages, ledger.entries
        if (
            not self._open
            or exposure.alive_entries >= risk.entry_orders_max
            or exposure.alive >= risk.open_orders_max
            or len(ledger.entries_since_trip) >= risk.repeat_entries_max
        ):
            return FAR_NS
        times = [messages[-most] + window_ns for most, window_ns in self._message_windows if len(messages) >= most]
        if entries:
            times.append(entries[-1].at_ns + self._duplicate_ns)
        if len(entries) >= risk.entries_per_hour:
            times.append(entries[-risk.entries_per_hour].at_ns + HOUR_NS)
        if len(entries) >= risk.entries_per_day:
            times.append((entries[-risk.entries_per_day].at_ns // DAY_NS + 1) * DAY_NS)
        return max(times, default=0)
