"""The recovery invariants of the failure catalogue as predicates over one simulated run.

Three things are watched: the exchange's audit log (what happened), the bot's facts and wishes as its journal takes them
(what it knew and wanted), and the instant at which everything of a moment has been done. Each broken invariant is
reported once for each occasion, with its number in the catalogue. Limits in seconds count from the last moment at which
a fault disturbed the way to the venue.
"""

from __future__ import annotations

from typing import Any

import msgspec

from core.decision import PositionState
from core.execution.orders import Order
from core.risk.mode import BY_HAND, LEVEL, STICKY, Cause
from models.action import Remember, Submit, Wish
from models.control import Operating
from models.event import Event, OrderReport
from models.instrument import E8
from models.order import OrderState, Purpose, Refused
from storage.cold.keeper import kept
from wiring.simulation.bot import HOST, Bot, Watch
from wiring.simulation.faults import Trouble
from wiring.simulation.truth import Truth

BARE_S, VERDICT_S, ORPHAN_S, EXIT_S, RECOVER_S = 3.0, 10.0, 2.0, 10.0, 60.0
GRACE_S = 0.5  # a way there and back in the slowest usual network, and the grid of the bot's own watch
SETTLED_S = 15.0  # after so long without a change the account has been read again: every 10 s, and the reading itself
TASKS_MAX, CHANNELS_MAX, ORDERS_MAX = 80, 24, 300
CONNECTS_MAX = 150  # in five minutes; the venue bans at 300
REPORTS_MAX = 5  # of one invariant in one run

NAMES = {
    1: "venue truth", 2: "at most once", 3: "intent before wire", 4: "verdict", 5: "protected", 6: "no orphans",
    7: "never flips", 8: "prefix", 9: "replay = live", 10: "idempotence", 11: "money adds up", 12: "limits hold",
    13: "sticky halts", 14: "no blind trading", 15: "one trader", 16: "bounded", 17: "liveness", 18: "exit liveness",
    19: "commands", 20: "independence", 21: "secrecy", 22: "modes", 23: "time", 24: "restart speed",
}  # fmt: skip
FALSE_ABSENCE = "false not placed"


class Violation(msgspec.Struct, frozen=True):
    invariant: int
    at_s: float
    text: str

    @property
    def name(self) -> str:
        return NAMES[self.invariant]


