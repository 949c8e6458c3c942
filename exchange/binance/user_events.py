"""Private stream bytes as facts, in the order heard (venue reference §3).

What an event proves is told, and no more:

- ``ORDER_TRADE_UPDATE`` settles: the execution with fee and role (``Fill``), then the order's state.
- ``TRADE_LITE`` is earlier but names no fee. A fill counts once and its money must be exact, so no ``Fill`` comes of
  it; it proves at once that an order is in the book (``ACCEPTED``), and it is a debt: when the full event does not
  follow, ``overdue`` names the order, whose trades are then read from the account (F37, either order, either one lost).
- ``ALGO_UPDATE`` speaks under the stop's client id. What an order does that nobody knows is held back for a moment
  while a stop may have become it, until the link is told (F57); ``overdue`` names it when nobody tells.
- ``ACCOUNT_UPDATE`` is a cross-check (``Balance``), and the only word on funding (``Funding``).

An event that cannot be used is counted and makes a ``doubt``: the account is read before anything is entered (F35).
Unknown kinds of events are counted, unknown fields ignored (F16).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import msgspec

from exchange.binance.answers import SIDES, algo_state, e8_cut, order_id, order_state
from exchange.binance.ids import Ids
from models.error import DataError
from models.event import Balance, Event, Fill, Funding, Held, MarginCall, OrderReport
from models.instrument import Instrument, to_e8
from models.order import OrderState

MS = 1_000_000
GRACE_NS = 1_000 * MS  # how long a trade may wait for its fee, and an unknown order for its name
DEBTS_MAX = 1_024
TRIES_MAX = 8  # questions about one debt before the doubt is left to the reading of the account
HELD_MAX = 64
UNKNOWN_KINDS_MAX = 64
MOVES_KEPT = 256
EXTERNAL = "external"
_FORCED = (
    ("autoclose-", "liquidation"), ("adl_autoclose", "adl"), ("settlement_autoclose-", "settlement"),
)  # fmt: skip
_CAUSES = {
    "ORDER": "order", "FUNDING_FEE": "funding", "DEPOSIT": "deposit", "WITHDRAW": "withdrawal",
    "WITHDRAW_REJECT": "withdrawal_refused", "INSURANCE_CLEAR": "liquidation", "MARGIN_TYPE_CHANGE": "margin_type",
    "MARGIN_TRANSFER": "transfer", "ASSET_TRANSFER": "transfer", "AUTO_EXCHANGE": "exchange",
}  # fmt: skip
_IGNORED = frozenset({"STRATEGY_UPDATE", "GRID_UPDATE"})


class _Head(msgspec.Struct):
    e: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")


class _Order(msgspec.Struct):
    s: str
    c: str
    S: str
    o: str
    x: str
    X: str
    i: int
    l: str  # noqa: E741 - the venue's name
    z: str
    L: str
    T: int
    t: int
    m: bool
    n: str = "0"
    N: str | None = None
    rp: str = "0"
    er: str = "0"


class _OrderEvent(msgspec.Struct):
    o: _Order


class _Lite(msgspec.Struct):
    s: str
    c: str
    i: int
    t: int
    T: int


class _Asset(msgspec.Struct):
    a: str
    wb: str
    bc: str = "0"


class _Position(msgspec.Struct):
    s: str
    pa: str
    ep: str
    mt: str
    ps: str


class _Account(msgspec.Struct):
    m: str
    B: list[_Asset] = []
    P: list[_Position] = []
    S: str = ""


class _AccountEvent(msgspec.Struct):
    a: _Account
    T: int = 0


class _Algo(msgspec.Struct):
    caid: str
    aid: int
    s: str
    q: str
    X: str
    ai: str | int = ""
    aq: str = "0"
    rm: str = ""


class _AlgoEvent(msgspec.Struct):
    T: int
    o: _Algo


class _Called(msgspec.Struct):
    s: str
    mp: str


class _MarginEvent(msgspec.Struct):
    p: list[_Called]


class _Leverage(msgspec.Struct):
    s: str
    l: int  # noqa: E741 - the venue's name


class _ConfigEvent(msgspec.Struct):
    ac: _Leverage | None = None


class _Expired(msgspec.Struct):
    listenKey: str = ""


class _Refusal(msgspec.Struct):
    s: str
    i: int
    r: str = ""


class _RefusalEvent(msgspec.Struct):
    o: _Refusal = msgspec.field(name="or")


class _Debt:
    """Something that another word must follow: since when it is awaited, and how often it was asked for."""

    __slots__ = ("events", "order_id", "since_ns", "tries")

    def __init__(self, order_id: int, since_ns: int) -> None:
        self.order_id = order_id
        self.since_ns = since_ns
        self.tries = 0
        self.events: list[_Order] = []


class UserEvents:
    """``take(payload)`` for every private frame; never raises.

    ``owns`` knows our client ids; ``doubt(reason)`` wants the account read; ``named(client_id)`` is called for each id
    that an event is about, ``expired(listen_key)`` when a key has ended.
    """

    def __init__(
        self,
        instruments: Sequence[Instrument],
        ids: Ids,
        tell: Callable[[Event], None],
        now_ns: Callable[[], int],
        owns: Callable[[str], bool],
        doubt: Callable[[str], None],
        *,
        named: Callable[[str], None] = lambda client_id: None,
        expired: Callable[[str], None] = lambda listen_key: None,
    ) -> None:
        self.counts: dict[str, int] = {}  # events by kind
        self.unknown: dict[str, int] = {}
        self.bad: dict[str, int] = {}  # events that could not be used, by kind
        self.foreign_symbols = 0
        self.foreign_fees = 0  # executions whose fee was not paid in the quote asset
        self.leverage: dict[int, int] = {}
        self.wallet_e8: int | None = None
        self.since_ms = 0  # what moved before (venue time) is in the wallet that was read first
        self._moves: OrderedDict[tuple[int, str, int, int], None] = OrderedDict()
        self._instruments = {one.symbol: one for one in instruments}
        self._quote = instruments[0].quote
        self._ids, self._tell, self._now_ns, self._owns, self._doubt = ids, tell, now_ns, owns, doubt
        self._named, self._expired = named, expired
        self._debts: dict[tuple[int, int], _Debt] = {}  # (instrument, trade) told by TRADE_LITE only
        self._held: dict[tuple[int, int], _Debt] = {}  # (instrument, order) that nobody knows
        self._takers: dict[str, Callable[[bytes], None]] = {
            "ORDER_TRADE_UPDATE": self._order_event,
            "TRADE_LITE": self._lite,
            "ACCOUNT_UPDATE": self._account,
            "ALGO_UPDATE": self._algo,
            "MARGIN_CALL": self._margin_call,
            "ACCOUNT_CONFIG_UPDATE": self._config,
            "CONDITIONAL_ORDER_TRIGGER_REJECT": self._trigger_refused,
            "listenKeyExpired": self._key_expired,
        }

    # -- the door ---------------------------------------------------------------------------------------------

    def take(self, payload: bytes) -> None:
        kind = "?"
        try:
            head = msgspec.json.decode(payload, type=_Head)
            if head.data:  # combined framing
                payload = bytes(head.data)
                head = msgspec.json.decode(payload, type=_Head)
            kind = head.e
            taker = self._takers.get(kind)
            if taker is not None:
                self.counts[kind] = self.counts.get(kind, 0) + 1
                taker(payload)
            elif kind not in _IGNORED:
                self._strange(kind)
        except Exception as error:  # whatever is wrong with it, or with who hears it: no word on an order may vanish
            self.bad[kind] = self.bad.get(kind, 0) + 1
            self._doubt(f"a private event ({kind}) could not be used: {type(error).__name__}")

    def _strange(self, kind: str) -> None:
        if kind in self.unknown or len(self.unknown) < UNKNOWN_KINDS_MAX:
            name = kind[:64]
            self.unknown[name] = self.unknown.get(name, 0) + 1

    def _instrument(self, symbol: str) -> Instrument | None:
        """The contract, or None for one we do not trade: its part of the account is somebody else's."""
        found = self._instruments.get(symbol)
        if found is None:
            self.foreign_symbols += 1
        return found

    # -- orders and executions --------------------------------------------------------------------------------

    def _order_event(self, payload: bytes) -> None:
        order = msgspec.json.decode(payload, type=_OrderEvent).o
        instrument = self._instrument(order.s)
        if instrument is None:
            self._doubt("an order on a contract that is not traded here")
        elif not self._hold(instrument, order):
            self._take_order(instrument, order)

    def _hold(self, instrument: Instrument, order: _Order) -> bool:
        """Keep an event of an order that nobody knows while a stop of ours may have become it."""
        key = (instrument.index, order.i)
        held = self._held.get(key)
        if held is None:
            known = self._ids.client(*key) is not None or self._ids.known_stop(order.c) is not None
            if known or self._owns(order.c) or _forced(order) or not self._ids.untriggered(instrument.index):
                return False
            if len(self._held) >= HELD_MAX:
                return False
            held = self._held[key] = _Debt(order.i, self._now_ns())
        held.events.append(order)
        return True

    def release(self, instrument: int, order_id: int) -> None:
        """Take what was held of an order: its name is known now, or nobody will tell it."""
        held = self._held.pop((instrument, order_id), None)
        for order in held.events if held is not None else ():
            self._take_order(self._instruments[order.s], order)

    def _take_order(self, instrument: Instrument, order: _Order) -> None:
        index, client_id = instrument.index, order.c
        if self._ids.known_stop(client_id) is not None:
            self._ids.link(client_id, index, order.i)
        client_id = self._ids.client(index, order.i) or client_id
        self._ids.learn(index, order.i, client_id)
        self._named(client_id)
        if order.x in ("TRADE", "CALCULATED"):
            self._execution(instrument, order, client_id)
        state, filled = order_state(order.X), instrument.lots(order.z)
        venue_id = self._ids.venue_id(client_id, order.i)
        reason = f"expired by the venue, reason {order.er}" if order.er != "0" else ""
        self._tell(OrderReport(self._now_ns(), client_id, venue_id, state, filled, order.T * MS, reason))
        stop = self._ids.known_stop(client_id)
        if stop is not None and state.terminal:
            stop.ended = True

    def _execution(self, instrument: Instrument, order: _Order, client_id: str) -> None:
        index = instrument.index
        if order.t <= 0:
            self._doubt("an execution without a number")
            return
        if not self._ids.heard(index, order.t):
            self._tell(
                Fill(
                    self._now_ns(), client_id, order.t, index, SIDES[order.S], instrument.ticks(order.L),
                    instrument.lots(order.l), self.fee_e8(order.n, order.N or ""), order.m, order.T * MS,
                    self.cause_of(client_id, order.o), e8_cut(order.rp),
                )
            )  # fmt: skip
            self._ids.hear(index, order.t)
        self._debts.pop((index, order.t), None)

    def fee_e8(self, amount: str, asset: str) -> int:
        """A fee in the quote asset. One paid in another asset leaves this wallet alone: 0, and counted (F50)."""
        if asset in ("", self._quote):
            return e8_cut(amount)
        self.foreign_fees += 1
        return 0

    def cause_of(self, client_id: str, kind: str = "") -> str:
        """Why an execution happened that nobody here asked for; empty for our own."""
        for start, cause in _FORCED:
            if client_id.startswith(start):
                return cause
        if kind == "LIQUIDATION":
            return "liquidation"
        return "" if self._owns(client_id) else EXTERNAL

    def _lite(self, payload: bytes) -> None:
        lite = msgspec.json.decode(payload, type=_Lite)
        instrument = self._instrument(lite.s)
        if instrument is None or self._ids.heard(instrument.index, lite.t):
            return
        index = instrument.index
        if len(self._debts) >= DEBTS_MAX:
            self._doubt("too many executions whose fees have not come")
            self._debts.clear()
        self._debts[index, lite.t] = _Debt(lite.i, self._now_ns())
        if self._ids.known_stop(lite.c) is not None:
            self._ids.link(lite.c, index, lite.i)
        known = self._ids.client(index, lite.i)
        self._named(known or lite.c)
        if known is None and self._owns(lite.c):
            self._ids.learn(index, lite.i, lite.c)
            self._tell(OrderReport(self._now_ns(), lite.c, lite.i, OrderState.ACCEPTED, 0, lite.T * MS))

    # -- conditional orders -----------------------------------------------------------------------------------

    def _algo(self, payload: bytes) -> None:
        event = msgspec.json.decode(payload, type=_AlgoEvent)
        algo = event.o
        instrument = self._instrument(algo.s)
        if instrument is None:
            return
        stop = self._ids.stop(algo.caid, instrument.index, algo.aid)
        self._named(algo.caid)
        order = order_id(algo.ai)
        if order:
            self._ids.link(algo.caid, instrument.index, order)
            self.release(instrument.index, order)
        filled = instrument.lots(algo.aq or "0")
        state = algo_state(algo.X, filled, instrument.lots(algo.q))
        stop.ended = stop.ended or state.terminal
        reason = f"{algo.X} by the venue: {algo.rm}" if algo.X in ("REJECTED", "EXPIRED") else ""
        self._tell(OrderReport(self._now_ns(), algo.caid, algo.aid, state, filled, event.T * MS, reason))

    def _trigger_refused(self, payload: bytes) -> None:
        """The word before ``ALGO_UPDATE`` had a reason; it names an order, so the account must say what is left."""
        refused = msgspec.json.decode(payload, type=_RefusalEvent).o
        if refused.s in self._instruments:
            self._doubt(f"the venue refused a conditional order at its trigger: {refused.r[:120]}")

    # -- money and shape --------------------------------------------------------------------------------------

    def _account(self, payload: bytes) -> None:
        event = msgspec.json.decode(payload, type=_AccountEvent)
        told, now, change_e8 = event.a, self._now_ns(), 0
        for asset in told.B:
            if asset.a == self._quote:  # assets that are not named have not changed: they are not zero (F38)
                self.wallet_e8, change_e8 = to_e8(asset.wb), to_e8(asset.bc)
        if change_e8 and self._counted(event.T, told.m, change_e8):
            change_e8 = 0
        if told.m == "FUNDING_FEE" and change_e8:
            symbol = told.S or (told.P[0].s if len(told.P) == 1 else "")
            paid = self._instruments.get(symbol)
            if paid is not None:
                self._tell(Funding(now, paid.index, change_e8, 0, 0))  # rate and mark are not in the event
                change_e8 = 0
        if self.wallet_e8 is not None:
            cause = _CAUSES.get(told.m, told.m.lower()[:40])
            self._tell(Balance(now, self.wallet_e8, change_e8, cause, self._positions(told.P)))

    def _counted(self, at_ms: int, cause: str, change_e8: int) -> bool:
        """Whether a movement of money has been told before: two sockets overlap, and events come again."""
        key = at_ms, cause, change_e8, self.wallet_e8 or 0
        if at_ms < self.since_ms or key in self._moves:
            return True
        self._moves[key] = None
        if len(self._moves) > MOVES_KEPT:
            self._moves.popitem(last=False)
        return False

    def _positions(self, rows: list[_Position]) -> tuple[Held, ...]:
        """The changed positions of one-way mode; one side of hedge mode says nothing about what is held in all."""
        held = []
        for row in rows:
            instrument = self._instrument(row.s)
            if instrument is not None and row.ps == "BOTH":
                index, isolated = instrument.index, row.mt.lower() == "isolated"
                lots, leverage = instrument.lots(row.pa), self.leverage.get(index, 0)
                held.append(Held(index, lots, e8_cut(row.ep), leverage, isolated))
        return tuple(held)

    def _margin_call(self, payload: bytes) -> None:
        for row in msgspec.json.decode(payload, type=_MarginEvent).p:
            instrument = self._instrument(row.s)
            if instrument is not None:
                self._tell(MarginCall(self._now_ns(), instrument.index, e8_cut(row.mp)))

    def _config(self, payload: bytes) -> None:
        changed = msgspec.json.decode(payload, type=_ConfigEvent).ac
        if changed is None:
            self._doubt("the account's asset mode was changed")
        elif changed.s in self._instruments:
            self.leverage[self._instruments[changed.s].index] = changed.l
            self._doubt("a contract's leverage was changed")

    def _key_expired(self, payload: bytes) -> None:
        self._expired(msgspec.json.decode(payload, type=_Expired).listenKey)

    # -- debts ------------------------------------------------------------------------------------------------

    @property
    def owing(self) -> bool:
        """Whether words are awaited."""
        return bool(self._debts or self._held)

    def settle(self, instrument: int, trade_id: int) -> None:
        """An execution was read from the account."""
        self._debts.pop((instrument, trade_id), None)

    def overdue(self) -> list[tuple[int, int]]:
        """(instrument, order) to be asked for now: trades without their fee, orders without their name."""
        now = self._now_ns()
        asked: dict[tuple[int, int], None] = {}
        for kept in (self._debts, self._held):
            for key, debt in list(kept.items()):
                if now < debt.since_ns + GRACE_NS:
                    continue
                debt.since_ns = now
                debt.tries += 1
                asked[key[0], debt.order_id] = None
                if debt.tries >= TRIES_MAX:
                    self._give_up(key, debt, kept)
        return list(asked)

    def _give_up(self, key: tuple[int, int], debt: _Debt, kept: dict[tuple[int, int], _Debt]) -> None:
        self._doubt("an execution was told of and never settled")
        if debt.events:
            self.release(*key)
        kept.pop(key, None)


def _forced(order: _Order) -> bool:
    return order.o == "LIQUIDATION" or any(order.c.startswith(start) for start, _ in _FORCED)


def usable(instruments: Sequence[Instrument]) -> None:
    """Raises DataError unless all contracts settle in one asset: one wallet is kept."""
    quotes = sorted({one.quote for one in instruments})
    if len(quotes) != 1:
        raise DataError(f"the contracts settle in {', '.join(quotes)}; trade contracts of one of them", code="QUOTES")
