"""The engine: facts in, wishes out. It has no socket, clock, randomness, log or task; time arrives inside facts.

``advance`` takes market rows in bulk (through the venue, which may run its own book beside ours), ``step`` every other
fact. The same facts give the same actions on every machine, for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from config.settings import Settings
from core import records
from core.account import Account
from core.custody import Custody
from core.decision import MarketDecision, PositionState
from core.kernels.state import Condition
from core.kernels.state import Wake as Bits
from core.market.features import features
from core.market.state import MarketView, Memory, depth_limit_lots
from core.outbox import Outbox
from core.risk.brakes import Brakes
from core.risk.gate import Gate
from core.risk.ledger import Entry, RiskLedger
from core.risk.limits import Refusal
from core.risk.mode import Cause
from core.strategies.scalper import Scalper
from core.strategies.strategy import Decline, Strategy, View
from core.trader import Trader
from models.action import EDGE, Action, Remember, Resync
from models.control import Decision, Reason
from models.event import (
    AccountTruth,
    Balance,
    BookInvalid,
    ClockOffset,
    Command,
    Event,
    Fill,
    Funding,
    Inherited,
    MarginCall,
    NotFound,
    OrderReport,
    StreamState,
    Timer,
    Wake,
)
from models.instrument import E8, Instrument
from models.order import ApprovedOrder, Intent, Purpose
from models.rows import FAR_NS

_TRUST, _TRIGGERS, _ASK, _BAR = Bits.TRUST, Bits.EXIT | Bits.ENTRY, Bits.ASK, Bits.BAR


class Engine:
    """All instruments, one account, one strategy. ``prefix`` (application, run epoch) begins every client order id.

    ``custody`` is what every id of this program begins with; given where the venue is a real one, which can lose words.
    """

    def __init__(
        self, instruments: Sequence[Instrument], settings: Settings, prefix: str, strategy: Strategy | None = None,
        *, custody: str = "",
    ) -> None:  # fmt: skip
        params = settings.strategy.params
        self.settings = settings
        self.instruments = tuple(instruments)
        self.memory = Memory(instruments, params, settings.hypothesis, settings.trust)
        self.strategy: Strategy = strategy if strategy is not None else Scalper(params)
        self._out = Outbox()
        clear_after_ns = settings.hypothesis.clear_after_ms * 1_000_000
        self.traders = [Trader(instrument, self.memory, clear_after_ns) for instrument in self.instruments]
        self.ledger = RiskLedger(round(settings.risk.equity_usdt * E8))
        self.gate = Gate(self.memory, settings.risk, settings.trust, settings.execution, prefix, params.stop_pct)
        self.account = Account(self._out, self.memory, self.traders, self.gate, self.ledger, settings)
        self.brakes = Brakes(self._out, settings.risk, self.ledger, self.account.leave, self._moved)
        self.account.brakes = self.brakes
        self.mode, self.orders = self.brakes.mode, self.account.orders
        self.custody: Custody | None = None
        if custody:
            self.custody = Custody(
                self._out, self.account, self.brakes, self.traders, self.memory,
                settings.execution.recv_window_ms * 1_000_000, lambda client_id: client_id.startswith(custody),
            )  # fmt: skip
            self.brakes.block(Cause.STARTING, "the account has not been read yet")
        asks = self.strategy.asks
        self._questions = (_TRIGGERS if asks.on_trigger else 0) | (_ASK if asks.every_frame else 0)
        if settings.records.every_snapshot or asks.every_frame:
            for trader in self.traders:
                self.memory.set(trader.index, ask_every_frame=1)
        self.signals = 0
        self.refusals: dict[str, int] = {}
        self.entered: ApprovedOrder | None = None  # an entry on its way out that is not booked yet
        self._remembered: tuple[int, int, bool] | None = None
        self._begun = False  # what a run before left is taken over, or there is nothing
        self._lost: dict[tuple[int, str], str] = {}
        self._ask_ns = FAR_NS  # when the strategy is asked by the clock
        self._steps: dict[type, Callable[..., None]] = {
            Wake: self._wake,
            Timer: self._timer,
            OrderReport: self._report,
            Fill: self._fill,
            Funding: self.account.funding,
            **self._of_custody(),
            StreamState: self._stream,
            BookInvalid: self._book_invalid,
            ClockOffset: self._clock,
            Command: self._command,
        }

    # -- the door ---------------------------------------------------------------------------------------------

    def step(self, event: Event) -> list[Action]:
        """Take one fact; returns what is wished for because of it, in order."""
        self._out.now_ns = event.at_ns
        self._steps[type(event)](event)
        self.account.rest()
        if self.custody is not None:
            self._remember()
        return self._out.take()

    def wake(self, at_ns: int, instrument: int, bits: int) -> list[Action]:
        """``step`` for a wake of the compiled pass, the only fact that comes in the middle of a market.

        When it leaves ``entered``, an entry is among the actions, and ``settle`` has to follow once they have left.
        """
        self._out.now_ns = at_ns
        self._woken(instrument, bits)
        return self._out.take()

    def settle(self) -> list[Action]:
        """Book the entry that has just left, and tell of it: what the order itself must not wait for."""
        self._book_entry()
        return self._out.take()

    @property
    def timer_ns(self) -> int:
        """The earliest deadline the engine asks to be woken at; ``FAR_NS`` when none."""
        due_ns = min(self.brakes.timer_ns, self._ask_ns, *(trader.timer_ns for trader in self.traders))
        return due_ns if self.custody is None else min(due_ns, self.custody.timer_ns)

    # -- the venue's words ------------------------------------------------------------------------------------

    def _of_custody(self) -> dict[type, Callable[..., None]]:
        """Facts that only a real venue tells."""
        if self.custody is None:
            return {}
        return {
            NotFound: self.custody.not_found,
            AccountTruth: self.custody.truth,
            Balance: self.custody.balance,
            MarginCall: self.custody.margin_call,
            Inherited: self._inherit,
        }

    def _inherit(self, event: Inherited) -> None:
        """Go on where a run before ended; it comes before the first reading of the account."""
        self._begun = True
        self.ledger.inherit(event.survivors, [Entry(*words) for words in event.entries])
        self.account.inherit(event)
        if event.survivors is not None:
            self.brakes.inherit(event.survivors)

    def _remember(self) -> None:
        """Wish that what a restart must not forget be kept, whenever it has changed, before anything leaves: a death
        between the two must not forget it. Before this run has taken over what was left to it, it knows nothing.
        """
        if not self._begun:
            return
        version = (self.ledger.version, self.brakes.version, self.account.holds)
        if version != self._remembered:
            self._remembered = version
            handed_over = Cause.HANDOVER in self.mode.causes and self.account.holds
            lots, fees = self.account.under_way
            survivors = self.brakes.survivors(handed_over)
            survivors = msgspec.structs.replace(survivors, open_lots=lots, open_fees_e8=fees)
            self._out.first(Remember(self._out.now_ns, survivors))

    def _report(self, event: OrderReport) -> None:
        self.account.report(event)
        if self.custody is not None:
            self.custody.report(event)

    def _fill(self, event: Fill) -> None:
        self.account.fill(event)
        if self.custody is not None:
            self.custody.fill(event)

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
            before = trader.machine.violated(view.get("violated"), self._out.now_ns)
            if before is not None:
                self._decided(trader, before, view)
        if bits & _ASK and self.settings.records.every_snapshot:
            self._snapshot(trader, view)
        if bits & Bits.EDGE:
            self._out.add(Resync(self._out.now_ns, trader.index, EDGE))
        if bits & self._questions:
            self._ask(trader, view, bits)

    def _ask(self, trader: Trader, view: MarketView, bits: int) -> None:
        """Ask the strategy; an exception in it blocks entries and says so."""
        question = View(
            self._out.now_ns, bits, trader.instrument, view, trader.position.lots, trader.busy, trader.cooldown_until_ns
        )
        try:
            answer = self.strategy.decide(question)
        except Exception as error:
            self.brakes.block(Cause.FAULT, f"strategy {self.strategy.name} raised {type(error).__name__}: {error}")
            return
        if answer is None:
            return
        if isinstance(answer, Decline):
            self._signal(trader, view, answer.reason, answer.code)
        elif answer.purpose is Purpose.EXIT:
            if trader.wants_exit(view):
                self.account.exit(trader, answer.reason)
        else:
            self._enter(trader, view, answer)

    def _plan_asks(self) -> None:
        """The next instant at which the strategy wants to be asked by the clock: bars close at multiples of theirs."""
        asks = self.strategy.asks
        steps = (*asks.bar_ns, asks.every_ns or FAR_NS)
        self._ask_ns = min((self._out.now_ns // step + 1) * step for step in steps)

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
        exposure, now_ns = self.account.exposure(trader), self._out.now_ns
        answer = self.gate.entry(intent, trader.instrument, view, exposure, self.ledger, now_ns)
        if isinstance(answer, Refusal):
            self._signal(trader, view, answer.reason, f"{answer.control} {answer.code}")
            trader.cooldown_until_ns = self._out.now_ns + self.settings.strategy.params.cooldown_s * 1_000_000_000
            if answer.halts:
                self.brakes.block(Cause.CEILING, answer.detail)
            elif answer.control == "P14":
                self.brakes.block(Cause.REPEATED, answer.detail)
            return
        self._out.submit(answer)
        self.entered = answer

    def _book_entry(self) -> None:
        """Everything that follows from an entry having been sent."""
        sent, self.entered = self.entered, None
        if sent is None:
            return
        trader = self.traders[sent.instrument]
        order = self.account.entered(sent)
        self._signal(trader, self.memory.view(sent.instrument), None, "")
        self._out.note("orders", partial(records.order, self._out.now_ns, trader.instrument, order, ""))

    def _signal(self, trader: Trader, view: MarketView, reason: str | None, code: str) -> None:
        self.signals += 1
        if reason is not None:
            self.refusals[code] = self.refusals.get(code, 0) + 1
        now_ns = self._out.now_ns
        self._out.note("signals", partial(records.signal, now_ns, trader.instrument, view, reason is None, reason))

    def _decided(self, trader: Trader, before: MarketDecision, view: MarketView) -> None:
        """Record a changed market decision, and let exits that were held back fire again."""
        if trader.machine.now.reason is Reason.DATA_CROSSED:
            self._out.add(Resync(self._out.now_ns, trader.index, Reason.DATA_CROSSED.value))
        record = trader.decision_records(before, self._out.now_ns, view)
        if record is not None:
            self._out.note("decisions", partial(self._measured, record, trader.instrument))
        self._moved(f"{trader.machine.now.reason.value}: {trader.why(view)}", trader)
        if before.decision is Decision.HALTED and trader.state is PositionState.OPEN:
            trader.rearm()

    def _snapshot(self, trader: Trader, view: MarketView) -> None:
        """One decisions record for each evaluated snapshot, for research (``records.every_snapshot``)."""
        if int(self.memory.book(trader.index)["received_ns"]) == self._out.now_ns:
            now, since = trader.machine.now, trader.machine.since_ns
            duration_ns = self._out.now_ns - since if since >= 0 else 0
            record = records.decision(self._out.now_ns, trader.instrument, now, now, trader.why(view), duration_ns, {})
            record["action"] = records.STATE_WORDS[now.decision]
            self._out.note("decisions", partial(self._measured, record, trader.instrument))

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
            self.brakes.block(Cause.CLOCK, f"clock known to {uncertain_ms:.0f} ms > {most_ms} ms")
        else:
            self.brakes.lift(Cause.CLOCK)

    def _stream(self, event: StreamState) -> None:
        key = (event.instrument, event.stream)
        if event.alive:
            self._lost.pop(key, None)
            if not self._lost:
                self.brakes.lift(Cause.STREAM)
        else:
            self._lost[key] = event.reason
            self.brakes.block(
                Cause.STREAM, f"{event.stream} of {self.instruments[event.instrument].symbol}: {event.reason}"
            )

    # -- timers -----------------------------------------------------------------------------------------------

    def _timer(self, event: Timer) -> None:
        now = event.at_ns
        for trader in self.traders:
            if now >= trader.machine.relief_ns:
                before = trader.machine.timer(now)
                if before is not None:
                    self._decided(trader, before, self.memory.view(trader.index))
            self.account.timer(trader)
        if now >= self._ask_ns:
            self._ask_by_clock()
        if self.custody is not None:
            self.custody.timer()
        if self.brakes.timer():
            self.account.check_losses()

    # -- operating state --------------------------------------------------------------------------------------

    def _command(self, event: Command) -> None:
        brakes = self.brakes
        if event.name == "start":
            self._begun = True
            if self.custody is not None:
                self.custody.start()
        elif event.name == "allow_entries":
            brakes.lift_by_hand()
        elif event.name == "rearm":
            brakes.rearm(self.account.equity_e8())
        elif event.name == "stop_entries":
            brakes.block(Cause.OPERATOR, f"{event.source}: {event.detail or 'entries stopped'}")
        elif event.name == "flatten":
            brakes.block(Cause.OPERATOR, f"{event.source}: flatten")
            self.account.leave("force_exit")
        elif event.name == "kill":
            brakes.block(Cause.KILL, f"{event.source}: kill switch")
        elif event.name == "shutdown":
            brakes.block(Cause.SHUTDOWN, f"{event.source}: {event.detail or 'shutdown'}")
        elif event.name == "handover":
            brakes.block(Cause.HANDOVER, f"{event.source}: {event.detail or 'handover'}")
            for trader in self.traders:
                self.account.cancel_entries(trader)
        custody, waits = self.custody, event.name in ("flatten", "kill")
        if waits and custody is not None and custody.ready and not self.account.unfinished():
            custody.inspect()  # who gave the word waits until flat was read back; a fill would ask by itself

    def _moved(self, trigger: str, trader: Trader | None = None) -> None:
        """One of the three states changed: data trust and market decision (of ``trader``), operating."""
        now = (trader or self.traders[0]).machine.now
        self._out.note("state_transitions", records.transition(self._out.now_ns, now, self.mode.state, trigger))

    def finish(self, at_ns: int) -> list[Action]:
        """The closing record of each instrument's present state (conventions §4)."""
        self._out.now_ns = at_ns
        for trader in self.traders:
            now = trader.machine.now
            view = self.memory.view(trader.index)
            since = trader.machine.since_ns if trader.machine.since_ns >= 0 else at_ns
            record = records.decision(at_ns, trader.instrument, now, now, trader.why(view), at_ns - since, {})
            record["action"] = records.STATE_WORDS[now.decision]
            record["closing"] = True
            self._out.note("decisions", record)
        return self._out.take()
