"""Orders in doubt: asked for at growing intervals, absent by proof only."""

from __future__ import annotations

from core.execution.orders import Order
from core.execution.verdicts import APART_NS, MARGIN_NS, WAITS_NS, Verdicts
from models.event import AccountTruth, NotFound, Standing
from models.order import ApprovedOrder, Side
from models.rows import FAR_NS
from tests.builders import MS, SECOND
from tests.core.desk import Desk

WINDOW_NS = SECOND


def scene() -> tuple[Verdicts, Order, ApprovedOrder, int]:
    """One order in doubt from the moment it was sent, and that moment."""
    desk = Desk()
    desk.book()
    wish = desk.sent(desk.signal())
    order, verdicts = Order(wish), Verdicts(WINDOW_NS)
    verdicts.doubt(order, wish.created_ns, 0)
    return verdicts, order, wish, wish.created_ns


def truth(asked_ns: int, *orders: Standing) -> AccountTruth:
    return AccountTruth(asked_ns + MS, asked_ns, 0, 0, (), orders, False)


def test_questions_come_at_growing_intervals_and_never_end() -> None:
    """At once, then after 0.2, 0.5, 1, 2, 5, 5 … seconds."""
    verdicts, order, _, now = scene()
    for wait_ns in (*WAITS_NS, WAITS_NS[-1], WAITS_NS[-1]):
        assert verdicts.due(now) == [order]
        assert verdicts.due(now + wait_ns - 1) == []
        now += wait_ns


def test_a_doubt_is_counted_once_and_settled_once() -> None:
    """A second doubt of the same order changes nothing; evidence ends it."""
    verdicts, order, wish, now = scene()
    verdicts.doubt(order, now + SECOND, 0)
    assert (len(verdicts), verdicts.oldest_ns, verdicts.orders) == (1, now, [order])
    assert verdicts.settle(wish.client_id)
    assert not verdicts.settle(wish.client_id)
    assert (len(verdicts), verdicts.oldest_ns) == (0, FAR_NS)


def test_only_answers_from_after_the_window_count() -> None:
    """An answer «not found» from a venue time at which the order could still be accepted proves nothing."""
    verdicts, _, wish, now = scene()
    until_ns = now + WINDOW_NS + MARGIN_NS
    for at_ns in (until_ns - APART_NS, until_ns):
        assert not verdicts.not_found(NotFound(at_ns, wish.client_id, at_ns))
    assert not verdicts.not_found(NotFound(until_ns + 1, wish.client_id, until_ns + 1))
    assert verdicts.not_found(NotFound(until_ns + 1 + APART_NS, wish.client_id, until_ns + 1 + APART_NS))


def test_two_answers_too_close_together_are_one() -> None:
    """Half a second lies between the two that count, and the second is asked for in time."""
    verdicts, order, wish, now = scene()
    for _ in range(6):
        verdicts.due(now)
        now += 5 * SECOND
    assert not verdicts.not_found(NotFound(now, wish.client_id, now))
    assert not verdicts.not_found(NotFound(now + APART_NS - 1, wish.client_id, now + APART_NS - 1))
    assert verdicts.due(now + APART_NS) == [order]
    assert verdicts.not_found(NotFound(now + APART_NS, wish.client_id, now + APART_NS))


def test_the_account_has_the_last_word() -> None:
    """Absent needs a reading asked for after the window, that shows neither the order nor an unexplained position."""
    verdicts, order, wish, now = scene()
    late = now + WINDOW_NS + MARGIN_NS + 1
    for at_ns in (late, late + APART_NS):
        verdicts.not_found(NotFound(at_ns, wish.client_id, at_ns))
    shown = Standing(wish.client_id, 1, 0, Side.BUY, 8, 0, 0, 0, False, False)
    assert verdicts.absent(truth(now), 0, True) == []
    assert verdicts.absent(truth(late + APART_NS, shown), 0, True) == []
    assert verdicts.absent(truth(late + APART_NS), 0, False) == []
    assert verdicts.absent(truth(late + APART_NS), 0, True) == [order]
    assert len(verdicts) == 0


def test_the_venues_clock_counts() -> None:
    """The window is stated in the venue's time: a clock two seconds behind ours lets it end two seconds later."""
    desk = Desk()
    desk.book()
    wish = desk.sent(desk.signal())
    verdicts = Verdicts(WINDOW_NS)
    verdicts.doubt(Order(wish), wish.created_ns, -2 * SECOND)
    until_ns = wish.created_ns - 2 * SECOND + WINDOW_NS + MARGIN_NS
    for venue_ns in (until_ns + 1, until_ns + 1 + APART_NS):
        verdicts.not_found(NotFound(venue_ns + 2 * SECOND, wish.client_id, venue_ns))
    assert len(verdicts.absent(truth(until_ns + 2 * SECOND), -2 * SECOND, True)) == 0
    assert len(verdicts.absent(truth(until_ns + 2 * SECOND + 1), -2 * SECOND, True)) == 1
