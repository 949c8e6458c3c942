"""The risk gate: the only maker of approved orders, and the last check before the wire (P33).

Entries fail closed: every limit must pass. Reducing orders are never denied (P34): they are sized by the position, and
no limit, halt or rate stops them.
"""

from __future__ import annotations

from config.settings import Execution, Risk, Trust
from core.kernels.book import NO_ASK, NO_BID
from core.kernels.probe import collar_walk, mid_before
from core.market.state import MarketView, Memory
from core.risk.ledger import RiskLedger
from core.risk.limits import LIMITS, Question, Refusal
from core.risk.sizing import entry_lots
from models.instrument import Instrument
from models.order import ApprovedOrder, Intent, OrderType, Purpose, Side, TimeInForce

SECOND_NS = 1_000_000_000


class Exposure:
    """What is already at risk on the account when a question is asked. Values at 1e-8."""

    __slots__ = ("alive", "alive_entries", "equity_e8", "margin_e8", "value_e8")

    def __init__(self, equity_e8: int, value_e8: int, margin_e8: int, alive: int, alive_entries: int) -> None:
        self.equity_e8 = equity_e8
        self.value_e8 = value_e8
        self.margin_e8 = margin_e8
        self.alive = alive
        self.alive_entries = alive_entries


class Gate:
    """Reviews intents. ``denials`` counts refusals by control, for metrics and the summary."""

    def __init__(self, memory: Memory, risk: Risk, trust: Trust, execution: Execution, prefix: str) -> None:
        self._memory = memory
        self._risk = risk
        self._trust = trust
        self._execution = execution
        self._prefix = prefix
        self._number = 0
        self.denials: dict[str, int] = {}

    def entry(
        self,
        intent: Intent,
        instrument: Instrument,
        view: MarketView,
        exposure: Exposure,
        ledger: RiskLedger,
        at_ns: int,
    ) -> ApprovedOrder | Refusal:
        """An approved entry, or the first limit it breaks with both numbers."""
        question = self._question(intent, instrument, view, exposure, ledger, at_ns)
        for limit in LIMITS:
            refusal = limit(question)
            if refusal is not None:
                self.denials[refusal.control] = self.denials.get(refusal.control, 0) + 1
                return refusal
        if self._execution.entry_type == "market":
            kind, force, price = OrderType.MARKET, TimeInForce.GTC, 0
        elif self._execution.entry_type == "ioc":
            kind, force, price = OrderType.LIMIT, TimeInForce.IOC, self._collar_price(question)
        else:
            kind, force = OrderType.LIMIT, TimeInForce.GTX
            price = question.bid if question.side is Side.BUY else question.ask
        ledger.messages.append(at_ns)
        ledger.entry(at_ns, question.side.value, question.touch, question.lots)
        return self._approve(
            intent.side, intent.instrument, Purpose.ENTRY, question.lots, at_ns, kind=kind, force=force, price=price
        )

    def reduce(self, instrument: int, side: Side, lots: int, at_ns: int, ledger: RiskLedger) -> ApprovedOrder:
        """A market order that can only reduce a position of at least ``lots``. Never denied."""
        ledger.messages.append(at_ns)
        return self._approve(side, instrument, Purpose.EXIT, lots, at_ns, reduce_only=True)

    def stop(
        self, instrument: int, side: Side, lots: int, trigger: int, at_ns: int, ledger: RiskLedger
    ) -> ApprovedOrder:
        """A protective stop resting at the venue, reduce-only. Never denied."""
        ledger.messages.append(at_ns)
        return self._approve(
            side, instrument, Purpose.STOP, lots, at_ns, kind=OrderType.STOP_MARKET, trigger=trigger, reduce_only=True
        )

    def _approve(
        self,
        side: Side,
        instrument: int,
        purpose: Purpose,
        lots: int,
        at_ns: int,
        *,
        kind: OrderType = OrderType.MARKET,
        force: TimeInForce = TimeInForce.GTC,
        price: int = 0,
        trigger: int = 0,
        reduce_only: bool = False,
    ) -> ApprovedOrder:
        """The one place where an approved order comes into being. Its id follows from the input: purpose and number."""
        self._number += 1
        return ApprovedOrder(
            client_id=f"{self._prefix}{purpose.value}{self._number:06d}",
            instrument=instrument,
            side=side,
            type=kind,
            time_in_force=force,
            price=price,
            quantity=lots,
            trigger=trigger,
            reduce_only=reduce_only,
            purpose=purpose,
            created_ns=at_ns,
        )

    def _question(
        self,
        intent: Intent,
        instrument: Instrument,
        view: MarketView,
        exposure: Exposure,
        ledger: RiskLedger,
        at_ns: int,
    ) -> Question:
        book = self._memory.book(intent.instrument)
        get = view.get
        q = Question()
        q.instrument, q.settings, q.trust, q.ledger = instrument, self._risk, self._trust, ledger
        q.side, q.at_ns = intent.side, at_ns
        q.bid, q.ask, q.valid = int(book["best_bid"]), int(book["best_ask"]), bool(book["valid"])
        q.book_ns = int(book["received_ns"])
        q.event_lag_ns = get("event_lag_ns")
        q.bid_depth, q.ask_depth = get("bid_lots"), get("ask_lots")
        q.quote_bid, q.quote_ask, q.quote_ns = get("quote_bid"), get("quote_ask"), get("quote_received_ns")
        q.last, q.last_ns = get("last_price"), get("last_trade_received_ns")
        q.mark_e8, q.mark_ns = get("mark_e8"), get("mark_received_ns")
        q.equity_e8, q.exposure_e8, q.reserved_e8 = exposure.equity_e8, exposure.value_e8, exposure.margin_e8
        q.alive, q.alive_entries = exposure.alive, exposure.alive_entries
        usable = q.valid and q.bid != NO_BID and q.ask != NO_ASK
        free_e8 = max(0, exposure.equity_e8 - exposure.margin_e8)
        q.lots = (
            entry_lots(instrument, q.touch, free_e8, self._risk.leverage, self._risk.margin_floor_pct) if usable else 0
        )
        q.worst = int(collar_walk(self._memory.address, intent.instrument, intent.side.value, q.lots)) if q.lots else 0
        q.mid_then2 = int(mid_before(self._memory.address, intent.instrument, at_ns - SECOND_NS))
        return q

    def _collar_price(self, q: Question) -> int:
        """The touch moved through by at most the allowed slippage, in whole ticks inside it."""
        reach = int(q.touch * min(self._execution.max_slippage_bps, self._risk.collar_touch_bps) / 10_000)
        return q.touch + reach if q.side is Side.BUY else q.touch - reach
