"""Orders as the simulated exchange keeps them, and the queue of what is still on its way there."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from typing import NamedTuple

from exchange.simulated.queue import Place
from models.action import Cancel, Submit, Wish
from models.order import ApprovedOrder, OrderState
from models.rows import FAR_NS


class Order:
    """One accepted order. ``lots`` is what it may fill in all (a reduce-only order is trimmed), ``place`` its place in
    the queue while it rests."""

    __slots__ = ("arrived_ns", "filled", "lots", "place", "state", "venue_id", "wish")

    def __init__(self, wish: ApprovedOrder, venue_id: int, arrived_ns: int) -> None:
        self.wish = wish
        self.venue_id = venue_id
        self.arrived_ns = arrived_ns
        self.lots = wish.quantity
        self.filled = 0
        self.state = OrderState.ACCEPTED
        self.place: Place | None = None

    @property
    def remaining(self) -> int:
        return self.lots - self.filled

    def digest(self) -> tuple[object, ...]:
        place = self.place.state() if self.place else ()
        return self.wish.client_id, self.venue_id, self.arrived_ns, self.lots, self.filled, self.state.value, place


class Arrival(NamedTuple):
    """Something that reaches the matching engine at ``venue_ns``; ``visible_ns``: its answer here, latency alone."""

    venue_ns: int
    number: int
    visible_ns: int
    wish: Wish | Order

    def digest(self) -> tuple[object, ...]:
        wish = self.wish
        name = wish.order.client_id if isinstance(wish, Submit) else ""
        return self.venue_ns, self.number, self.visible_ns, type(wish).__name__, name


class Pending:
    """Arrivals of one instrument that wait for proof, by time; a stop that was triggered waits here as an ``Order``."""

    def __init__(self) -> None:
        self._arrivals: list[Arrival] = []

    def add(self, arrival: Arrival) -> None:
        insort(self._arrivals, arrival, key=lambda known: (known.venue_ns, known.number))

    def pop(self) -> Arrival:
        return self._arrivals.pop(0)

    def __len__(self) -> int:
        return len(self._arrivals)

    def __iter__(self) -> Iterator[Arrival]:
        return iter(self._arrivals)

    def first(self) -> tuple[int, int]:
        """Time and number of the earliest arrival."""
        return (self._arrivals[0].venue_ns, self._arrivals[0].number) if self._arrivals else (FAR_NS, 0)

    @property
    def proof_ns(self) -> int:
        return self._arrivals[0].venue_ns if self._arrivals else FAR_NS

    def cancelled_ns(self, client_id: str) -> int:
        """Arrival of the first cancel of ``client_id``, FAR_NS when none is under way."""
        for arrival in self._arrivals:
            if isinstance(arrival.wish, Cancel) and arrival.wish.client_id == client_id:
                return arrival.venue_ns
        return FAR_NS

    def due_ns(self) -> int:
        """Earliest visible time of an answer to one of our own requests (for exact reports)."""
        return min((a.visible_ns for a in self._arrivals if not isinstance(a.wish, Order)), default=FAR_NS)
