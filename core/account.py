"""The account: own orders, what they filled, the positions they made, their protection and what is at risk.

Everything the venue says of orders and money comes here; everything that reduces a position leaves from here. A
position has one writer, the fills.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from config.settings import Settings
from core import records
from core.decision import PositionEvent, PositionState
from core.execution.orders import Order, Orders
from core.execution.position import RoundTrip
from core.kernels.book import NO_ASK, NO_BID
from core.market.state import Memory
from core.outbox import Outbox
from core.risk.brakes import Brakes
from core.risk.exposure import Exposure
from core.risk.gate import Gate
from core.risk.ledger import RiskLedger
from core.trader import EXIT_RETRY_NS, Trader
from models.event import Fill, Funding, Held, Inherited, OrderReport, Standing
from models.order import ApprovedOrder, OrderState, Purpose, Refused, Side, TimeInForce
from models.rows import FAR_NS

SECOND_NS = 1_000_000_000
EXIT_REACH_BPS = 50  # an exit as a limit order reaches so far through the touch: a tenth of the venue's band
EXIT_BACKOFF_MAX = 3  # refused exits wait 0.2, 0.4, 0.8, then 1.6 s: never longer (invariant 18)


class Account:
    """Orders, positions and money of all instruments. ``fills`` and ``trips`` count what happened since the start."""

    def __init__(
        self, out: Outbox, memory: Memory, traders: list[Trader], gate: Gate, ledger: RiskLedger, settings: Settings
    ) -> None:
        self.ledger = ledger
        self.orders = Orders()
        self.fills = 0
        self.trips = 0
        self.brakes: Brakes
        self._out = out
        self._memory = memory
        self._traders = traders
        self._gate = gate
        self._params = settings.strategy.params
        self.leverage = settings.risk.leverage
        self._adopted = 0
        self._lots_before: dict[int, int] = {}  # what a run before held at its last word …
        self._fees_before: dict[int, int] = {}  # … and had paid for it
        self.adopted_ns = -1  # venue time of the first reading, which took over positions as they were
        self._resting: Exposure | None = None

    @property
    def holds(self) -> bool:
        """Whether any position is open."""
        return any(trader.position.lots for trader in self._traders)

    # -- orders out -------------------------------------------------------------------------------------------

    def entered(self, sent: ApprovedOrder) -> Order:
        """Book an entry that has just left."""
        trader, view = self._traders[sent.instrument], self._memory.view(sent.instrument)
        self._gate.entered(sent, view, self.ledger)
        order = self.orders.add(sent)
        trader.entry_id = sent.client_id
        trader.entry_baseline = (view.get("baseline_lots"), view.get("baseline_count"))
        if sent.time_in_force is TimeInForce.GTX:
            trader.entry_until_ns = self._out.now_ns + self._params.bar_s * SECOND_NS
        trader.move(PositionEvent.ENTRY_SENT)
        return order

    def exit(self, trader: Trader, reason: str) -> None:
        """Send a closing order. An exit is a goal: it stays wanted until the position is flat."""
        lots = trader.position.lots
        if lots == 0 or (trader.state is PositionState.EXITING and trader.retry_ns == FAR_NS):
            return
        trader.exit_reason = trader.exit_reason or reason
        trader.exit_since_ns = min(trader.exit_since_ns, self._out.now_ns)
        trader.retry_ns = FAR_NS
        side, price = records.side_of(lots), self._exit_price(trader)
        approved = self._gate.reduce(trader.index, side, abs(lots), self._out.now_ns, self.ledger, price)
        trader.exit_id = approved.client_id
        trader.move(PositionEvent.EXIT_SENT)
        self._send(trader, approved, trader.exit_reason)

    def _exit_price(self, trader: Trader) -> int:
        """0 for a market order; after a refusal every other try is an immediate limit order inside the band (F27)."""
        bid, ask = (int(self._memory.book(trader.index)[name]) for name in ("best_bid", "best_ask"))
        if trader.exit_refusals % 2 == 0 or bid == NO_BID or ask == NO_ASK:
            return 0
        if trader.position.lots > 0:
            return bid * (10_000 - EXIT_REACH_BPS) // 10_000
        return -(-ask * (10_000 + EXIT_REACH_BPS) // 10_000)

    def leave(self, reason: str) -> None:
        """Cancel entries, then close what is open."""
        for trader in self._traders:
            self.cancel_entries(trader)
            trader.leaving = trader.state is PositionState.ENTERING
            if trader.state in (PositionState.OPEN, PositionState.EXITING):
                self.exit(trader, reason)

    def cancel_entries(self, trader: Trader) -> None:
        for order in self.orders.alive(trader.index, Purpose.ENTRY):
            if not order.state.terminal:
                self.cancel(order)

    def cancel(self, order: Order) -> None:
        """Ask for the end of an order."""
        order.cancelled_ns = self._out.now_ns
        self.ledger.message(self._out.now_ns)
        self._out.cancel(order.approved)

    def _send(self, trader: Trader, approved: ApprovedOrder, reason: str) -> None:
        order = self.orders.add(approved)
        self._out.submit(approved)
        self._note_order(trader, order, reason)

    def _note_order(self, trader: Trader, order: Order, reason: str) -> None:
        self._out.note("orders", partial(records.order, self._out.now_ns, trader.instrument, order, reason))

    # -- the venue's words ------------------------------------------------------------------------------------

    def report(self, event: OrderReport) -> None:
        order = self.orders.report(event)
        if order is None:
            return
        trader = self._traders[order.approved.instrument]
        self._out.note("orders", records.order(self._out.now_ns, trader.instrument, order, event.reason))
        if order.state is OrderState.REJECTED and not Refused.NOT_PLACED.within(event.reason):
            entry = order.approved.purpose is Purpose.ENTRY
            self.brakes.rejected(entry and Refused.MARGIN.within(event.reason), event.reason)
        if not order.alive:
            self._ended(trader, order)

    def _ended(self, trader: Trader, order: Order) -> None:
        """An own order is over and all its fills are heard, whichever of the two came last."""
        purpose = trader.expected(order.approved.client_id)
        if purpose is Purpose.ENTRY:
            self._entry_ended(trader)
        elif purpose is Purpose.EXIT:
            self._exit_ended(trader, order)
        elif purpose is Purpose.STOP:
            self._stop_ended(trader, order)

    def _entry_ended(self, trader: Trader) -> None:
        trader.entry_id = ""
        trader.entry_until_ns = FAR_NS
        leaving, trader.leaving = trader.leaving, False
        if trader.state not in (PositionState.ENTERING, PositionState.EXITING):
            return
        if trader.position.lots:
            trader.move(PositionEvent.ENTRY_DONE)
            trader.rearm()  # what fired while the entry was on its way found nobody to act
        elif trader.state is PositionState.ENTERING:
            trader.move(PositionEvent.ENTRY_VOID)
            trader.cooldown_until_ns = self._out.now_ns + self._params.cooldown_s * SECOND_NS
        if self.brakes.wants_flat or leaving:
            self.exit(trader, "force_exit")

    def _exit_ended(self, trader: Trader, order: Order) -> None:
        trader.exit_id = ""
        if trader.position.lots and trader.state is PositionState.EXITING:
            trader.move(PositionEvent.EXIT_VOID)
            wait_ns = EXIT_RETRY_NS << min(trader.exit_refusals, EXIT_BACKOFF_MAX)
            trader.exit_refusals += order.state is OrderState.REJECTED
            trader.retry_ns = self._out.now_ns + wait_ns

    def _stop_ended(self, trader: Trader, order: Order) -> None:
        """A position whose stop is gone is not kept: refused, expired or part-filled, the rest leaves at once (P25)."""
        trader.stop_id = ""
        if trader.position.lots and trader.state is not PositionState.EXITING:
            self.cancel_entries(trader)
            self.exit(trader, "stoploss_on_exchange" if order.state is OrderState.FILLED else "emergency_exit")

    def fill(self, event: Fill) -> None:
        order = self.orders.fill(event)
        if order is None and not self.orders.strange(event):
            return
        if order is not None and order.inherited and (self.adopted_ns < 0 or self.adopted_ns > event.venue_ns):
            self._of_before(event)
            return
        self.fills += 1
        self.brakes.roll(self.equity_e8())
        trader = self._traders[event.instrument]
        fresh = trader.position.lots == 0
        realised, trip = trader.position.apply(event)
        self.ledger.fill(realised if event.realised_e8 is None else event.realised_e8, event.fee_e8)
        self._out.note("fills", partial(records.fill, event, trader.instrument, realised))
        if event.cause and trip is not None:
            trader.exit_reason = event.cause
        if trip is not None:
            self._closed(trader, trip)
        if trader.position.lots:
            if trader.state is PositionState.FLAT:
                trader.move(PositionEvent.ADOPTED)
            self._protect(trader, order, fresh or trip is not None)
        if order is not None and not order.alive:
            self._ended(trader, order)
        self.check_losses()

    def _of_before(self, event: Fill) -> None:
        """The position and the wallet read from the venue have it, or will: only its fee is news."""
        self.ledger.pay(event.fee_e8)
        position = self._traders[event.instrument].position
        if position.lots:
            position.pay(event.fee_e8)
        elif self.adopted_ns < 0:
            self._fees_before[event.instrument] = self._fees_before.get(event.instrument, 0) + event.fee_e8

    def _protect(self, trader: Trader, order: Order | None, fresh: bool) -> None:
        """Arm the exit conditions at each fill of a growing position, and rest a stop that covers it: one at the first
        fill, with what its entry may still fill; another when somebody beside us made the position larger. The smaller
        one is taken back when the larger is known to stand (P25).
        """
        entry = order is not None and order.approved.purpose is Purpose.ENTRY
        if not (fresh or entry or order is None):
            return
        tick, held = trader.stop_tick(self._params.stop_pct), trader.position.lots
        side = records.side_of(held)
        found = self.orders.get(trader.stop_id)
        if found is not None and not (
            found.alive and found.cancelled_ns == FAR_NS
            and found.approved.side is side and found.approved.quantity >= abs(held)
        ):  # fmt: skip
            found = None
        if fresh:  # a stop of a run before may stand beside the position
            trader.arm(tick if found is None else found.approved.trigger, self._out.now_ns)
        else:
            self._memory.set(trader.index, stop_tick=tick)
        if found is not None:
            return
        lots = abs(held) + (order.remaining if order is not None and entry else 0)
        approved = self._gate.stop(trader.index, side, lots, tick, self._out.now_ns, self.ledger)
        trader.stop_id = approved.client_id
        self._send(trader, approved, "")

    def _closed(self, trader: Trader, trip: RoundTrip) -> None:
        """A round trip is over: record it, clean up, count it."""
        self.trips += 1
        if trader.stop_id and not trader.exit_reason:
            trader.exit_reason = "stoploss_on_exchange"
        self._out.note("trades", trader.closed(trip, self.trips, self._memory.view(trader.index)))
        trader.disarm()
        trader.move(PositionEvent.CLOSED)
        trader.exit_reason = ""
        trader.exit_refusals = 0
        trader.exit_since_ns = trader.retry_ns = FAR_NS
        trader.cooldown_until_ns = self._out.now_ns + self._params.cooldown_s * SECOND_NS
        stop = self.orders.get(trader.stop_id)
        if stop is not None:
            self.cancel(stop)
        self.cancel_entries(trader)
        self.ledger.trip(trip.net_e8)
        self.brakes.judge_streak()

    def funding(self, event: Funding) -> None:
        self.ledger.fund(event.amount_e8)
        self._traders[event.instrument].position.fund(event.amount_e8)
        self.check_losses()

    # -- what was there before us, or came beside us ----------------------------------------------------------

    def begin(self, wallet_e8: int, positions: Sequence[Held]) -> None:
        """The wallet as the venue tells it at the start. A position of a run before that is gone was closed meanwhile:
        it counts as the round trip that it was."""
        gap_e8 = wallet_e8 - self.ledger.wallet_e8
        self.ledger.begin(wallet_e8)
        before, self._lots_before = self._lots_before, {}
        gone = [held.instrument for held in positions if not held.lots and before.get(held.instrument)]
        if gone:
            self.ledger.trip(gap_e8 - sum(self._fees_before.pop(instrument, 0) for instrument in gone))
            self.brakes.judge_streak()

    def inherit(self, left: Inherited) -> None:
        """Orders of a run before whose end nobody has seen are unknown until there is proof; its round trip goes on."""
        for approved in left.orders:
            order = self.orders.add(approved)
            order.state, order.inherited = OrderState.UNKNOWN, True
        for client_id, trade_id, lots in left.heard:
            self.orders.heard(client_id, trade_id, lots)
        if left.survivors is not None:
            self._lots_before = dict(enumerate(left.survivors.open_lots))
            self._fees_before = dict(enumerate(left.survivors.open_fees_e8))

    @property
    def under_way(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Lots and fees of the round trips under way; until the first reading those of the run before."""
        before, fees = self._lots_before, self._fees_before
        return (
            tuple(trader.position.lots or before.get(trader.index, 0) for trader in self._traders),
            tuple(trader.position.fee_e8 + fees.get(trader.index, 0) for trader in self._traders),
        )

    def transfer(self, amount_e8: int) -> None:
        """Money moved in or out beside trades."""
        self.ledger.move(amount_e8)
        self.check_losses()

    def adopt(self, trader: Trader, held: Held, wallet_e8: int) -> None:
        """Take over what the venue holds: the difference is booked as an execution of somebody else, and protected.

        Its price is the venue's entry price where the position grows, else the mid; the wallet is the venue's.
        """
        lots, instrument = held.lots - trader.position.lots, trader.instrument
        grows = trader.position.lots == 0 or (lots > 0) == (trader.position.lots > 0)
        price = held.entry_e8 // instrument.tick_e8 if grows else self._memory.view(trader.index).get("mid2") // 2
        if price <= 0:
            price = abs(trader.position.cost // trader.position.lots) if trader.position.lots else 1
        self._adopted += 1
        side = Side.BUY if lots > 0 else Side.SELL
        now = self._out.now_ns
        self.fill(Fill(now, "", -self._adopted, trader.index, side, price, abs(lots), 0, False, now, "external"))
        if trader.position.lots and grows:
            trader.position.pay(self._fees_before.pop(trader.index, 0))
        self.ledger.move(wallet_e8 - self.ledger.wallet_e8)

    def recognise(self, trader: Trader, standing: Standing, *, keep: bool = True) -> Order:
        """Take over an order found at the venue; with ``keep`` it is the stop of the position from now on."""
        order = self.orders.add(self._gate.recognise(standing, self._out.now_ns))
        order.state = order.proven = OrderState.ACCEPTED
        order.venue_id, order.accepted_ns = standing.venue_id, self._out.now_ns
        if keep:
            trader.stop_id = standing.client_id
        return order

    # -- time -------------------------------------------------------------------------------------------------

    def timer(self, trader: Trader) -> None:
        """An exit that did not close is sent again; an entry that rests on an old signal is taken back."""
        now = self._out.now_ns
        if now >= trader.retry_ns and trader.position.lots:
            self.exit(trader, "exit_retry")
        if now >= trader.entry_until_ns:  # the signal it rests on is a bar old
            trader.entry_until_ns = now + self._params.bar_s * SECOND_NS
            self.cancel_entries(trader)

    # -- money and risk ---------------------------------------------------------------------------------------

    def equity_e8(self) -> int:
        """Wallet plus open profit at the last mid of each instrument."""
        total = self.ledger.wallet_e8
        for trader in self._traders:
            mid2 = self._memory.view(trader.index).get("mid2") if trader.position.lots else 0
            if mid2:  # a position taken over before the first book has no price yet
                total += trader.position.unrealised_e8(mid2)
        return total

    def check_losses(self) -> None:
        self.brakes.check_losses(self.equity_e8(), self.holds)

    def rest(self) -> None:
        """After each fact: work out what an account at rest has at risk beforehand, for the next entry."""
        if not self.orders.none_alive or self.holds:
            self._resting = None
            return
        if self._resting is None or self._resting.equity_e8 != self.ledger.wallet_e8:
            self._resting = Exposure(self.ledger.wallet_e8, 0, 0, 0, 0)
        self._gate.prepare(self._resting, self.ledger)

    def exposure(self, asking: Trader) -> Exposure:
        """What is at risk now: positions and entries on their way, counted as filled."""
        if self._resting is not None and self.orders.none_alive:
            return self._resting
        value = margin = alive = alive_entries = 0
        for trader in self._traders:
            instrument = trader.instrument
            lots = abs(trader.position.lots)
            price = 0
            for order in self.orders.alive(trader.index):
                alive += order.approved.instrument == asking.index
                if order.approved.purpose is Purpose.ENTRY:
                    alive_entries += order.approved.instrument == asking.index
                    lots += order.remaining
            if lots:
                price = self._memory.view(trader.index).get("mid2") // 2
                worth = instrument.notional_e8(price, lots)
                value += worth
                margin += worth // self.leverage
        return Exposure(self.equity_e8(), value, margin, alive, alive_entries)

    def on_the_way(self) -> bool:
        """Whether an entry or exit order is alive: what it will make of the position is not yet known."""
        moving = (Purpose.ENTRY, Purpose.EXIT)
        return any(self.orders.alive(trader.index, purpose) for trader in self._traders for purpose in moving)

    def unfinished(self) -> bool:
        """Whether a position or an order is still there, a stop without a position too."""
        return not self.orders.none_alive or self.holds
