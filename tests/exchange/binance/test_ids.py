"""Numbers and names of orders."""

from __future__ import annotations

from exchange.binance.ids import KEPT, TRADES_KEPT, Ids


def test_order_numbers_count_by_contract() -> None:
    """The same number on two contracts is two orders."""
    ids = Ids()
    ids.learn(0, 7, "a")
    ids.learn(1, 7, "b")
    assert (ids.client(0, 7), ids.client(1, 7), ids.client(2, 7)) == ("a", "b", None)


def test_a_link_to_a_stop_wins_over_the_orders_own_name() -> None:
    """What a stop has become is told under the stop's id, whichever was heard first (F57)."""
    ids = Ids()
    ids.learn(0, 7, "some-name")
    ids.link("stop", 0, 7)
    ids.learn(0, 7, "some-name")
    assert ids.client(0, 7) == "stop"


def test_a_stop_keeps_the_number_of_its_own_kind() -> None:
    """News of a stop carry the algo number, never that of the order it became (F52)."""
    ids = Ids()
    ids.stop("stop", 0, 99)
    ids.link("stop", 0, 7)
    assert (ids.venue_id("stop", 7), ids.venue_id("other", 7)) == (99, 7)


def test_only_stops_that_may_have_triggered_are_asked_for() -> None:
    """Ended, linked and foreign contracts' stops are not among them."""
    ids = Ids()
    for name, index in (("waits", 0), ("ended", 0), ("linked", 0), ("elsewhere", 1)):
        ids.stop(name, index)
    ids.stop("ended", 0).ended = True
    ids.link("linked", 0, 7)
    assert ids.untriggered(0) == ["waits"]


def test_executions_are_heard_once_by_contract() -> None:
    """A trade number is known on its contract only."""
    ids = Ids()
    ids.hear(0, 5)
    assert (ids.heard(0, 5), ids.heard(1, 5)) == (True, False)


def test_everything_is_bounded() -> None:
    """Any number of orders, stops and trades leaves a bounded memory (F67)."""
    ids = Ids()
    for number in range(TRADES_KEPT + 10):
        ids.learn(0, number, "x")
        ids.stop(str(number), 0)
        ids.hear(0, number)
    assert (len(ids._clients), len(ids._stops), len(ids._trades)) == (KEPT, KEPT, TRADES_KEPT)
