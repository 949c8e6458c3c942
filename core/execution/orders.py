"""Own orders and their states. States only move forward; a fill counts once, by trade id."""

from __future__ import annotations

from models.event import Fill, OrderReport
from models.order import ApprovedOrder, OrderState, Purpose
from models.rows import FAR_NS

KEPT = 256  # terminal orders kept for late or repeated news; beyond it the oldest is forgotten

_ALIVE = (OrderState.SUBMITTED, OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED, OrderState.UNKNOWN)
_END = (OrderState.FILLED, OrderState.CANCELED, OrderState.EXPIRED, OrderState.REJECTED)
TRANSITIONS: dict[OrderState, frozenset[OrderState]] = {
    OrderState.SUBMITTED: frozenset((*_ALIVE[1:], *_END)),
    OrderState.ACCEPTED: frozenset((OrderState.PARTIALLY_FILLED, OrderState.UNKNOWN, *_END[:3])),
    OrderState.PARTIALLY_FILLED: frozenset((OrderState.UNKNOWN, *_END[:3])),
    OrderState.UNKNOWN: frozenset((OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED, *_END)),
    **{state: frozenset() for state in _END},
}
"""State → states that may follow; anything else is old news and changes nothing. UNKNOWN goes on from the state before
it: what was proven once is not undone by losing sight of the order."""


class Order:
    """One own order as it stands: what was approved, the venue's word, what has filled."""

    __slots__ = (
        "accepted_ns", "approved", "cancelled_ns", "cost", "decide_ns", "fee_e8", "filled", "inherited", "proven",
        "reported", "send_ns", "state", "trades", "venue_id",
    )  # fmt: skip

    def __init__(self, approved: ApprovedOrder) -> None:
        self.approved = approved
        self.state = OrderState.SUBMITTED
        self.proven = OrderState.SUBMITTED  # the newest state that is not UNKNOWN
        self.venue_id = 0
        self.inherited = False  # sent by a run before
        self.decide_ns = self.send_ns = 0  # told with the first word on it; 0 where nobody measures
        self.filled = 0  # lots, from fills
        self.reported = 0  # lots, from the venue's cumulative word
        self.cost = 0  # sum of ticks · lots
        self.fee_e8 = 0
        self.accepted_ns = -1
        self.cancelled_ns = FAR_NS  # when we last asked for its end
        self.trades: set[int] = set()

    @property
    def alive(self) -> bool:
        """Whether something may still happen: the venue has not ended it, or a fill it reported is not yet here."""
        return not self.state.terminal or self.filled < self.reported

    def may_become(self, state: OrderState) -> bool:
        """Whether ``state`` lies ahead of what is known."""
        if state not in TRANSITIONS[self.state]:
            return False
        return self.state is not OrderState.UNKNOWN or state is self.proven or state in TRANSITIONS[self.proven]

    @property
    def remaining(self) -> int:
        return self.approved.quantity - self.filled


class Orders:
    """All own orders by client id; bounded by forgetting the oldest terminal ones."""

    def __init__(self) -> None:
        self._orders: dict[str, Order] = {}
        self._alive: dict[str, Order] = {}  # of them, those that are not over: a handful, asked at each entry
        self._foreign: dict[tuple[int, int], None] = {}  # trades of the venue's own doing already booked
        self.strange_fills = 0  # fills of orders nobody here knows
        self.old_news = 0

    def add(self, approved: ApprovedOrder) -> Order:
        order = Order(approved)
        self._orders[approved.client_id] = self._alive[approved.client_id] = order
        while len(self._orders) > KEPT:
            oldest = next((key for key, kept in self._orders.items() if not kept.alive), None)
            if oldest is None:
                break
            del self._orders[oldest]
        return order

    def get(self, client_id: str) -> Order | None:
        return self._orders.get(client_id)

    @property
    def none_alive(self) -> bool:
        return not self._alive

    def all_alive(self) -> list[Order]:
        """Own orders that are not over, oldest first."""
        return list(self._alive.values())

    def alive(self, instrument: int, purpose: Purpose | None = None) -> list[Order]:
        """Own orders of an instrument that are not over, oldest first."""
        return [
            order
            for order in self._alive.values()
            if order.approved.instrument == instrument and (purpose is None or order.approved.purpose is purpose)
        ]

    def report(self, report: OrderReport) -> Order | None:
        """Take the venue's word; returns the order when its state moved, None for old or foreign news."""
        order = self._orders.get(report.client_id)
        if order is not None:
            order.reported = max(order.reported, report.filled)
            if report.send_ns:
                order.decide_ns, order.send_ns = report.decide_ns, report.send_ns
        if order is None or not order.may_become(report.state):
            self.old_news += 1
            return None
        order.state = report.state
        if not order.alive:
            self._alive.pop(report.client_id, None)
        if order.state is not OrderState.UNKNOWN:
            order.proven = order.state
        order.venue_id = report.venue_id or order.venue_id
        if order.accepted_ns < 0 and order.state is not OrderState.UNKNOWN:
            order.accepted_ns = report.at_ns
        return order

    def fill(self, fill: Fill) -> Order | None:
        """Book a fill on its order; returns the order, or None for a fill already booked or of no own order."""
        order = self._orders.get(fill.client_id)
        if order is None:
            self.strange_fills += 1
            return None
        if fill.trade_id in order.trades:
            self.old_news += 1
            return None
        order.trades.add(fill.trade_id)
        order.filled += fill.quantity
        order.cost += fill.price * fill.quantity
        order.fee_e8 += fill.fee_e8
        if not order.alive:
            self._alive.pop(fill.client_id, None)
        return order

    def heard(self, client_id: str, trade_id: int, lots: int) -> None:
        """An execution that a run before had booked: it is no news."""
        order = self._orders.get(client_id)
        if order is not None:
            order.trades.add(trade_id)
            order.filled += lots

    def strange(self, fill: Fill) -> bool:
        """Whether a fill of no own order is the venue's own doing (it states a cause) and heard for the first time."""
        key = (fill.instrument, fill.trade_id)
        if not fill.cause or fill.client_id in self._orders or key in self._foreign:
            return False
        self._foreign[key] = None
        while len(self._foreign) > KEPT:
            del self._foreign[next(iter(self._foreign))]
        return True
