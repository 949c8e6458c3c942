"""Custody: what a venue that can lose words asks for beside orders and fills.

Proof for every order (P18), a stop for every position (P25), the venue's truth about what we hold (P28, P29, P31).
It asks (``Query``, ``Inspect``) and judges the answers; it never guesses. Until the account has been read once and
everything found is adopted and protected, entries stay blocked (recovery and ordinary start are one path).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from core.account import Account
from core.decision import PositionState
from core.execution.orders import Order
from core.execution.verdicts import Verdicts
from core.market.state import Memory
from core.outbox import Outbox
from core.risk.brakes import Brakes
from core.risk.mode import Cause
from core.trader import Trader
from models.action import Inspect, Query
from models.event import AccountTruth, Balance, Fill, Held, MarginCall, NotFound, OrderReport, Standing
from models.instrument import E8
from models.order import OrderState, Purpose, Refused
from models.rows import FAR_NS

MS = 1_000_000
SECOND_NS = 1_000 * MS
WATCH_NS = 100 * MS  # how often deadlines are looked at while something is open
INSPECT_NS = 10 * SECOND_NS  # P29: open orders and position
AGAIN_NS = 300 * MS  # a difference is confirmed by a second reading so much later
UNREAD_NS = 5 * SECOND_NS  # a reading without an answer is asked for again …
BLIND_NS = 30 * SECOND_NS  # … and an account nobody could read for so long blocks entries
SILENCE_NS = 2 * SECOND_NS  # F39: an order without any word is asked for
EXIT_SILENCE_NS = SECOND_NS  # an exit without any word is sent again: it can only reduce
CANCEL_NS = 500 * MS  # a cancel without effect is sent again
BARE_NS = 3 * SECOND_NS  # P25: a position without a stop is closed after this
EXIT_LATE_NS = 2 * SECOND_NS  # F19: an exit that takes so long is told
UNKNOWN_NS = 60 * SECOND_NS  # P18
HOUR_NS = 3_600 * SECOND_NS
SETTLED_NS = 500 * MS  # a reading judges only what nobody touched for so long before it
LOST_STOPS_MAX, LOST_STOPS_NS = 2, 600 * SECOND_NS  # F56
ADOPTIONS_MAX = 3  # P29, an hour
FILL_COLLAR_BPS = 50.0  # P30; five times the walk that an entry may plan, for what moves while it is on its way


class Custody:
    """Joined to the engine where the venue is a real one. ``owns(client_id)`` tells ids of this program from others."""

    def __init__(
        self, out: Outbox, account: Account, brakes: Brakes, traders: list[Trader], memory: Memory,
        recv_window_ns: int, owns: Callable[[str], bool],
    ) -> None:  # fmt: skip
        self.ready = False
        self.flat_read_ns = -1  # when a reading last showed nothing of ours at the venue, by the time it was asked
        self.unprotected_ns = 0
        self.adoptions = 0
        self._out = out
        self._account = account
        self._brakes = brakes
        self._traders = traders
        self._memory = memory
        self._owns = owns
        self._verdicts = Verdicts(recv_window_ns)
        self._inspect_ns = FAR_NS
        self._asked_ns = -1  # when the reading under way was asked for; -1 when none is
        self._read_ns = -1
        self._touched_ns = -1  # newest word on an order, a fill or the wallet
        self._differs: dict[int, int] = {}  # instrument → lots that the reading before showed instead of ours
        self._money_differs_e8 = 0
        self._missing: dict[str, int] = {}  # stops that a reading did not show → when it was asked for
        self._given_up: dict[str, Order] = {}  # stops taken for lost beside a position, by name
        self._bare_ns: dict[int, int] = {}  # instrument → since when its position has no stop
        self._lost_stops: deque[tuple[int, str]] = deque(maxlen=LOST_STOPS_MAX)
        self._adopted_ns: deque[int] = deque(maxlen=ADOPTIONS_MAX)

    # -- time -------------------------------------------------------------------------------------------------

    @property
    def timer_ns(self) -> int:
        busy = len(self._verdicts) or self._asked_ns >= 0 or self._account.unfinished()
        # On a grid of its own: facts that come more often than it must not put it off.
        watch_ns = (self._out.now_ns // WATCH_NS + 1) * WATCH_NS if busy else FAR_NS
        return min(self._inspect_ns, watch_ns)

    def start(self) -> None:
        """Everything is connected: read the account."""
        self._brakes.block(Cause.STARTING, "the account has not been read yet")
        for order in self._account.orders.all_alive():
            self._doubt(order)
        self._inspect()

    def timer(self) -> None:
        now = self._out.now_ns
        for order in self._verdicts.due(now):
            self._query(order)
        if self._verdicts.oldest_ns <= now - UNKNOWN_NS:
            ids = ", ".join(order.approved.client_id for order in self._verdicts.orders)
            self._brakes.block(Cause.UNKNOWN_LONG, f"unknown for {UNKNOWN_NS // SECOND_NS} s: {ids}")
        for order in self._account.orders.all_alive():
            self._watch(order, now)
        for trader in self._traders:
            self._guard(trader, now)
            self._tidy(trader)
        self._late_exits(now)
        if (self._asked_ns >= 0 and now >= self._asked_ns + UNREAD_NS) or now >= self._inspect_ns:
            self._inspect()
        if self._read_ns >= 0 and now >= self._read_ns + BLIND_NS:
            self._brakes.block(Cause.BLIND, f"the account could not be read for {(now - self._read_ns) / 1e9:.0f} s")

    def _watch(self, order: Order, now: int) -> None:
        """One living order: silence after sending, an exit that hangs, a cancel without effect."""
        wish = order.approved
        if order.cancelled_ns <= now - CANCEL_NS:
            self._account.cancel(order)
            self._query(order)
        silent = order.state in (OrderState.SUBMITTED, OrderState.UNKNOWN)
        if not silent:
            return
        if wish.created_ns <= now - SILENCE_NS:
            self._doubt(order)
        trader = self._traders[wish.instrument]
        if (
            wish.purpose is Purpose.EXIT
            and wish.created_ns <= now - EXIT_SILENCE_NS
            and trader.exit_id == wish.client_id
            and trader.state is PositionState.EXITING
        ):
            trader.retry_ns = now

    def _late_exits(self, now: int) -> None:
        """F19: say that a wanted exit does not come about, until it has."""
        late = [trader for trader in self._traders if now >= trader.exit_since_ns + EXIT_LATE_NS]
        for trader in late:
            what = f"{trader.instrument.symbol}: {trader.exit_reason}"
            self._brakes.block(Cause.EXIT_LATE, f"{what} wanted for {EXIT_LATE_NS // SECOND_NS} s and not flat")
        if not late:
            self._brakes.lift(Cause.EXIT_LATE)

    def _guard(self, trader: Trader, now: int) -> None:
        """P25: a position is covered by a living stop, or closed after three seconds."""
        if not trader.position.lots or self._stop_of(trader) is not None:
            since = self._bare_ns.pop(trader.index, None)
            if since is not None:
                self.unprotected_ns += now - since
            return
        since = self._bare_ns.setdefault(trader.index, now)
        if now >= since + BARE_NS and trader.state is not PositionState.EXITING:
            self._account.cancel_entries(trader)
            self._account.exit(trader, "emergency_exit")

    def _tidy(self, trader: Trader) -> None:
        """No stop without a position, and one only: what is left over beside a proven one, or alone, is taken back.

        Before the first reading nobody knows of a position: a stop of a run before may protect one.
        """
        if self._account.adopted_ns < 0:
            return
        if trader.position.lots and self._stop_of(trader) is None:
            return
        if self._given_up and not trader.position.lots:
            for name in [name for name, order in self._given_up.items() if order.approved.instrument == trader.index]:
                self._account.cancel(self._given_up.pop(name))  # it may stand there all the same, only not shown yet
        for order in self._account.orders.alive(trader.index, Purpose.STOP):
            name = order.approved.client_id
            known = order.state in (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED)
            if known and order.cancelled_ns == FAR_NS and not (trader.position.lots and name == trader.stop_id):
                self._account.cancel(order)

    def _stop_of(self, trader: Trader) -> Order | None:
        """The stop that protects a position: known to the venue, and not in doubt."""
        order = self._account.orders.get(trader.stop_id)
        if order is None or order.state not in (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED):
            return None
        return order

    # -- asking -----------------------------------------------------------------------------------------------

    def inspect(self) -> None:
        """Something may be other than we think: read the account as soon as may be."""
        if self._asked_ns < 0:
            self._inspect()

    def _inspect(self) -> None:
        now = self._out.now_ns
        self._asked_ns = now
        self._inspect_ns = now + INSPECT_NS
        if self._read_ns < 0:
            self._read_ns = now  # blindness counts from the first question on
        self._out.add(Inspect(now))

    def _query(self, order: Order) -> None:
        wish = order.approved
        self._out.add(Query(self._out.now_ns, wish.client_id, wish.instrument, wish.trigger != 0))

    def _doubt(self, order: Order) -> None:
        self._verdicts.doubt(order, self._out.now_ns, self._memory.clock_offset_ns)
        self._brakes.block(Cause.UNKNOWN, f"{order.approved.client_id}: nobody knows what became of it")

    def _settle(self, client_id: str) -> None:
        if self._verdicts.settle(client_id) and not len(self._verdicts):
            self._brakes.lift(Cause.UNKNOWN)
            self._brakes.lift(Cause.UNKNOWN_LONG)

    # -- words on orders --------------------------------------------------------------------------------------

    def report(self, event: OrderReport) -> None:
        """After the account has taken a report."""
        self._touched_ns = self._out.now_ns
        order = self._account.orders.get(event.client_id)
        if order is None:
            if event.state is not OrderState.REJECTED:
                self.inspect()
            return
        if order.state is OrderState.UNKNOWN:
            self._doubt(order)
        else:
            self._settle(event.client_id)
        if self._abandoned(order, event):
            self._stop_lost(event.client_id)
        if event.state is OrderState.REJECTED and order.approved.purpose is not Purpose.ENTRY:
            self.inspect()  # what it was to reduce or to protect may be gone (F26)
        if not order.state.terminal and order.filled < order.reported:
            self._query(order)  # a fill we have not heard: the answer brings it

    def _abandoned(self, order: Order, event: OrderReport) -> bool:
        """Whether a stop ended unfilled beside an open position, neither by us nor for what the market did."""
        wish, reason = order.approved, event.reason
        ended = order.state.terminal and order.state is event.state and order.state is not OrderState.FILLED
        ours = order.cancelled_ns != FAR_NS or Refused.NOT_PLACED.within(reason)
        market = Refused.WOULD_TRIGGER.within(reason) or Refused.REDUCE_ONLY.within(reason)
        held = self._traders[wish.instrument].position.lots
        return wish.purpose is Purpose.STOP and ended and not ours and not market and held != 0

    def fill(self, event: Fill) -> None:
        """After the account has taken a fill."""
        self._touched_ns = self._out.now_ns
        self._settle(event.client_id)
        self._sane(event)
        if event.cause == "liquidation":
            self._brakes.block(Cause.LIQUIDATED, f"{event.client_id}: the venue closed the position by force")
        elif event.cause:
            self._external(f"{event.client_id}: an execution by {event.cause}")
        self._inspect_ns = min(self._inspect_ns, self._out.now_ns + SECOND_NS)  # P29: after each fill

    def _sane(self, event: Fill) -> None:
        """P30: a fill of an order never sent, far from the market, or at a strange fee blocks entries.

        An exit or a stop may fill far away when the market runs: only entries are held to the collar.
        """
        order = self._account.orders.get(event.client_id)
        instrument = self._traders[event.instrument].instrument
        if order is None:
            if self._owns(event.client_id):
                self._brakes.block(Cause.FILL, f"{event.client_id}: a fill of an order that was never sent")
            return
        mid2 = self._memory.view(event.instrument).get("mid2")
        away_bps = abs(2 * event.price - mid2) * 10_000 / mid2 if mid2 else 0.0
        if order.approved.purpose is Purpose.ENTRY and not order.inherited and away_bps > FILL_COLLAR_BPS:
            self._brakes.block(Cause.FILL, f"{event.client_id}: filled {away_bps:.1f} bps from the mid")
        due_e8 = instrument.notional_e8(event.price, event.quantity) * instrument.fees.taker_e8 // E8
        if event.fee_e8 > 2 * due_e8 + 1:
            self._brakes.block(
                Cause.FILL, f"{event.client_id}: fee {event.fee_e8 / E8:.8f} USDT is over twice the rate"
            )

    def not_found(self, event: NotFound) -> None:
        if self._verdicts.not_found(event):
            self.inspect()

    # -- the venue's truth ------------------------------------------------------------------------------------

    def truth(self, event: AccountTruth) -> None:
        now = self._out.now_ns
        self._asked_ns = -1
        self._read_ns = now
        self._brakes.lift(Cause.BLIND)
        self._shape(event)
        if not self.ready:
            self._account.begin(event.wallet_e8, event.positions)
            if self._account.adopted_ns < 0:
                self._account.adopted_ns = event.asked_ns + self._memory.clock_offset_ns
        settled = self._touched_ns < event.asked_ns - SETTLED_NS and not self._account.on_the_way()
        if settled or not self.ready:
            self._strays(event)
            self._positions(event)
            self._money(event)
        self._orders(event)
        explained = all(held.lots == self._traders[held.instrument].position.lots for held in event.positions)
        for order in self._verdicts.absent(event, self._memory.clock_offset_ns, explained):
            self._lose(order, Refused.NOT_PLACED.value + ": the venue does not know it")
        if not len(self._verdicts):
            self._brakes.lift(Cause.UNKNOWN)
            self._brakes.lift(Cause.UNKNOWN_LONG)
        nothing = not event.orders and not any(held.lots for held in event.positions)
        if nothing and not self._account.unfinished():
            self.flat_read_ns = event.asked_ns
        if not self.ready and not self._differs and not len(self._verdicts) and not self._bare():
            self.ready = True
            self._brakes.lift(Cause.STARTING)
        if self._differs or not self.ready or (not settled and self._back_again(event)):
            self._inspect_ns = now + AGAIN_NS

    def _bare(self) -> bool:
        return any(trader.position.lots and self._stop_of(trader) is None for trader in self._traders)

    def _back_again(self, event: AccountTruth) -> bool:
        """Whether the venue shows an order that we take for gone: a reading that nothing has touched must judge it."""
        known = (self._account.orders.get(standing.client_id) for standing in event.orders)
        return any(order is not None and not order.alive for order in known)

    def _shape(self, event: AccountTruth) -> None:
        """P31: one-way, isolated, the leverage of the settings."""
        wrong = ["hedge mode"] if event.hedge else []
        for held in event.positions:
            symbol = self._traders[held.instrument].instrument.symbol
            if not held.isolated:
                wrong.append(f"{symbol} on cross margin")
            if held.leverage != self._account.leverage:
                wrong.append(f"{symbol} at {held.leverage}x instead of {self._account.leverage}x")
        if wrong:
            self._brakes.block(Cause.SHAPE, ", ".join(wrong))
        else:
            self._brakes.lift(Cause.SHAPE)

    def _strays(self, event: AccountTruth) -> None:
        """Orders at the venue that we do not know: of a run before, of another instance, of somebody else."""
        for standing in event.orders:
            known = self._account.orders.get(standing.client_id)
            if known is not None and not (known.inherited and not self.ready):
                if not known.alive:
                    self._account.cancel(known)  # taken for gone (the venue shows new orders late), and there after all
                continue
            trader = self._traders[standing.instrument]
            if not self._owns(standing.client_id):
                self._external(f"order {standing.client_id or standing.venue_id} is not ours")
            elif self.ready:
                self._brakes.block(Cause.INSTANCE, f"order {standing.client_id} of another instance on this account")
            elif self._protects(standing, event):
                self._account.recognise(trader, standing)
                self._settle(standing.client_id)
            else:
                order = self._account.recognise(trader, standing, keep=False)
                self._settle(standing.client_id)
                self._account.cancel(order)

    @staticmethod
    def _protects(standing: Standing, event: AccountTruth) -> bool:
        """Whether a stop found at the venue covers the position found beside it."""
        held = next((one.lots for one in event.positions if one.instrument == standing.instrument), 0)
        return standing.stop and held * standing.side.sign < 0 and standing.quantity >= abs(held)

    def _positions(self, event: AccountTruth) -> None:
        """P29: what the venue holds is what we hold; a difference is read twice, then adopted."""
        differs: dict[int, int] = {}
        for held in event.positions:
            trader = self._traders[held.instrument]
            if held.lots == trader.position.lots:
                continue
            if self.ready and self._differs.get(held.instrument) != held.lots:
                differs[held.instrument] = held.lots
                continue
            self._adopt(trader, held, event.wallet_e8)
        self._differs = differs
        if Cause.EXTERNAL in self._brakes.mode.causes and self.ready:
            foreign = any(self._account.orders.get(one.client_id) is None for one in event.orders)
            if not foreign and not self._account.holds:
                self._brakes.lift(Cause.EXTERNAL)

    def _adopt(self, trader: Trader, held: Held, wallet_e8: int) -> None:
        before = trader.position.lots
        self.adoptions += 1
        if self.ready:
            self._external(f"{trader.instrument.symbol} holds {held.lots} lots at the venue, {before} here")
            self._adopted_ns.append(self._out.now_ns)
            if len(self._adopted_ns) == ADOPTIONS_MAX and self._adopted_ns[0] > self._out.now_ns - HOUR_NS:
                self._brakes.block(Cause.POSITION, f"{ADOPTIONS_MAX} differences from the venue within an hour")
        self._account.adopt(trader, held, wallet_e8)
        if not self.ready and self._brakes.wants_flat:  # a halt of a run before, and what that run could not close
            self._account.exit(trader, "emergency_exit")

    def _external(self, detail: str) -> None:
        self._brakes.block(Cause.EXTERNAL, detail)

    def _orders(self, event: AccountTruth) -> None:
        """Orders that we believe open and the reading does not show are asked for; a stop is counted as missing."""
        standing = {order.client_id for order in event.orders}
        alive = {order.approved.client_id for order in self._account.orders.all_alive()}
        self._missing = {name: at for name, at in self._missing.items() if name in alive - standing}
        for order in self._account.orders.all_alive():
            old = order.accepted_ns >= 0 and order.accepted_ns < event.asked_ns - SETTLED_NS
            if old and order.approved.client_id not in standing and order.state is not OrderState.UNKNOWN:
                self._query(order)
                if order.approved.purpose is Purpose.STOP and not order.state.terminal:
                    self._stop_missing(order, event.asked_ns)

    def _stop_missing(self, order: Order, asked_ns: int) -> None:
        """F56: a stop that two readings do not show is lost, and the position leaves."""
        now = self._out.now_ns
        first_ns = self._missing.setdefault(order.approved.client_id, asked_ns)
        if asked_ns < first_ns + AGAIN_NS:
            self._inspect_ns = min(self._inspect_ns, now + AGAIN_NS)
            return
        self._lose(order, "the venue does not show it any more")
        self._given_up[order.approved.client_id] = order
        self._stop_lost(order.approved.client_id)

    def _stop_lost(self, client_id: str) -> None:
        """F51, F56: a venue that takes or keeps no stop is no place for a position."""
        now = self._out.now_ns
        if not any(name == client_id for _, name in self._lost_stops):
            self._lost_stops.append((now, client_id))
        if len(self._lost_stops) == LOST_STOPS_MAX and self._lost_stops[0][0] > now - LOST_STOPS_NS:
            self._brakes.block(Cause.UNPROTECTED, f"{LOST_STOPS_MAX} stops refused or lost by the venue within 10 min")

    def _lose(self, order: Order, reason: str) -> None:
        """An order is proven to be no more: the account takes it as the venue's word."""
        now = self._out.now_ns
        state = OrderState.REJECTED if order.accepted_ns < 0 else OrderState.CANCELED
        wish = order.approved
        self._account.report(OrderReport(now, wish.client_id, order.venue_id, state, order.filled, now, reason))
        self._settle(wish.client_id)

    # -- money ------------------------------------------------------------------------------------------------

    def balance(self, event: Balance) -> None:
        """What moved beside trades is booked; anything else is a cross-check by the next reading."""
        self._touched_ns = self._out.now_ns
        if event.change_e8:
            self._account.transfer(event.change_e8)
        for held in event.positions:
            if held.lots != self._traders[held.instrument].position.lots:
                self._inspect_ns = min(self._inspect_ns, self._out.now_ns + 2 * SECOND_NS)  # F38: two seconds of grace

    def _money(self, event: AccountTruth) -> None:
        """P28: the wallet is what our books say, to 1e-8; the same difference twice blocks entries."""
        gap_e8 = event.wallet_e8 - self._account.ledger.wallet_e8
        if gap_e8 == 0:
            self._brakes.lift(Cause.MONEY)
        elif gap_e8 == self._money_differs_e8:
            self._brakes.block(Cause.MONEY, f"the venue's wallet is {gap_e8 / E8:+.8f} USDT beside our books")
        else:
            self._inspect_ns = min(self._inspect_ns, self._out.now_ns + AGAIN_NS)
        self._money_differs_e8 = gap_e8

    def margin_call(self, event: MarginCall) -> None:
        """The venue warns of a liquidation: the position leaves while it can choose how."""
        trader = self._traders[event.instrument]
        self._account.cancel_entries(trader)
        self._account.exit(trader, "emergency_exit")
