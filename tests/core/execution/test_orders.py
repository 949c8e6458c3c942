"""Own orders: states move forward, fills count once."""

from __future__ import annotations

import itertools
import random

import pytest

from core.execution.orders import KEPT, TRANSITIONS, Order, Orders
from models.event import Fill, OrderReport
from models.order import ApprovedOrder, OrderState, OrderType, Purpose, Side, TimeInForce

ACCEPTED, CANCELED, EXPIRED, FILLED, PARTIALLY_FILLED, REJECTED, SUBMITTED, UNKNOWN = sorted(OrderState)
ALIVE = (SUBMITTED, ACCEPTED, PARTIALLY_FILLED, UNKNOWN)
END = (FILLED, CANCELED, EXPIRED, REJECTED)
FORWARD = {
    SUBMITTED: {ACCEPTED, PARTIALLY_FILLED, UNKNOWN, *END},
    ACCEPTED: {PARTIALLY_FILLED, UNKNOWN, FILLED, CANCELED, EXPIRED},
    PARTIALLY_FILLED: {UNKNOWN, FILLED, CANCELED, EXPIRED},
    UNKNOWN: {ACCEPTED, PARTIALLY_FILLED, *END},
}
"""The table as the design says it: forward only, REJECTED only before acceptance, nothing after the end."""
RANK = {SUBMITTED: 0, ACCEPTED: 1, PARTIALLY_FILLED: 2, FILLED: 3, CANCELED: 3, EXPIRED: 3, REJECTED: 3}
PATHS: dict[OrderState, list[OrderState]] = {
    SUBMITTED: [],
    ACCEPTED: [ACCEPTED],
    PARTIALLY_FILLED: [PARTIALLY_FILLED],
    UNKNOWN: [UNKNOWN],
    **{state: [state] for state in END},
}


def approved(
    client_id: str = "o1", lots: int = 10, purpose: Purpose = Purpose.ENTRY, instrument: int = 0
) -> ApprovedOrder:
    """A market order to buy."""
    return ApprovedOrder(
        client_id, instrument, Side.BUY, OrderType.MARKET, TimeInForce.GTC, 0, lots, 0, False, purpose, 0
    )


def word(state: OrderState, filled: int = 0, client_id: str = "o1", at_ns: int = 5, venue_id: int = 9) -> OrderReport:
    """The venue's word."""
    return OrderReport(at_ns, client_id, venue_id, state, filled, at_ns)


def fill(trade_id: int, lots: int = 1, client_id: str = "o1", price: int = 100, fee_e8: int = 3) -> Fill:
    """One execution."""
    return Fill(5, client_id, trade_id, 0, Side.BUY, price, lots, fee_e8, False, 5)


def order_in(state: OrderState) -> tuple[Orders, Order]:
    """An order brought to ``state``."""
    orders = Orders()
    order = orders.add(approved())
    for step in PATHS[state]:
        assert orders.report(word(step)) is order
    return orders, order


@pytest.mark.parametrize(("before", "after"), list(itertools.product(OrderState, repeat=2)))
def test_states_pair_by_pair(before: OrderState, after: OrderState) -> None:
    """Each pair of states moves exactly when the design's table has it; else it is old news and changes nothing."""
    orders, order = order_in(before)
    moved = orders.report(word(after))
    if after in FORWARD.get(before, set()):
        assert (moved, order.state, orders.old_news) == (order, after, 0)
    else:
        assert (moved, order.state, orders.old_news) == (None, before, 1)


def test_the_table_names_every_state() -> None:
    """No state is left without its row; the four that end an order have empty ones."""
    assert {state: set(row) for state, row in TRANSITIONS.items()} == {s: FORWARD.get(s, set()) for s in OrderState}


@pytest.mark.parametrize(
    ("before", "after", "moves"),
    [
        (ACCEPTED, ACCEPTED, True),
        (ACCEPTED, REJECTED, False),
        (PARTIALLY_FILLED, PARTIALLY_FILLED, True),
        (PARTIALLY_FILLED, ACCEPTED, False),
        (PARTIALLY_FILLED, FILLED, True),
        (SUBMITTED, REJECTED, True),
        (SUBMITTED, ACCEPTED, True),
    ],
)
def test_unknown_goes_on_from_what_was_proven(before: OrderState, after: OrderState, moves: bool) -> None:
    """An order lost from sight after an acceptance or a fill cannot come back as never accepted or not filled."""
    orders, order = order_in(before)
    orders.report(word(UNKNOWN))
    assert (orders.report(word(after)) is order) is moves
    assert order.state is (after if moves else UNKNOWN)


def test_a_fill_counts_once() -> None:
    """The same trade id twice is booked once, whatever else the second message says."""
    orders, order = order_in(ACCEPTED)
    assert orders.fill(fill(1, 4)) is order
    assert orders.fill(fill(1, 9)) is None
    assert (order.filled, order.remaining, order.cost, order.fee_e8) == (4, 6, 400, 3)
    assert orders.old_news == 1


