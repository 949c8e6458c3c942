"""What tests of the core around the kernels share: one contract, the shipped profiles, and a desk that plays the venue.

``Desk`` holds an engine and a clock. It feeds market frames through the compiled pass, says the venue's words by hand
and keeps every wish, so that a test reads as a conversation.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from config.load import load
from config.settings import Settings
from core.engine import Engine
from core.kernels.engine import advance
from core.kernels.kernel import address_of
from core.kernels.state import Ready
from core.kernels.state import Wake as Bits
from core.strategies.strategy import Strategy
from models.action import Action, Cancel, Note, Submit
from models.event import Command, Event, Fill, OrderReport, Timer, Wake
from models.instrument import Instrument
from models.order import ApprovedOrder, OrderState, Purpose, Side
from models.rows import ASK, BID, FAR_NS
from tests.builders import MS, SECOND, START_NS, Frames, Level
from tests.contract import INSTRUMENT, MID

UNIT_E8 = INSTRUMENT.unit_e8  # one tick of one lot: 0.0001 USDT
PREFIX = "scabcdefgh"


@functools.cache
def settings(profile: str = "owner", *overrides: str) -> Settings:
    """The shipped settings of a risk profile, with ``section.key=value`` on top."""
    wanted = [f"risk.profile={profile}", *overrides]
    return load(environment={}, overrides=wanted, folder=Path(__file__).parent).settings


def ladder(mid: int = MID, lots: int = 1_000, levels: int = 40) -> list[Level]:
    """A book around ``mid``: best bid one tick below, best ask one tick above, ``lots`` on every tick."""
    return [(BID, mid - 1 - n, lots) for n in range(levels)] + [(ASK, mid + 1 + n, lots) for n in range(levels)]


class Desk:
    """An engine, its clock, and the venue's part of the conversation."""

    def __init__(
        self,
        wanted: Settings | None = None,
        instruments: Sequence[Instrument] = (INSTRUMENT,),
        strategy: Strategy | None = None,
        at_ns: int = START_NS,
        *,
        custody: bool = False,
    ) -> None:
        family = PREFIX[:2] if custody else ""
        self.engine = Engine(instruments, wanted or settings(), PREFIX, strategy, custody=family)
        self.now_ns = at_ns
        self.log: list[Action] = []
        self.trades = 0
        self.update_id = 0

    # -- time and facts ---------------------------------------------------------------------------------------

    def wait(self, milliseconds: int) -> Desk:
        """Let time pass without a fact."""
        self.now_ns += milliseconds * MS
        return self

    def step(self, event: Event) -> list[Action]:
        """One fact; its wishes. Records are written at once, as a session does before the next fact."""
        actions = self.engine.step(event)
        for action in actions:
            if isinstance(action, Note):
                assert action.record
        self.log += actions
        return actions

    def timer(self) -> list[Action]:
        """The clock goes to the engine's next deadline."""
        assert self.engine.timer_ns < FAR_NS, "the engine waits for nothing"
        self.now_ns = max(self.now_ns, self.engine.timer_ns)
        return self.step(Timer(self.engine.timer_ns))

    def timers(self, seconds: int) -> None:
        """Every deadline of the next ``seconds``."""
        end_ns = self.now_ns + seconds * SECOND
        for _ in range(100 * seconds):
            if self.engine.timer_ns > end_ns:
                break
            self.timer()
        assert self.engine.timer_ns > end_ns, "a deadline that has passed is asked for again and again"
        self.now_ns = end_ns

    def next_order(self) -> ApprovedOrder:
        """The order that one of the next deadlines sends."""
        for _ in range(10):
            if orders := orders_of(self.timer()):
                return orders[0]
        raise AssertionError("ten deadlines passed without an order")

    def command(self, name: str) -> list[Action]:
        """An operator's word."""
        return self.step(Command(self.now_ns, name, "test"))

    # -- the market -------------------------------------------------------------------------------------------

    def hear(self, frames: Frames) -> list[Action]:
        """Frames through the compiled pass; every wake becomes a fact."""
        rows, memory, actions, at = frames.rows(), self.engine.memory, [], 0
        while at < len(rows):
            answer = advance(memory.address, address_of(rows), at, len(rows))
            at = answer >> 8
            if answer & 0xFF:
                self.now_ns = memory.now_ns
                actions += self.step(Wake(memory.now_ns, memory.wake_instrument, answer & 0xFF, memory.frame))
        self.now_ns = max(self.now_ns, memory.now_ns)
        return actions

    def book(self, levels: Sequence[Level] | None = None, instrument: int = 0) -> list[Action]:
        """A full book, now."""
        self.update_id += 1
        frames = Frames().snapshot(self.now_ns, levels or ladder(), update_id=self.update_id, instrument=instrument)
        return self.hear(frames)

    def wake(self, bits: int, instrument: int = 0) -> list[Action]:
        """The compiled pass stopped for ``bits``."""
        return self.step(Wake(self.now_ns, instrument, bits, self.engine.memory.frame))

    def signal(self, side: Side = Side.BUY, instrument: int = 0) -> list[Action]:
        """The entry conditions meet on ``side``, windows full."""
        sign = side.sign
        self.engine.memory.set(instrument, ready=Ready.ALL, entry_side=sign, momentum=9_000 * sign)
        return self.wake(Bits.ENTRY, instrument)

    def exit_fires(self, bit: int, instrument: int = 0) -> list[Action]:
        """A compiled exit condition fires."""
        bits = self.engine.memory.view(instrument).get("exit_bits")
        self.engine.memory.set(instrument, exit_bits=bits | bit)
        return self.wake(Bits.EXIT, instrument)

    # -- the venue's words ------------------------------------------------------------------------------------

    def report(self, order: ApprovedOrder, state: OrderState, filled: int = 0, reason: str = "") -> list[Action]:
        """A word on an order."""
        return self.step(OrderReport(self.now_ns, order.client_id, 7, state, filled, self.now_ns, reason))

    def fill(
        self,
        order: ApprovedOrder,
        price: int = MID,
        lots: int | None = None,
        fee_e8: int = 0,
        cause: str = "",
        venue_ns: int | None = None,
    ) -> list[Action]:
        """An execution of ``lots``, of the whole order when not told, under a new trade id; now, when not told."""
        self.trades += 1
        quantity = order.quantity if lots is None else lots
        fill = Fill(
            self.now_ns, order.client_id, self.trades, order.instrument, order.side, price, quantity, fee_e8, False,
            self.now_ns if venue_ns is None else venue_ns, cause,
        )  # fmt: skip
        return self.step(fill)

    def open(
        self, side: Side = Side.BUY, price: int = MID, lots: int | None = None, fee_e8: int = 0, instrument: int = 0
    ) -> ApprovedOrder:
        """A fresh book, a signal, and its entry filled with ``lots`` (the rest expires)."""
        self.book(instrument=instrument)
        entry = self.sent(self.signal(side, instrument))
        filled = entry.quantity if lots is None else lots
        self.report(entry, OrderState.ACCEPTED)
        self.fill(entry, price, filled, fee_e8)
        self.report(entry, OrderState.FILLED if filled == entry.quantity else OrderState.EXPIRED, filled)
        return entry

    def close(self, price: int = MID, fee_e8: int = 0, bit: int = 2, instrument: int = 0) -> ApprovedOrder:
        """An exit condition fires, its order fills, and the stop is cancelled."""
        order = self.sent(self.exit_fires(bit, instrument))
        self.report(order, OrderState.ACCEPTED)
        wishes = self.fill(order, price, fee_e8=fee_e8)
        self.report(order, OrderState.FILLED, order.quantity)
        self.confirm(wishes)
        return order

    def confirm(self, wishes: Sequence[Action]) -> None:
        """The venue cancels what ``wishes`` ask it to cancel."""
        for client_id in cancels(wishes):
            self.step(OrderReport(self.now_ns, client_id, 8, OrderState.CANCELED, 0, self.now_ns))

    def trip(self, price: int, fee_e8: int = 0, lots: int = 1) -> None:
        """A long round trip from the mid to ``price``, and the cooldown after it."""
        self.open(lots=lots)
        self.close(price, fee_e8)
        self.wait(1_000 * self.engine.settings.strategy.params.cooldown_s)

    # -- what was wished --------------------------------------------------------------------------------------

    @staticmethod
    def sent(actions: Sequence[Action], purpose: Purpose | None = None) -> ApprovedOrder:
        """The one order that ``actions`` submit."""
        orders = orders_of(actions, purpose)
        assert len(orders) == 1, actions
        return orders[0]

    def reasons(self) -> list[object]:
        """The ``reject_reason`` of every signal so far; None for those that became an order."""
        return [record["reject_reason"] for record in notes(self.log, "signals")]


def orders_of(actions: Sequence[Action], purpose: Purpose | None = None) -> list[ApprovedOrder]:
    """Orders submitted, of one purpose or of all."""
    orders = [action.order for action in actions if isinstance(action, Submit)]
    return [order for order in orders if purpose is None or order.purpose is purpose]


def cancels(actions: Sequence[Action]) -> list[str]:
    """Client ids of orders to cancel."""
    return [action.client_id for action in actions if isinstance(action, Cancel)]


def notes(actions: Sequence[Action], file: str) -> list[dict[str, object]]:
    """Records for one file."""
    return [action.record for action in actions if isinstance(action, Note) and action.file == file]
