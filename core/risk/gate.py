"""The risk gate: the only maker of approved orders, and the last check before the wire (P33).

Entries fail closed: every limit must pass. Reducing orders are never denied (P34): they are sized by the position, and
no limit, halt or rate stops them.
"""

from __future__ import annotations

from math import ceil, floor

from config.settings import Execution, Risk, Trust
from core.kernels.book import NO_ASK, NO_BID
from core.kernels.probe import collar_walk, depth_top, mid_before, quote_gap
from core.market.state import MarketView, Memory
from core.risk.clearance import Clearance
from core.risk.exposure import Exposure
from core.risk.ledger import Entry, RiskLedger
from core.risk.limits import LIMITS, Question, Refusal
from core.risk.sizing import entry_lots
from models.event import Standing
from models.instrument import Instrument
from models.order import ApprovedOrder, Intent, OrderType, Purpose, Side, TimeInForce

SECOND_NS = 1_000_000_000
PURPOSE_AT = 10  # client ids: two letters of the program, eight of the run, the purpose, a number


class Gate:
    """Reviews intents. ``denials`` counts refusals by control, for metrics and the summary.

    ``stop_pct`` is the distance of the stop that every entry gets; unless told, the widest that P07 lets through.
    """

    def __init__(
        self,
        memory: Memory,
        risk: Risk,
        trust: Trust,
        execution: Execution,
        prefix: str,
        stop_pct: float | None = None,
    ) -> None:
        self._memory = memory
        self._risk = risk
        self._trust = trust
        self._execution = execution
        self._heads = {purpose: f"{prefix}{purpose.value}" for purpose in Purpose}  # of client ids
        self._stop_pct = risk.stop_loss_pct if stop_pct is None else stop_pct
        self._number = 0
        self._clearances = [
            Clearance(instrument, risk, trust, execution, self._stop_pct) for instrument in memory.instruments
        ]
        self.cleared = 0  # entries approved the short way
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
        """An approved entry, or the first limit it breaks with both numbers. What left is told by ``entered``."""
        index, side = intent.instrument, intent.side
        lots = self._clearances[index].clear(self._memory.address, side, exposure, ledger, at_ns)
        if lots:
            self.cleared += 1
            return self._approve(side, index, Purpose.ENTRY, lots, at_ns)
        return self.review(intent, instrument, view, exposure, ledger, at_ns)

    def entered(self, order: ApprovedOrder, view: MarketView, ledger: RiskLedger) -> None:
        """Count an approved entry (P12, P14, P15): after it has left, and before anything else happens."""
        touch = view.get("ask" if order.side is Side.BUY else "bid")
        ledger.message(order.created_ns)
        ledger.entry(Entry(order.created_ns, order.instrument, int(order.side), touch, order.quantity))

    def prepare(self, exposure: Exposure, ledger: RiskLedger) -> None:
        """Work out beforehand what depends on the account alone; between orders and fills it does not change."""
        for clearance in self._clearances:
            clearance.prepare(exposure, ledger)

    def review(
        self,
        intent: Intent,
        instrument: Instrument,
        view: MarketView,
        exposure: Exposure,
        ledger: RiskLedger,
        at_ns: int,
    ) -> ApprovedOrder | Refusal:
        """``entry`` limit by limit: the long way, which finds the words for a refusal."""
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
        return self._approve(
            intent.side, intent.instrument, Purpose.ENTRY, question.lots, at_ns, kind=kind, force=force, price=price
        )

    def reduce(
        self, instrument: int, side: Side, lots: int, at_ns: int, ledger: RiskLedger, price: int = 0
    ) -> ApprovedOrder:
        """An order that can only reduce a position of at least ``lots``: at market, or an immediate limit order at
        ``price``. Never denied."""
        ledger.message(at_ns)
        kind, force = (OrderType.LIMIT, TimeInForce.IOC) if price > 0 else (OrderType.MARKET, TimeInForce.GTC)
        return self._approve(
            side, instrument, Purpose.EXIT, lots, at_ns, kind=kind, force=force, price=price, reduce_only=True
        )

    def recognise(self, standing: Standing, at_ns: int) -> ApprovedOrder:
        """An order of a run before, found at the venue: it was approved then, its purpose stands in its id."""
        purpose = next((one for one in Purpose if one.value == standing.client_id[PURPOSE_AT : PURPOSE_AT + 1]), None)
        kind = OrderType.STOP_MARKET if standing.stop else OrderType.LIMIT if standing.price else OrderType.MARKET
        return ApprovedOrder(
            standing.client_id, standing.instrument, standing.side, kind, TimeInForce.GTC, standing.price,
            standing.quantity, standing.trigger, standing.reduce_only, purpose or Purpose.ENTRY, at_ns,
        )  # fmt: skip

    def stop(
        self, instrument: int, side: Side, lots: int, trigger: int, at_ns: int, ledger: RiskLedger
    ) -> ApprovedOrder:
        """A protective stop resting at the venue, reduce-only. Never denied."""
        ledger.message(at_ns)
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
            f"{self._heads[purpose]}{self._number:06d}", instrument, side, kind, force, price, lots, trigger,
            reduce_only, purpose, at_ns,
        )  # fmt: skip

    def _question(
        self,
        intent: Intent,
        instrument: Instrument,
        view: MarketView,
        exposure: Exposure,
        ledger: RiskLedger,
        at_ns: int,
    ) -> Question:
        book, address, index = self._memory.book(intent.instrument), self._memory.address, intent.instrument
        get = view.get
        q = Question()
        q.instrument, q.settings, q.trust, q.ledger = instrument, self._risk, self._trust, ledger
        q.slippage_max_bps, q.stop_pct = self._execution.max_slippage_bps, self._stop_pct
        q.side, q.at_ns = intent.side, at_ns
        q.bid, q.ask, q.valid = int(book["best_bid"]), int(book["best_ask"]), bool(book["valid"])
        q.book_ns = int(book["received_ns"])
        q.event_lag_ns = get("event_lag_ns")
        q.bid_depth, q.ask_depth = depth_top(address, index, self._risk.depth_levels)
        gap, final = quote_gap(address, index)
        q.quote_gap, q.quote_final, q.quote_ns = int(gap), bool(final), get("quote_received_ns")
        q.last = get("last_price")
        q.mark_e8, q.mark_ns = get("mark_e8"), get("mark_received_ns")
        q.equity_e8, q.exposure_e8, q.reserved_e8 = exposure.equity_e8, exposure.value_e8, exposure.margin_e8
        q.alive, q.alive_entries = exposure.alive, exposure.alive_entries
        q.mid_then2 = int(mid_before(address, index, at_ns - SECOND_NS))
        self._size(q, index)
        return q

    def _size(self, q: Question, index: int) -> None:
        """Lots and the worst price they reach. An order that walks up is sized by the price it walks to."""
        q.lots, q.bound, q.worst = 0, "P10", 0
        if not q.valid or q.bid == NO_BID or q.ask == NO_ASK:
            return
        for _ in range(2):
            price = max(q.worst, q.touch)
            q.lots, q.bound = entry_lots(
                q.instrument, price, self._risk, self._stop_pct, q.equity_e8, q.exposure_e8, q.reserved_e8
            )
            q.worst = int(collar_walk(self._memory.address, index, q.side.value, q.lots)) if q.lots else 0
            if q.worst <= q.touch:
                return

    def _collar_price(self, q: Question) -> int:
        """The touch moved through by at most the allowed slippage, in whole ticks inside both collars (P08)."""
        reach = int(q.touch * min(self._execution.max_slippage_bps, self._risk.collar_touch_bps) / 10_000)
        mid2 = q.bid + q.ask
        if q.side is Side.BUY:
            return min(q.touch + reach, floor(mid2 * (10_000 + self._risk.collar_mid_bps) / 20_000))
        return max(q.touch - reach, ceil(mid2 * (10_000 - self._risk.collar_mid_bps) / 20_000))


def probe(head: str, purpose: Purpose, lots: int, trigger: int, at_ns: int) -> ApprovedOrder:
    """An order of a self-test: a market buy that is only checked, or a stop that only reduces."""
    stop = purpose is Purpose.STOP
    return ApprovedOrder(
        f"{head}{purpose.value}000001", 0, Side.SELL if stop else Side.BUY,
        OrderType.STOP_MARKET if stop else OrderType.MARKET, TimeInForce.GTC, 0, lots, trigger, stop, purpose, at_ns,
    )  # fmt: skip
