"""What is on its way: ordered by time, then by number."""

from __future__ import annotations

from exchange.simulated.orders import Arrival, Order, Pending
from models.action import Cancel, Submit
from models.order import Side
from models.rows import FAR_NS
from tests.exchange.simulated.scene import order

WISH = order("a", Side.BUY, 3)


def test_arrivals_leave_by_time_and_number() -> None:
    """Equal times keep the order of their numbers."""
    pending = Pending()
    for venue_ns, number in ((9, 1), (5, 3), (5, 2)):
        pending.add(Arrival(venue_ns, number, 0, Submit(0, WISH)))
    assert (pending.proof_ns, pending.first(), len(pending)) == (5, (5, 2), 3)
    assert [pending.pop()[:2] for _ in range(3)] == [(5, 2), (5, 3), (9, 1)]


def test_nothing_under_way_is_far() -> None:
    """An empty queue waits for no proof, no answer and no cancel."""
    pending = Pending()
    assert (pending.proof_ns, pending.due_ns(), pending.cancelled_ns("a"), pending.first()[0]) == (FAR_NS,) * 4


def test_answers_due_are_those_to_our_own_requests() -> None:
    """A triggered stop has no answer of its own to promise."""
    pending = Pending()
    pending.add(Arrival(1, 1, 2, Order(WISH, 1, 0)))
    pending.add(Arrival(3, 2, 4, Cancel(0, "a")))
    assert (pending.due_ns(), pending.cancelled_ns("a"), pending.cancelled_ns("b")) == (4, 3, FAR_NS)


def test_an_order_knows_what_remains() -> None:
    """Quantity less what was filled."""
    taken = Order(WISH, 7, 1)
    taken.filled = 2
    assert (taken.remaining, taken.digest()) == (1, ("a", 7, 1, 3, 2, "ACCEPTED", ()))