class Invariants(Watch):
    """See the module. ``now_s`` counts from the start of the run; ``over`` is the time at which faults have ended."""

    def __init__(self, truth: Truth, trouble: Trouble, clock: Any) -> None:
        self.truth, self.trouble = truth, trouble
        self.violations: list[Violation] = []
        self.tuples: set[tuple[str, ...]] = set()
        self.entries = self.intents = 0
        self.bare_worst_s = 0.0  # longest time without protection, disturbed or not
        self.restarts_s: list[float] = []
        self.bot: Bot | None = None
        self._clock = clock
        self._counts: dict[int, int] = {}
        self._journaled: dict[str, Submit] = {}
        self._absent: set[str] = set()
        self._bare_s: float | None = None
        self._told: dict[str, Any] = {}  # what has been reported and still stands
        self._since: dict[str, float] = {}
        self._opened: list[tuple[float, int]] = []
        self._start_e8 = 0
        self._dirty = True
        self._look_s = 0.0

    # -- telling ---------------------------------------------------------------------------------------------------

    @property
    def now_s(self) -> float:
        return float(self._clock.now_s)

    def broken(self, invariant: int, text: str) -> None:
        count = self._counts[invariant] = self._counts.get(invariant, 0) + 1
        if count <= REPORTS_MAX:
            self.violations.append(Violation(invariant, round(self.now_s - 1000.0, 3), text))

    def _lasting(self, key: str, stands: bool, limit_s: float, invariant: int, text: str) -> None:
        """Report something that lasts longer than it may, once."""
        if not stands:
            self._since.pop(key, None)
            self._told.pop(key, None)
            return
        since_s = self._since.setdefault(key, self.now_s)
        if key not in self._told and self.now_s - max(since_s, self.trouble.until_s) > limit_s + GRACE_S:
            self._told[key] = True
            self.broken(invariant, f"{text}, for {self.now_s - since_s:.1f} s")

    # -- the exchange's log ----------------------------------------------------------------------------------------

    def audit(self, record: dict[str, Any]) -> None:
        truth, kind = self.truth, record["kind"]
        before_e8 = truth.position_e8
        truth.take(record, self.now_s)
        self._dirty = True
        if kind == "order" or (kind == "algo" and record["status"] == "NEW"):
            self._taken(record, before_e8)
        elif kind == "fill":
            self._filled(record, before_e8)
        elif kind == "position":
            self._position(record)
        if kind in ("fill", "funding", "transfer", "insurance") and truth.wallet_e8 != truth.booked_e8:
            self.broken(11, f"the venue's wallet {truth.wallet_e8} is not the sum of its bookings {truth.booked_e8}")

    def _taken(self, record: dict[str, Any], before_e8: int) -> None:
        """The venue took an order."""
        client_id, truth = record["client_id"], self.truth
        purpose = truth.purpose(client_id)
        if not purpose:
            return
        if client_id not in self._journaled:
            self.broken(3, f"the venue took {client_id}, and no journal has it")
        if record["kind"] == "order" and record["algo_id"]:
            return
        if record["kind"] == "order" and truth.accepted.get(client_id, 0) > 1:
            self.broken(2, f"the venue took {client_id} {truth.accepted[client_id]} times")
        if client_id in self._absent:
            self.broken(4, f"{FALSE_ABSENCE}: {client_id} was said never to have been placed, and was taken")
        if purpose == Purpose.ENTRY.value:
            self.entries += 1
            self._entry(record, before_e8)

    def _entry(self, record: dict[str, Any], before_e8: int) -> None:
        truth, client_id = self.truth, record["client_id"]
        others = [
            one.client_id
            for one in truth.orders.values()
            if truth.purpose(one.client_id) == Purpose.ENTRY.value and one.client_id != client_id
        ]
        if others or (before_e8 and self.now_s - truth.foreign_s > VERDICT_S):
            self.broken(2, f"the venue took the entry {client_id} beside {others or before_e8 / E8}")
        engine = None if self.bot is None else self.bot.engine
        if engine is not None and self.bot is not None and not self.bot.dead.is_set():
            one, risk = engine.instruments[0], engine.settings.risk
            lots = to_lots(abs(before_e8) + sum(o.quantity_e8 for o in truth.orders.values() if not o.reduce_only), one)
            price = int(engine.memory.book(0)["best_ask"])
            limit = risk.position_value_max_equity * max(engine.account.equity_e8(), engine.ledger.start_e8) * 1.02
            foreign = self.now_s - truth.foreign_s <= VERDICT_S
            if price > 0 and one.notional_e8(price, lots) > limit and not foreign and price < 1 << 40:
                self.broken(12, f"{lots} lots filled and resting are worth more than P03 allows")

    def _filled(self, record: dict[str, Any], before_e8: int) -> None:
        client_id, after_e8 = record["client_id"], self.truth.position_e8
        purpose = self.truth.purpose(client_id)
        if purpose in (Purpose.EXIT.value, Purpose.STOP.value) and (
            abs(after_e8) > abs(before_e8) or after_e8 * before_e8 < 0
        ):
            self.broken(7, f"{client_id} took the position from {before_e8 / E8} to {after_e8 / E8}")

    def _position(self, record: dict[str, Any]) -> None:
        told = record["quantity"]
        if round(float(told) * E8) != self.truth.position_e8:
            self.broken(1, f"the venue holds {told}, its fills make {self.truth.position_e8 / E8}")

    # -- the bot's journal -----------------------------------------------------------------------------------------

    def action(self, bot: Bot, action: Wish | Remember) -> None:
        if isinstance(action, Submit):
            order = action.order
            self._journaled[order.client_id] = action
            if order.purpose is Purpose.ENTRY:
                self.intents += 1
                self._blind(bot, order.client_id)

    def event(self, bot: Bot, event: Event) -> None:
        self._dirty = True
        if isinstance(event, OrderReport) and event.state is OrderState.REJECTED:
            self.rejected(event.client_id, event.reason)

    def rejected(self, client_id: str, reason: str) -> None:
        """The bot believes that an order never was."""
        if Refused.NOT_PLACED.within(reason):
            self._absent.add(client_id)
            if client_id in self.truth.known:
                self.broken(4, f"{FALSE_ABSENCE}: {client_id} ({reason})")

    def _blind(self, bot: Bot, client_id: str) -> None:
        """An entry is about to leave: everything it rests on must be known."""
        engine = bot.engine
        if engine is None or engine.custody is None:
            return
        book = engine.memory.book(0)
        unknown = [one for one in engine.orders.all_alive() if one.state is OrderState.UNKNOWN]
        age_s = (bot.clock.now_ns() - int(book["received_ns"])) / 1e9
        why = []
        if not engine.custody.ready:
            why.append("an unread account")
        if unknown:
            why.append(f"{unknown[0].approved.client_id} unknown")
        if not book["valid"] or age_s > 1.0:
            why.append(f"a book {age_s:.1f} s old, valid {book['valid']}")
        if engine.mode.state is not Operating.NORMAL:
            why.append(f"state {engine.mode.state.value}")
        if why:
            self.broken(14, f"{client_id} left with {', '.join(why)}")

    # -- the instant is over ---------------------------------------------------------------------------------------

    def settled(self) -> None:
        """Everything of this instant has been done."""
        now_s = self.now_s
        if not self._dirty and now_s < self._look_s:
            return
        self._dirty, self._look_s = False, now_s + 0.25
        self._protected()
        bot = self.bot
        if bot is None or bot.dead.is_set() or bot.parts is None or bot.engine is None:
            return
        self._verdicts(bot)
        self._orphans(bot)
        self._agrees(bot)
        self._exits(bot)
        self._bounded(bot)
        self._reached(bot)
        if bot.ready_s < 0 and bot.engine.custody is not None and bot.engine.custody.ready:
            bot.ready_s = now_s
            self.restarts_s.append(now_s - bot.began_s)
            self._sticky(bot)

    def _protected(self) -> None:
        truth, now_s, bot = self.truth, self.now_s, self.bot
        bare = truth.position_e8 != 0 and not truth.covered and not truth.leaving
        if not bare:
            if self._bare_s is not None:
                self.bare_worst_s = max(self.bare_worst_s, now_s - self._bare_s)
            self._bare_s = None
        elif self._bare_s is None:
            self._bare_s = now_s
        if bot is None or bot.dead.is_set() or (bot.ready_s < 0):
            self._since.pop("bare", None)
            return
        self._lasting("bare", bare, BARE_S, 5, f"{truth.position_e8 / E8} held without a stop or an exit")

    def _verdicts(self, bot: Bot) -> None:
        engine = bot.engine
        assert engine is not None
        open_ids = set()
        for order in engine.orders.all_alive():
            if order.state in (OrderState.SUBMITTED, OrderState.UNKNOWN):
                name = order.approved.client_id
                open_ids.add(name)
                self._lasting(f"verdict {name}", True, VERDICT_S, 4, f"{name} is {order.state.value}")
        for key in [key for key in self._since if key.startswith("verdict ") and key[8:] not in open_ids]:
            self._lasting(key, False, 0, 4, "")

    def _orphans(self, bot: Bot) -> None:
        truth, engine = self.truth, bot.engine
        assert engine is not None
        own = [one.client_id for one in (*truth.orders.values(), *truth.stops.values()) if truth.purpose(one.client_id)]
        idle = truth.position_e8 == 0 and not engine.account.on_the_way() and bot.ready_s >= 0
        self._lasting("orphan", bool(own) and idle, ORPHAN_S, 6, f"{own} stand without a position")

    def _agrees(self, bot: Bot) -> None:
        """Position and money, whenever nothing has moved for a while."""
        truth, engine = self.truth, bot.engine
        assert engine is not None
        quiet = self.now_s - max(truth.changed_s, self.trouble.until_s) > SETTLED_S and bot.ready_s >= 0
        quiet = quiet and self.now_s - bot.ready_s > SETTLED_S
        held = engine.traders[0].position.lots
        lots = to_lots(truth.position_e8, engine.instruments[0])
        self._once("position", quiet and held != lots, 1, f"{held} lots here, {lots} at the venue")
        stops = sum(one.approved.purpose is Purpose.STOP for one in engine.orders.all_alive())
        there = sum(bool(truth.purpose(one.client_id)) for one in truth.stops.values())
        self._once("stops", quiet and stops != there, 1, f"{stops} stops here, {there} at the venue")
        gap_e8, causes = (
            engine.ledger.wallet_e8 - truth.wallet_e8,
            engine.mode.causes,
        )  # P28: said and held back is seen
        self._once(
            "money",
            quiet and gap_e8 != 0 and Cause.MONEY not in causes,
            11,
            f"the books are {gap_e8 / E8:+.8f} USDT beside the wallet",
        )

    def _once(self, key: str, stands: bool, invariant: int, text: str) -> None:
        if stands and key not in self._told:
            self._told[key] = True
            self.broken(invariant, text)
        elif not stands:
            self._told.pop(key, None)

    def _exits(self, bot: Bot) -> None:
        engine = bot.engine
        assert engine is not None
        trader = engine.traders[0]
        wanted = trader.state is PositionState.EXITING and trader.position.lots != 0
        self._lasting("exit", wanted, EXIT_S, 18, f"an exit of {trader.position.lots} lots is wanted")

    def _bounded(self, bot: Bot) -> None:
        engine, network = bot.engine, bot.network
        assert engine is not None
        tasks = sum(not task.done() for task in bot.tasks)
        sizes = {"tasks": (tasks, TASKS_MAX), "connections": (len(network.channels), CHANNELS_MAX),
                 "orders": (len(engine.orders._orders), ORDERS_MAX)}  # fmt: skip
        for name, (size, most) in sizes.items():
            self._once(f"{name} bound", size > most, 16, f"{size} {name}")
        if not self._opened or self.now_s - self._opened[-1][0] >= 10.0:
            self._opened = [one for one in self._opened if one[0] > self.now_s - 300.0]
            before = self._opened[0][1] if self._opened and self._opened[0][1] <= network.opened else 0
            self._opened.append((self.now_s, network.opened))
            self._once(
                "connects", network.opened - before > CONNECTS_MAX, 16, f"{network.opened - before} connects in 300 s"
            )

    def _reached(self, bot: Bot) -> None:
        """Which combination of states this is."""
        engine = bot.engine
        assert engine is not None
        trader = engine.traders[0]
        words: dict[Purpose, str] = dict.fromkeys(Purpose, "none")
        for order in engine.orders.all_alive():
            words[order.approved.purpose] = _word(order)
        side = "long" if trader.position.lots > 0 else "short" if trader.position.lots else "flat"
        lost = sorted({name for _, name in engine._lost})
        lines = "lines" if bot.network.of_door("http") else "no line"
        self.tuples.add((
            words[Purpose.ENTRY], words[Purpose.EXIT], f"{trader.state.value} {side}", words[Purpose.STOP],
            ",".join(lost) or "all", lines,
        ))  # fmt: skip

    # -- restarts and the end --------------------------------------------------------------------------------------

    def restarted(self, bot: Bot, path: Any) -> bool:
        """A killed process has left a journal: it must be readable, and say nothing that was not so."""
        try:
            contents = [content for _, content in kept(path)]
        except Exception as error:  # whatever a reader raises, the journal it left is not readable
            self.broken(8, f"the journal of {bot.name} cannot be read: {error}")
            return False
        self._left = next((one.survivors for one in reversed(contents) if isinstance(one, Remember)), None)
        return True

    _left: Any = None

    def _sticky(self, bot: Bot) -> None:
        left, engine = self._left, bot.engine
        self._left = None
        if left is None or engine is None:
            return
        gone = [name for name in left.causes if Cause(name) in STICKY and Cause(name) not in engine.mode.causes]
        if gone:
            self.broken(13, f"{', '.join(gone)} did not survive the restart")

    def ended(self, bot: Bot | None, secret: str) -> None:
        """The run is over, its last minutes without faults."""
        if bot is None or bot.engine is None or bot.ready_s < 0:
            self.broken(17, "no bot was running at the end")
            return
        stuck = [
            f"{cause.value} ({detail})"
            for cause, detail in bot.engine.mode.causes.items()
            if cause not in STICKY and cause not in BY_HAND and LEVEL[cause] is not Operating.HALTED
            and cause not in (Cause.STREAK_PAUSE, Cause.REJECTIONS, Cause.DAILY_LOSS_SOFT, Cause.FEE_BUDGET)
        ]  # fmt: skip
        if stuck:
            self.broken(17, f"{', '.join(stuck)} at the end")
        if secret.encode() in bot.journal.data:
            self.broken(21, "the journal holds the secret")
        if any(host != HOST for host in bot.network.hosts):
            self.broken(22, f"connections to {sorted(bot.network.hosts)}")


def _word(order: Order) -> str:
    return order.state.value + (" cancelling" if order.cancelled_ns < 1 << 62 else "")


def to_lots(quantity_e8: int, instrument: Any) -> int:
    return int(quantity_e8 // instrument.lot_e8 if quantity_e8 >= 0 else -(-quantity_e8 // instrument.lot_e8))
