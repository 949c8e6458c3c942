"""The engine: facts in, wishes out. It has no socket, clock, randomness, log or task; time arrives inside facts.

``advance`` takes market rows in bulk (through the venue, which may run its own book beside ours), ``step`` every other
fact. The same facts give the same actions on every machine, for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from config.settings import Settings
from core import records
from core.decision import MarketDecision, PositionEvent, PositionState
from core.execution.orders import Order, Orders
from core.execution.position import RoundTrip
from core.kernels.state import Condition
from core.kernels.state import Wake as Bits
from core.market.features import features
from core.market.state import MarketView, Memory, depth_limit_lots
from core.risk.exposure import Exposure
from core.risk.gate import Gate
from core.risk.ledger import DAY_NS, RiskLedger
from core.risk.limits import Refusal
from core.risk.losses import losses, streak
from core.risk.mode import BY_HAND, OF_THE_DAY, Cause, Mode
from core.strategies.scalper import Scalper
from core.strategies.strategy import Decline, Strategy, View
from core.trader import EXIT_RETRY_NS, Trader
from models.action import EDGE, Action, Cancel, Note, Resync, Submit
from models.control import Decision, Operating, Reason
from models.event import (
    BookInvalid,
    ClockOffset,
    Command,
    Event,
    Fill,
    Funding,
    OrderReport,
    StreamState,
    Timer,
    Wake,
)
from models.instrument import E8, Instrument
from models.order import ApprovedOrder, Intent, OrderState, Purpose, TimeInForce
from models.rows import FAR_NS

_TRUST, _TRIGGERS, _ASK, _BAR = Bits.TRUST, Bits.EXIT | Bits.ENTRY, Bits.ASK, Bits.BAR
EQUITY_CHECK_NS = 1_000_000_000  # loss limits see open profit once a second while a position is open
MINUTE_NS = 60 * 1_000_000_000


class Engine:
    """All instruments, one account, one strategy. ``prefix`` (application, run epoch) begins every client order id."""

    def __init__(
        self, instruments: Sequence[Instrument], settings: Settings, prefix: str, strategy: Strategy | None = None
    ) -> None:
        params = settings.strategy.params
        self.settings = settings
        self.instruments = tuple(instruments)
        self.memory = Memory(instruments, params, settings.hypothesis, settings.trust)
        self.ledger = RiskLedger(round(settings.risk.equity_usdt * E8))
        self.mode = Mode()
        self.orders = Orders()
        self.gate = Gate(self.memory, settings.risk, settings.trust, settings.execution, prefix, params.stop_pct)
        self.strategy: Strategy = strategy if strategy is not None else Scalper(params)
        clear_after_ns = settings.hypothesis.clear_after_ms * 1_000_000
        self.traders = [Trader(instrument, self.memory, clear_after_ns) for instrument in self.instruments]
        asks = self.strategy.asks
        self._questions = (_TRIGGERS if asks.on_trigger else 0) | (_ASK if asks.every_frame else 0)
        if settings.records.every_snapshot or asks.every_frame:
            for trader in self.traders:
                self.memory.set(trader.index, ask_every_frame=1)
        self.trips = 0
        self.signals = 0
        self.fills = 0
        self.refusals: dict[str, int] = {}
        self._lost: dict[tuple[int, str], str] = {}
        self._actions: list[Action] = []
        self._now_ns = 0
        self._resting: Exposure | None = None
        self.entered: ApprovedOrder | None = None  # an entry on its way out that is not booked yet
        self._equity_check_ns = FAR_NS
        self._pause_until_ns = FAR_NS
        self._ask_ns = FAR_NS  # when the strategy is asked by the clock
        self._steps: dict[type, Callable[..., None]] = {
            Wake: self._wake,
            Timer: self._timer,
            OrderReport: self._report,
            Fill: self._fill,
            Funding: self._funding,
            StreamState: self._stream,
            BookInvalid: self._book_invalid,
            ClockOffset: self._clock,
            Command: self._command,
        }

    # -- the door ---------------------------------------------------------------------------------------------

    def step(self, event: Event) -> list[Action]:
        """Take one fact; returns what is wished for because of it, in order."""
        self._now_ns = event.at_ns
        self._steps[type(event)](event)
        self._resting = self._at_rest()
        actions, self._actions = self._actions, []
        return actions

    def wake(self, at_ns: int, instrument: int, bits: int) -> list[Action]:
        """``step`` for a wake of the compiled pass, the only fact that comes in the middle of a market.

        When it leaves ``entered``, an entry is among the actions, and ``settle`` has to follow once they have left.
        """
        self._now_ns = at_ns
        self._woken(instrument, bits)
        actions, self._actions = self._actions, []
        return actions

    def settle(self) -> list[Action]:
        """Book the entry that has just left, and tell of it: what the order itself must not wait for (8 µs)."""
        self._book_entry()
        actions, self._actions = self._actions, []
        return actions

    @property
    def timer_ns(self) -> int:
        """The earliest deadline the engine asks to be woken at; ``FAR_NS`` when none."""
        return min(
            self._equity_check_ns, self._pause_until_ns, self._ask_ns, *(trader.timer_ns for trader in self.traders)
        )

    # -- market facts -----------------------------------------------------------------------------------------

    def _wake(self, event: Wake) -> None:
        self._woken(event.instrument, event.bits)
        self._book_entry()

    def _woken(self, instrument: int, bits: int) -> None:
        trader = self.traders[instrument]
        view = self.memory.view(instrument)
        if bits & _TRUST:
            if not trader.depth_known:
                self._set_depth_limit(trader, view)
            before = trader.machine.violated(view.get("violated"), self._now_ns)
            if before is not None:
                self._decided(trader, before, view)
        if bits & _ASK and self.settings.records.every_snapshot:
            self._snapshot(trader, view)
        if bits & Bits.EDGE:
            self._actions.append(Resync(self._now_ns, trader.index, EDGE))
        if bits & self._questions:
            self._ask(trader, view, bits)

    def _ask(self, trader: Trader, view: MarketView, bits: int) -> None:
        """Ask the strategy; an exception in it blocks entries and says so."""
        question = View(
            self._now_ns, bits, trader.instrument, view, trader.position.lots, trader.busy, trader.cooldown_until_ns
        )
        try:
            answer = self.strategy.decide(question)
        except Exception as error:
            self._block(Cause.FAULT, f"strategy {self.strategy.name} raised {type(error).__name__}: {error}")
            return
        if answer is None:
            return
        if isinstance(answer, Decline):
            self._signal(trader, view, answer.reason, answer.code)
        elif answer.purpose is Purpose.EXIT:
            if trader.wants_exit(view):
                self._exit(trader, answer.reason)
        else:
            self._enter(trader, view, answer)

    def _plan_asks(self) -> None:
        """The next instant at which the strategy wants to be asked by the clock: bars close at multiples of theirs."""
        asks = self.strategy.asks
        steps = (*asks.bar_ns, asks.every_ns or FAR_NS)
        self._ask_ns = min((self._now_ns // step + 1) * step for step in steps)

    def _ask_by_clock(self) -> None:
        bits = _ASK | (_BAR if any(self._ask_ns % bar_ns == 0 for bar_ns in self.strategy.asks.bar_ns) else 0)
        for trader in self.traders:
            if trader.depth_known:
                self._ask(trader, self.memory.view(trader.index), bits)
                self._book_entry()
        self._plan_asks()

    def _enter(self, trader: Trader, view: MarketView, intent: Intent) -> None:
        """Every signal ends in an order or in a named refusal."""
        held = self.mode.first()
        if held is not None:
            self._signal(trader, view, f"{held[0].value}: {held[1]}", held[0].value)
            return
        now = trader.machine.now
        if now.decision is not Decision.ALLOWED:
            self._signal(trader, view, f"{now.reason.value}: {trader.why(view)}", now.reason.value)
            return
        answer = self.gate.entry(intent, trader.instrument, view, self._exposure(trader), self.ledger, self._now_ns)
        if isinstance(answer, Refusal):
            self._signal(trader, view, answer.reason, f"{answer.control} {answer.code}")
            trader.cooldown_until_ns = self._now_ns + self.settings.strategy.params.cooldown_s * 1_000_000_000
            if answer.halts:
                self._block(Cause.CEILING, answer.detail)
            elif answer.control == "P14":
                self._block(Cause.REPEATED, answer.detail)
            return
        self._actions.append(Submit(self._now_ns, answer))
        self.entered = answer

    def _book_entry(self) -> None:
        """Everything that follows from an entry having been sent."""
        sent = self.entered
        if sent is None:
            return
        self.entered = None
        trader, view = self.traders[sent.instrument], self.memory.view(sent.instrument)
        self.gate.entered(sent, view, self.ledger)
        order = self.orders.add(sent)
        trader.entry_id = sent.client_id
        trader.entry_baseline = (view.get("baseline_lots"), view.get("baseline_count"))
        if sent.time_in_force is TimeInForce.GTX:
            trader.entry_until_ns = self._now_ns + self.settings.strategy.params.bar_s * 1_000_000_000
        trader.move(PositionEvent.ENTRY_SENT)
        self._signal(trader, view, None, "")
        self._note("orders", partial(records.order, self._now_ns, trader.instrument, order, ""))

    def _exit(self, trader: Trader, reason: str) -> None:
        """Send a closing order. An exit is a goal: it stays wanted until the position is flat."""
        lots = trader.position.lots
        if lots == 0 or (trader.state is PositionState.EXITING and trader.retry_ns == FAR_NS):
            return
        trader.exit_reason = trader.exit_reason or reason
        trader.retry_ns = FAR_NS
        approved = self.gate.reduce(trader.index, records.side_of(lots), abs(lots), self._now_ns, self.ledger)
        order = self.orders.add(approved)
        trader.exit_id = approved.client_id
        trader.move(PositionEvent.EXIT_SENT)
        self._actions.append(Submit(self._now_ns, approved))
        self._note("orders", partial(records.order, self._now_ns, trader.instrument, order, trader.exit_reason))

    def _signal(self, trader: Trader, view: MarketView, reason: str | None, code: str) -> None:
        self.signals += 1
        if reason is not None:
            self.refusals[code] = self.refusals.get(code, 0) + 1
        self._note("signals", partial(records.signal, self._now_ns, trader.instrument, view, reason is None, reason))

    def _decided(self, trader: Trader, before: MarketDecision, view: MarketView) -> None:
        """Record a changed market decision, and let exits that were held back fire again."""
        if trader.machine.now.reason is Reason.DATA_CROSSED:
            self._actions.append(Resync(self._now_ns, trader.index, Reason.DATA_CROSSED.value))
        record = trader.decision_records(before, self._now_ns, view)
        if record is not None:
            self._note("decisions", partial(self._measured, record, trader.instrument))
        trigger = f"{trader.machine.now.reason.value}: {trader.why(view)}"
        self._note("state_transitions", records.transition(self._now_ns, trader.machine.now, self.mode.state, trigger))
        if before.decision is Decision.HALTED and trader.state is PositionState.OPEN:
            trader.rearm()

    def _snapshot(self, trader: Trader, view: MarketView) -> None:
        """One decisions record for each evaluated snapshot, for research (``records.every_snapshot``)."""
        if int(self.memory.book(trader.index)["received_ns"]) == self._now_ns:
            now, since = trader.machine.now, trader.machine.since_ns
            duration_ns = self._now_ns - since if since >= 0 else 0
            record = records.decision(self._now_ns, trader.instrument, now, now, trader.why(view), duration_ns, {})
            record["action"] = records.STATE_WORDS[now.decision]
            self._note("decisions", partial(self._measured, record, trader.instrument))

    def _measured(self, record: dict[str, object], instrument: Instrument) -> dict[str, object]:
        """A decisions record with the market's numbers, which nobody waits for."""
        record["metrics"] = features(self.memory, instrument)
        return record

    def _set_depth_limit(self, trader: Trader, view: MarketView) -> None:
        """The depth condition is stated in USDT; it becomes lots at the first known price."""
        mid2 = view.get("mid2")
        if mid2 > 0 and not view.get("violated") & Condition.BOOK:
            trader.depth_known = True
            self._plan_asks()
            lots = depth_limit_lots(trader.instrument, mid2, self.settings.hypothesis.depth_min_usdt)
            self.memory.set(trader.index, depth_limit_lots=lots, depth_lots=lots)

    def _book_invalid(self, event: BookInvalid) -> None:
        """The chain broke: nothing reads the book until the next snapshot."""
        trader = self.traders[event.instrument]
        self.memory.book(event.instrument)["valid"] = 0
        view = self.memory.view(event.instrument)
        violated = view.get("violated") | Condition.BOOK
        self.memory.set(event.instrument, violated=violated)
        before = trader.machine.violated(violated, event.at_ns)
        if before is not None:
            self._decided(trader, before, view)

    def _clock(self, event: ClockOffset) -> None:
        self.memory.clock_offset_ns = event.offset_ns
        uncertain_ms, most_ms = event.uncertainty_ns / 1e6, self.settings.trust.clock_uncertainty_max_ms
        if uncertain_ms > most_ms:
            self._block(Cause.CLOCK, f"clock known to {uncertain_ms:.0f} ms > {most_ms} ms")
        else:
            self._lift(Cause.CLOCK)

    def _stream(self, event: StreamState) -> None:
        key = (event.instrument, event.stream)
        if event.alive:
            self._lost.pop(key, None)
            if not self._lost:
                self._lift(Cause.STREAM)
        else:
            self._lost[key] = event.reason
            self._block(Cause.STREAM, f"{event.stream} of {self.instruments[event.instrument].symbol}: {event.reason}")

    # -- timers -----------------------------------------------------------------------------------------------

    def _timer(self, event: Timer) -> None:
        now = event.at_ns
        for trader in self.traders:
            if now >= trader.machine.relief_ns:
                before = trader.machine.timer(now)
                if before is not None:
                    self._decided(trader, before, self.memory.view(trader.index))
            if now >= trader.retry_ns and trader.position.lots:
                self._exit(trader, "exit_retry")
            if now >= trader.entry_until_ns:  # the signal it rests on is a bar old
                trader.entry_until_ns = now + self.settings.strategy.params.bar_s * 1_000_000_000
                self._cancel_entries(trader)
        if now >= self._ask_ns:
            self._ask_by_clock()
        if now >= self._pause_until_ns:
            self._pause_until_ns = FAR_NS
            self._lift(Cause.STREAK_PAUSE)
        if now >= self._equity_check_ns:
            self._check_losses()

    # -- account facts ----------------------------------------------------------------------------------------

    def _report(self, event: OrderReport) -> None:
        order = self.orders.report(event)
        if order is None:
            return
        trader = self.traders[order.approved.instrument]
        self._note("orders", records.order(self._now_ns, trader.instrument, order, event.reason))
        if not order.alive:
            self._ended(trader, order)

    def _ended(self, trader: Trader, order: Order) -> None:
        """An own order is over and all its fills are heard, whichever of the two came last."""
        purpose = trader.expected(order.approved.client_id)
        if purpose is Purpose.ENTRY:
            self._entry_ended(trader)
        elif purpose is Purpose.EXIT:
            self._exit_ended(trader)
        elif purpose is Purpose.STOP:
            self._stop_ended(trader, order)

    def _entry_ended(self, trader: Trader) -> None:
        trader.entry_id = ""
        trader.entry_until_ns = FAR_NS
        if trader.state not in (PositionState.ENTERING, PositionState.EXITING):
            return
        if trader.position.lots:
            trader.move(PositionEvent.ENTRY_DONE)
            trader.rearm()  # what fired while the entry was on its way found nobody to act
        elif trader.state is PositionState.ENTERING:
            trader.move(PositionEvent.ENTRY_VOID)
            trader.cooldown_until_ns = self._now_ns + self.settings.strategy.params.cooldown_s * 1_000_000_000
        if self.mode.state in (Operating.REDUCING, Operating.HALTED):
            self._exit(trader, "force_exit")

    def _exit_ended(self, trader: Trader) -> None:
        trader.exit_id = ""
        if trader.position.lots and trader.state is PositionState.EXITING:
            trader.move(PositionEvent.EXIT_VOID)
            trader.retry_ns = self._now_ns + EXIT_RETRY_NS

    def _stop_ended(self, trader: Trader, order: Order) -> None:
        """A position whose stop is gone is not kept: refused, expired or part-filled, the rest leaves at once (P25)."""
        trader.stop_id = ""
        if trader.position.lots and trader.state is not PositionState.EXITING:
            self._cancel_entries(trader)
            self._exit(trader, "stoploss_on_exchange" if order.state is OrderState.FILLED else "emergency_exit")

    def _fill(self, event: Fill) -> None:
        order = self.orders.fill(event)
        if order is None and not self.orders.strange(event):
            return
        self.fills += 1
        self._roll(self.equity_e8())
        trader = self.traders[event.instrument]
        fresh = trader.position.lots == 0
        realised, trip = trader.position.apply(event)
        self.ledger.fill(realised, event.fee_e8)
        self._note("fills", partial(records.fill, event, trader.instrument, realised))
        if event.cause:
            trader.exit_reason = event.cause
        if trip is not None:
            self._closed(trader, trip)
        if trader.position.lots:
            if trader.state is PositionState.FLAT:
                trader.move(PositionEvent.ADOPTED)
            self._protect(trader, order, fresh or trip is not None)
        if order is not None and not order.alive:
            self._ended(trader, order)
        self._check_losses()

    def _protect(self, trader: Trader, order: Order | None, fresh: bool) -> None:
        """Arm the exit conditions at each fill of a growing position, and rest the stop at the first."""
        entry = order is not None and order.approved.purpose is Purpose.ENTRY
        if not (fresh or entry or order is None):
            return
        tick = trader.stop_tick(self.settings.strategy.params.stop_pct)
        if not fresh:
            self.memory.set(trader.index, stop_tick=tick)
            return
        trader.arm(tick, self._now_ns)
        lots = order.approved.quantity if order is not None and entry else abs(trader.position.lots)
        approved = self.gate.stop(
            trader.index, records.side_of(trader.position.lots), lots, tick, self._now_ns, self.ledger
        )
        kept = self.orders.add(approved)
        trader.stop_id = approved.client_id
        self._actions.append(Submit(self._now_ns, approved))
        self._note("orders", partial(records.order, self._now_ns, trader.instrument, kept, ""))

    def _closed(self, trader: Trader, trip: RoundTrip) -> None:
        """A round trip is over: record it, clean up, count it."""
        self.trips += 1
        if trader.stop_id and not trader.exit_reason:
            trader.exit_reason = "stoploss_on_exchange"
        self._note("trades", trader.closed(trip, self.trips, self.memory.view(trader.index)))
        trader.disarm()
        trader.move(PositionEvent.CLOSED)
        trader.exit_reason = ""
        trader.retry_ns = FAR_NS
        trader.cooldown_until_ns = self._now_ns + self.settings.strategy.params.cooldown_s * 1_000_000_000
        if trader.stop_id:
            self._cancel(trader.stop_id)
        self._cancel_entries(trader)
        self.ledger.trip(trip.net_e8)
        self._judge_streak()

    def _funding(self, event: Funding) -> None:
        self.ledger.fund(event.amount_e8)
        self.traders[event.instrument].position.fund(event.amount_e8)
        self._check_losses()

    # -- limits over time -------------------------------------------------------------------------------------

    def equity_e8(self) -> int:
        """Wallet plus open profit at the last mid of each instrument."""
        total = self.ledger.wallet_e8
        for trader in self.traders:
            if trader.position.lots:
                total += trader.position.unrealised_e8(self.memory.view(trader.index).get("mid2"))
        return total

    def _at_rest(self) -> Exposure | None:
        """The exposure of an account without positions: worked out when the account has changed, for the next entry."""
        if not self.orders.none_alive or any(trader.position.lots for trader in self.traders):
            return None
        exposure = self._resting
        if exposure is None or exposure.equity_e8 != self.ledger.wallet_e8:
            exposure = Exposure(self.ledger.wallet_e8, 0, 0, 0, 0)
        self.gate.prepare(exposure, self.ledger)
        return exposure

    def _exposure(self, asking: Trader) -> Exposure:
        if self._resting is not None and self.orders.none_alive:
            return self._resting
        value = margin = alive = alive_entries = 0
        for trader in self.traders:
            instrument = trader.instrument
            lots = abs(trader.position.lots)
            price = 0
            for order in self.orders.alive(trader.index):
                alive += order.approved.instrument == asking.index
                if order.approved.purpose is Purpose.ENTRY:
                    alive_entries += order.approved.instrument == asking.index
                    lots += order.remaining
            if lots:
                price = self.memory.view(trader.index).get("mid2") // 2
                worth = instrument.notional_e8(price, lots)
                value += worth
                margin += worth // self.settings.risk.leverage
        return Exposure(self.equity_e8(), value, margin, alive, alive_entries)

    def _check_losses(self) -> None:
        """Block by what the account has lost, open positions included, and plan the next look."""
        equity = self.equity_e8()
        self._roll(equity)
        self.ledger.mark(equity)
        for cause, detail in losses(self.settings.risk, self.ledger, equity):
            self._block(cause, detail)
        if any(trader.position.lots for trader in self.traders):
            self._equity_check_ns = self._now_ns + EQUITY_CHECK_NS
        elif any(cause in self.mode.causes for cause in OF_THE_DAY):
            self._equity_check_ns = (self._now_ns // DAY_NS + 1) * DAY_NS
        else:
            self._equity_check_ns = FAR_NS

    def _roll(self, equity_e8: int) -> None:
        """A new UTC day lifts what the old one had used up."""
        if self.ledger.roll(self._now_ns, equity_e8):
            for cause in OF_THE_DAY:
                self._lift(cause)

    def _judge_streak(self) -> None:
        found = streak(self.settings.risk, self.ledger)
        if found is not None:
            if found[0] is Cause.STREAK_PAUSE:
                self._pause_until_ns = self._now_ns + self.settings.risk.streak_pause_min * MINUTE_NS
            self._block(*found)

    # -- operating state --------------------------------------------------------------------------------------

    def _command(self, event: Command) -> None:
        if event.name == "allow_entries":
            self.ledger.forgive()
            for cause in BY_HAND:
                self._lift(cause)
        elif event.name == "stop_entries":
            self._block(Cause.OPERATOR, f"{event.source}: entries stopped")
        elif event.name == "flatten":
            self._block(Cause.OPERATOR, f"{event.source}: flatten")
            self._leave("force_exit")
        elif event.name == "kill":
            self._block(Cause.KILL, f"{event.source}: kill switch")
        elif event.name == "shutdown":
            self._block(Cause.SHUTDOWN, f"{event.source}: {event.detail or 'shutdown'}")
        elif event.name == "handover":
            self._block(Cause.HANDOVER, f"{event.source}: {event.detail or 'handover'}")
            for trader in self.traders:
                self._cancel_entries(trader)

    def _leave(self, reason: str) -> None:
        """Cancel entries, then close what is open."""
        for trader in self.traders:
            self._cancel_entries(trader)
            if trader.state in (PositionState.OPEN, PositionState.EXITING):
                self._exit(trader, reason)

    def _cancel_entries(self, trader: Trader) -> None:
        for order in self.orders.alive(trader.index, Purpose.ENTRY):
            if not order.state.terminal:
                self._cancel(order.approved.client_id)

    def _cancel(self, client_id: str) -> None:
        self.ledger.message(self._now_ns)
        self._actions.append(Cancel(self._now_ns, client_id))

    def _block(self, cause: Cause, detail: str) -> None:
        before = self.mode.state
        if self.mode.block(cause, detail):
            self._moded(before, f"{cause.value}: {detail}", cause is Cause.FAULT)
            if self.mode.state in (Operating.REDUCING, Operating.HALTED):
                self._leave("force_exit" if cause is Cause.SHUTDOWN else "emergency_exit")

    def _lift(self, cause: Cause) -> None:
        before = self.mode.state
        if self.mode.lift(cause):
            self._moded(before, f"RECOVERED: {cause.value} lifted")

    def _moded(self, before: Operating, trigger: str, always: bool = False) -> None:
        if always or self.mode.state is not before:
            now = self.traders[0].machine.now
            self._note("state_transitions", records.transition(self._now_ns, now, self.mode.state, trigger))

    def finish(self, at_ns: int) -> list[Action]:
        """The closing record of each instrument's present state (conventions §4)."""
        self._now_ns = at_ns
        for trader in self.traders:
            now = trader.machine.now
            view = self.memory.view(trader.index)
            since = trader.machine.since_ns if trader.machine.since_ns >= 0 else at_ns
            record = records.decision(at_ns, trader.instrument, now, now, trader.why(view), at_ns - since, {})
            record["action"] = records.STATE_WORDS[now.decision]
            record["closing"] = True
            self._note("decisions", record)
        actions, self._actions = self._actions, []
        return actions

    def _note(self, file: str, content: dict[str, object] | Callable[[], dict[str, object]]) -> None:
        self._actions.append(Note(self._now_ns, file, content))

    def on_the_way(self) -> bool:
        """Whether an entry or exit order is alive: what it will make of the position is not yet known."""
        moving = (Purpose.ENTRY, Purpose.EXIT)
        return any(self.orders.alive(trader.index, purpose) for trader in self.traders for purpose in moving)

    def unfinished(self) -> bool:
        """Whether a position or an order is still there, a stop without a position too."""
        return not self.orders.none_alive or any(trader.position.lots for trader in self.traders)
