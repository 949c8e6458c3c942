"""One instrument's part of the engine: its market decision, its position, its orders on the way."""

from __future__ import annotations

from core import records
from core.decision import DecisionMachine, MarketDecision, PositionEvent, PositionState, next_position
from core.execution.position import Position, RoundTrip
from core.kernels.state import Exit
from core.market.state import MarketView, Memory
from models.control import Decision, Reason
from models.instrument import Instrument
from models.order import Purpose
from models.rows import FAR_NS

EXIT_RETRY_NS = 200_000_000  # an exit that did not close is sent again after this, for as long as it takes (F19)


class Trader:
    """State of one instrument that is not in the compiled memory. It decides nothing about limits."""

    def __init__(self, instrument: Instrument, memory: Memory, clear_after_ns: int) -> None:
        self.instrument = instrument
        self.index = instrument.index
        self._memory = memory
        self.machine = DecisionMachine(clear_after_ns)
        self.position = Position(instrument)
        self.state = PositionState.FLAT
        self.cooldown_until_ns = -1
        self.exit_reason = ""
        self.exit_since_ns = FAR_NS  # since when the position is to be closed
        self.exit_refusals = 0
        self.retry_ns = FAR_NS  # when a failed exit is tried again
        self.entry_until_ns = FAR_NS  # when a resting entry is taken back
        self.leaving = False  # somebody wanted to be flat while an entry was on its way: what it fills is closed
        self.entry_id = ""
        self.exit_id = ""
        self.stop_id = ""
        self.entry_baseline = (0, 0)
        self.depth_known = False

    def move(self, event: PositionEvent) -> None:
        self.state = next_position(self.state, event)

    @property
    def timer_ns(self) -> int:
        return min(self.machine.relief_ns, self.retry_ns, self.entry_until_ns)

    @property
    def busy(self) -> bool:
        return self.state in (PositionState.ENTERING, PositionState.EXITING)

    @property
    def protective_only(self) -> bool:
        return self.machine.now.decision is Decision.HALTED

    def arm(self, stop_tick: int, at_ns: int) -> None:
        """Hand the position to the compiled exit conditions."""
        self._memory.set(
            self.index,
            position_side=self.position.side,
            opened_ns=at_ns,
            entry_baseline_lots=self.entry_baseline[0],
            entry_baseline_count=self.entry_baseline[1],
            stop_tick=stop_tick,
            reversal_since_ns=-1,
            exit_bits=0,
            worst_mid2=0,
            best_mid2=0,
        )

    def rearm(self) -> None:
        """Let exit conditions that fired while nothing could be done fire again."""
        self._memory.set(self.index, exit_bits=0)

    def disarm(self) -> None:
        self._memory.set(self.index, position_side=0, stop_tick=0, exit_bits=0, reversal_since_ns=-1)

    def stop_tick(self, stop_pct: float) -> int:
        """The stop price in ticks, ``stop_pct`` of the average entry away, rounded towards the entry."""
        average2 = 2 * self.position.cost // self.position.lots
        distance2 = int(average2 * stop_pct) // 100
        if self.position.lots > 0:
            return -((distance2 - average2) // 2)
        return (average2 + distance2) // 2

    def wants_exit(self, view: MarketView) -> bool:
        """Whether a fired exit condition may act now: HALTED lets only the stop through."""
        if self.state is not PositionState.OPEN:
            return False
        return not self.protective_only or bool(view.get("exit_bits") & Exit.STOP)

    def decision_records(self, before: MarketDecision, at_ns: int, view: MarketView) -> dict[str, object] | None:
        """The decisions record of a change, still without metrics, when action or reason changed."""
        after = self.machine.now
        since = self.machine.since_ns
        self.machine.since_ns = at_ns
        if (before.decision, before.reason) == (after.decision, after.reason):
            return None
        return records.decision(at_ns, self.instrument, before, after, self.why(view), at_ns - since, {})

    def why(self, view: MarketView) -> str:
        """The numbers behind the reason of the present state."""
        reason = self.machine.now.reason
        book = self._memory.book(self.index)
        bid, ask = int(book["best_bid"]), int(book["best_ask"])
        if reason is Reason.SPREAD_WIDE:
            limit = view.get("spread_limit_num") / view.get("spread_limit_den")
            return f"{(ask - bid) * 20_000 / (ask + bid):.2f} bps > {limit:g} bps"
        if reason is Reason.DEPTH_THIN:
            return f"{view.get('depth_lots')} lots in {view.get('depth_bps')} bps < {view.get('depth_limit_lots')} lots"
        if reason is Reason.LIQ_CASCADE:
            window = view.get("cascade_window_ns") // 1_000_000_000
            return f"{view.get('liquidation_recent')} events/{window} s > {view.get('cascade_count')}"
        if reason is Reason.IMBALANCE:
            value = records.rounded(records.panel_of(view).imbalance.value)
            return f"{value} beyond {view.get('imbalance_limit_ppm') / 1e6:g}"
        if reason is Reason.DATA_STALE:
            return f"no depth for more than {view.get('stale_ns') // 1_000_000} ms"
        if reason is Reason.DATA_CROSSED:
            return f"bid {bid} >= ask {ask} ticks"
        if reason is Reason.DATA_GAP:
            return "the book is not in sequence"
        return "no condition is violated"

    def closed(self, trip: RoundTrip, number: int, view: MarketView) -> dict[str, object]:
        """The trades record of a round trip that has just closed."""
        worst2, best2 = view.get("worst_mid2"), view.get("best_mid2")
        return records.trade(number, trip, self.instrument, self.exit_reason or "external", worst2, best2)

    def expected(self, client_id: str) -> Purpose | None:
        """What an own order of this instrument is for, by its id."""
        for kept, purpose in (
            (self.entry_id, Purpose.ENTRY),
            (self.exit_id, Purpose.EXIT),
            (self.stop_id, Purpose.STOP),
        ):
            if kept and kept == client_id:
                return purpose
        return None