@pytest.mark.parametrize("state", END)
def test_a_fill_after_the_end_still_counts(state: OrderState) -> None:
    """Fill and final word may come in either order; money is booked in both."""
    orders, order = order_in(state)
    assert orders.fill(fill(1, 4)) is order
    assert (order.filled, order.state) == (4, state)


def test_fills_of_foreign_orders_are_counted_not_booked() -> None:
    """An execution of an order nobody here knows is strange, and books nothing."""
    orders, order = order_in(ACCEPTED)
    assert orders.fill(fill(1, client_id="other")) is None
    assert (orders.strange_fills, order.filled) == (1, 0)


def test_words_on_foreign_orders_are_old_news() -> None:
    """A report on an order nobody here knows moves nothing."""
    orders, order = order_in(ACCEPTED)
    assert orders.report(word(FILLED, client_id="other")) is None
    assert (orders.old_news, order.state) == (1, ACCEPTED)


def test_the_venues_cumulative_word_never_falls() -> None:
    """The reported quantity is the largest the venue ever said, also when the state has nothing new to say."""
    orders, order = order_in(ACCEPTED)
    seen = []
    for filled in (2, 5, 3):
        orders.report(word(PARTIALLY_FILLED, filled))
        seen.append(order.reported)
    assert seen == [2, 5, 5]


def test_the_first_word_is_remembered() -> None:
    """The time of the venue's first word and its own id are kept; a later word without an id does not erase it."""
    orders, order = order_in(SUBMITTED)
    orders.report(word(ACCEPTED, at_ns=40, venue_id=123))
    orders.report(word(FILLED, at_ns=50, venue_id=0))
    assert (order.accepted_ns, order.venue_id) == (40, 123)


def test_alive_orders_by_instrument_and_purpose() -> None:
    """Alive orders are those without a final word, oldest first, of one instrument and, when asked, one purpose."""
    orders = Orders()
    for client_id, purpose, instrument in (
        ("a", Purpose.STOP, 0), ("b", Purpose.ENTRY, 0), ("c", Purpose.ENTRY, 1), ("d", Purpose.STOP, 0),
    ):  # fmt: skip
        orders.add(approved(client_id, purpose=purpose, instrument=instrument))
    orders.report(word(CANCELED, client_id="a"))
    orders.report(word(UNKNOWN, client_id="d"))

    def ids(*asked: object) -> list[str]:
        return [order.approved.client_id for order in orders.alive(*asked)]  # type: ignore[arg-type]

    assert (ids(0), ids(0, Purpose.STOP), ids(1)) == (["b", "d"], ["d"], ["c"])


def test_the_book_of_orders_is_bounded() -> None:
    """Beyond the kept number the oldest finished order is forgotten, never one that is alive."""
    orders = Orders()
    resting = orders.add(approved("resting"))
    for number in range(KEPT + 50):
        orders.add(approved(f"o{number}"))
        orders.report(word(FILLED, client_id=f"o{number}"))
    kept = [number for number in range(KEPT + 50) if orders.get(f"o{number}") is not None]
    assert kept == list(range(KEPT + 50 - (KEPT - 1), KEPT + 50))
    assert orders.get("resting") is resting


def test_alive_orders_are_never_forgotten() -> None:
    """When every order is alive, none is given up for the bound."""
    orders = Orders()
    for number in range(KEPT + 3):
        orders.add(approved(f"o{number}"))
    assert len(orders.alive(0)) == KEPT + 3


@pytest.mark.parametrize("seed", range(40))
def test_a_random_conversation(seed: int) -> None:
    """Words and fills in any order, repeated and late, never move a state back, never revive an order, book each trade
    once, and end with exactly the lots the venue executed."""
    chance = random.Random(seed)
    orders = Orders()
    order = orders.add(approved(lots=20))
    executed: dict[int, int] = {}
    proven, ended = SUBMITTED, False
    for _ in range(120):
        if chance.random() < 0.5:
            left = 20 - sum(executed.values())
            if left and (not executed or chance.random() < 0.6):
                executed[len(executed) + 1] = chance.randrange(1, left + 1)
            trade_id = chance.choice(list(executed))
            orders.fill(fill(trade_id, executed[trade_id]))
        else:
            before = order.state
            moved = orders.report(word(chance.choice(list(OrderState)), sum(executed.values())))
            assert (moved is None) == (order.state is before)
            assert not ended or order.state is before
            ended = order.state in END
            if order.state is not UNKNOWN:
                assert RANK[order.state] >= RANK[proven]
                proven = order.state
        assert order.filled <= order.approved.quantity
        assert order.filled == sum(executed[trade_id] for trade_id in order.trades)
        assert order.alive is (not order.state.terminal or order.filled < order.reported)
    for trade_id, lots in executed.items():
        orders.fill(fill(trade_id, lots))
    assert order.filled == sum(executed.values())
